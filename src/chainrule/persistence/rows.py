"""Rows like a model's data: their shape, and samples to compare an exported file with the model.

A fitted estimator knows its data: a scaler has the mean and standard deviation of each column, an encoder the
categories. The samples are drawn from these, in float64 and in the units of the data: a column of seconds since 1970
keeps all its digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, sentence
from ..layers import BatchNorm, Dropout, Flatten, GaussianNoise, Layer, Linear
from ..layers.base import Shape
from ..layers.chain import input_width
from ..layers.columns import code_columns
from ..model import Sequential
from .columns import first_step, last_step, needs_frame, typical_columns

ROWS = 100  # that a file and its model are compared on
FAR = 100.0  # deviations from 0, of which float32 hardly notices anything
DISTINCT = 0.1  # of the largest singular value: a direction that weights less does not tell where rows lie
NORMAL, CENTRED = "standard normal rows", "rows around which the first layer is centred"


def row_shape(layers: Sequence[Layer]) -> Shape | None:
    """Return the shape of an input row; None if no layer determines it. An image before Flatten counts as flat."""
    width = input_width(layers)
    return None if width is None else (width,)


def sample_rows(model: Any, count: int = ROWS, shape: Shape | None = None) -> Any:
    """Return ``count`` rows like the training data, the same at each call.

    Parameters
    ----------
    model : Sequential or fitted estimator
        The model.
    count : int
        Number of rows.
    shape : tuple of int, optional
        Shape of a row, if the layers do not determine it.

    Returns
    -------
    array (N, ...) of float64, frame or None
        A pandas frame for an estimator that selects columns by name or needs text; None if the shape, or the contents
        of a column, are unknown.
    """
    return drawn_rows(model, count, shape)[0]


def drawn_rows(model: Any, count: int = ROWS, shape: Shape | None = None) -> tuple[Any, str]:
    """Return the same rows, and their description if the model does not determine them, or ""."""
    rng = np.random.default_rng(0)
    if isinstance(model, Sequential):
        shape = row_shape(model.layers) if shape is None else shape
        if shape is None:
            return None, ""
        rows, kind = _network_rows(model, rng.standard_normal((count, *shape)), rng)
        for column, layer in code_columns(model.layers):
            rows[:, column] = rng.integers(0, layer.codes, count)
        return rows, kind
    by_name = needs_frame(model)
    columns = typical_columns(model, count, rng, typed=by_name)
    told = [column for column in columns if column is not None]
    if by_name:
        return (_frame(model, told) if len(told) == len(columns) else None), ""
    known = [rng.standard_normal(count) if column is None else column for column in columns]
    rows = np.stack([np.asarray(column, np.float64) for column in known], axis=1)
    rows = rows.astype(np.float32).astype(np.float64) if _trained_in_float32(model) else rows
    return rows, NORMAL if len(told) < len(columns) else ""


def _network_rows(model: Sequential, normal: Array, rng: np.random.Generator) -> tuple[Array, str]:
    """Return rows by a batch normalization before or after the first weights, or else by the weights themselves.

    A normalization after z = xW + b determines z: x is then the shortest one with that z.
    """
    flat = normal.reshape(len(normal), -1)
    active = [layer for layer in model.layers if not isinstance(layer, Dropout | GaussianNoise | Flatten)]
    first, second = (*active, None, None)[:2]
    if isinstance(first, BatchNorm) and first.features == flat.shape[1]:
        return _seen(first, flat).reshape(normal.shape), ""
    if not isinstance(first, Linear) or first.in_features != flat.shape[1]:
        return normal, NORMAL
    if first.activation is None and isinstance(second, BatchNorm):
        z = _seen(second, rng.standard_normal((len(normal), first.out_features)))
        return _shortest(first.W, z - (first.b if first.bias else 0.0)).reshape(normal.shape), ""
    center, scale = _where_centred(first)
    is_told = any(isinstance(model.metadata.get(name), dict) for name in ("encoder", "scaling"))
    if np.abs(center).max(initial=0.0) <= FAR:
        return normal, "" if is_told else NORMAL
    return ((flat + center) * scale).reshape(normal.shape), CENTRED


def _seen(layer: BatchNorm, normal: Array) -> Array:
    """Draw rows with the running mean and variance of a batch normalization."""
    rows: Array = normal * np.sqrt(layer.running_variance) + layer.running_mean
    return rows


def _where_centred(layer: Linear) -> tuple[Array, Array]:
    """Return the x for which z = xW + b is nearest to 0, and the unit of each number, which changes z by about 1.

    Weights that centre the columns, such as b = −μW, reveal the location of the rows.
    """
    W = layer.W.astype(np.float64)
    size = np.sqrt((W**2).mean(axis=1) * len(W))
    scale = 1 / np.where(size > 0, size, 1.0)
    if not layer.bias or np.linalg.norm(layer.b) <= FAR * DISTINCT:  # the singular values are at least 1
        return np.zeros(len(W)), scale
    return _shortest(W * scale[:, None], -layer.b[None].astype(np.float64), DISTINCT)[0], scale


def _shortest(W: Array, z: Array, distinct: float | None = None) -> Array:
    """Return the shortest x (N, I) whose xW (N, O) is nearest to z."""
    x: Array = np.linalg.lstsq(W.T.astype(np.float64), z.T, rcond=distinct)[0].T
    return x


def _trained_in_float32(estimator: Any) -> bool:
    network = getattr(last_step(estimator), "model_", None)
    return isinstance(network, Sequential) and network.dtype == np.float32


def _frame(estimator: Any, columns: Sequence[Array]) -> Any:
    """Return the columns under the names that the estimator was fitted with."""
    import pandas as pd

    names = getattr(first_step(estimator), "feature_names_in_", range(len(columns)))
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


# --- rows that the user gives ----------------------------------------------------------------------------------------


def given_rows(model: Any, rows: Any, shape: Shape | None = None) -> Any:
    """Return the first of the user's rows: a pandas frame with its columns, or an array."""
    who = "export(X=)"
    if hasattr(rows, "columns") and not isinstance(model, Sequential):
        rows = rows if hasattr(rows, "iloc") else _as_pandas(rows)
    elif needs_frame(model):
        raise TypeError(sentence(who, "a frame with the columns by name", type(rows).__name__))
    else:
        rows = as_numeric(who, "rows", rows)
    if isinstance(model, Sequential):
        shape = row_shape(model.layers) if shape is None else shape
        fits = rows.ndim > 1 and (shape is None or math.prod(rows.shape[1:]) == math.prod(shape))
    else:
        shape = (int(model.n_features_in_),)
        fits = tuple(rows.shape[1:]) == shape
    if not fits or len(rows) == 0:
        wanted = ", ".join(map(str, ("N", *(shape or ("I",)))))
        raise ValueError(sentence(who, f"some rows of your data, of shape ({wanted})", str(tuple(rows.shape))))
    return rows[:ROWS]


def _as_pandas(frame: Any) -> Any:
    """Convert another frame, such as polars, to pandas."""
    import pandas as pd

    return pd.DataFrame({name: np.asarray(frame[name]) for name in frame.columns})
