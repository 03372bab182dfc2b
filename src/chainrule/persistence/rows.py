"""Rows like those that a model is used on: their shape, and samples to compare an exported file with the model on.

A fitted estimator knows its data: a scaler has the mean and the deviation of each column, an encoder the categories.
The samples are drawn from what it knows, in float64 and in the units of the data, so that a column such as seconds
since 1970 stands there with all its digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, sentence
from ..layers import Activation, BatchNorm, Dropout, Flatten, GaussianNoise, Layer, Linear, Residual
from ..layers.base import FeatureLayer, Shape
from ..model import Sequential

QUARTILES = 1.349  # by how much those of a normal distribution are apart, in deviations
ROWS = 100  # that a file and its model are compared on
#: Where estimators that hold others keep a fitted one that takes the same rows.
INNER = ("best_estimator_", "regressor_", "estimator_", "estimators_", "calibrated_classifiers_", "estimator")


def row_shape(layers: Sequence[Layer]) -> Shape | None:
    """The shape of one input row; None where no layer tells it. An image in front of Flatten counts as flat."""
    for layer in layers:
        if isinstance(layer, Linear):
            return (layer.in_features,)
        if isinstance(layer, FeatureLayer):
            return (layer.features,)
        if isinstance(layer, Residual) and (shape := row_shape(layer.layers)) is not None:
            return shape
        if not isinstance(layer, Residual | Activation | Dropout | GaussianNoise | Flatten):
            break
    return None


def sample_rows(model: Any, count: int = ROWS, shape: Shape | None = None) -> Any:
    """``count`` rows like those that the model was trained on, the same at each call.

    Parameters
    ----------
    model : Sequential or fitted estimator
    count : int
    shape : of one row, where the layers do not tell it

    Returns
    -------
    rows : array (N, ...) of float64; a pandas frame for an estimator that takes its columns by name or holds text;
        None where the shape, or what a column holds, is not known
    """
    rng = np.random.default_rng(0)
    if isinstance(model, Sequential):
        shape = row_shape(model.layers) if shape is None else shape
        return None if shape is None else _network_rows(model, rng.standard_normal((count, *shape)), rng)
    columns = _columns(model, int(model.n_features_in_), count, rng)
    if needs_frame(model):
        told = [column for column in columns if column is not None]
        return _frame(model, told) if len(told) == len(columns) else None
    normal = rng.standard_normal((len(columns), count))
    known = [one if column is None else column for column, one in zip(columns, normal, strict=True)]
    rows = np.stack([np.asarray(column, np.float64) for column in known], axis=1)
    return rows.astype(np.float32).astype(np.float64) if _trained_in_float32(model) else rows


def _network_rows(model: Sequential, normal: Array, rng: np.random.Generator) -> Array:
    """Standard normal rows; or those that a batch normalisation has seen, in front or behind the first weights.

    Behind z = xW + b it knows z: x is then the shortest one that gives such z.
    """
    active = [layer for layer in model.layers if not isinstance(layer, Dropout | GaussianNoise | Flatten)]
    if not active or normal.ndim != 2:
        return normal
    if isinstance(active[0], BatchNorm):
        return _seen(active[0], normal)
    first, second = active[0], active[1] if len(active) > 1 else None
    if isinstance(first, Linear) and first.activation is None and isinstance(second, BatchNorm):
        z = _seen(second, rng.standard_normal((len(normal), first.out_features)))
        bias = first.b if first.bias else 0.0
        x: Array = np.linalg.lstsq(first.W.T.astype(np.float64), (z - bias).T, rcond=None)[0].T
        return x
    return normal


def _seen(layer: BatchNorm, normal: Array) -> Array:
    """Rows of the running mean and variance of a batch normalisation."""
    rows: Array = normal * np.sqrt(layer.running_variance) + layer.running_mean
    return rows


def _trained_in_float32(estimator: Any) -> bool:
    network = getattr(last_step(estimator), "model_", None)
    return isinstance(network, Sequential) and network.dtype == np.float32


# --- what fitted estimators know of their columns --------------------------------------------------------------------


def first_step(estimator: Any) -> Any:
    """What the rows meet first: inside pipelines, searches and other estimators that pass rows on."""
    while True:
        steps = getattr(estimator, "steps", None)
        inner = steps[0][1] if steps else next((getattr(estimator, n) for n in INNER if hasattr(estimator, n)), None)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if inner is None or not hasattr(inner, "n_features_in_"):
            return estimator
        estimator = inner


def last_step(estimator: Any) -> Any:
    """The last step of pipelines and the best of searches, or the estimator itself."""
    while hasattr(estimator, "steps") or hasattr(estimator, "best_estimator_"):
        estimator = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator.best_estimator_
    return estimator


def needs_frame(estimator: Any) -> bool:
    """Whether it takes columns by name, or text, which an array of numbers does not have."""
    if isinstance(estimator, Sequential):
        return False
    first = first_step(estimator)
    chosen = [name for _, _, names in getattr(first, "transformers_", ()) for name in _listed(names)]
    return any(isinstance(name, str) for name in chosen) or _takes_text(first)


def _takes_text(estimator: Any) -> bool:
    """Whether its first step, or any of the steps beside each other there, knows text of a column."""
    first = first_step(estimator)
    facts = [*getattr(first, "categories_", ()), getattr(first, "statistics_", ())]
    known = any(np.asarray(one).dtype.kind in "OUST" for one in facts)
    return known or any(_takes_text(one) for _, one, _ in getattr(first, "transformers_", ()))


def _listed(names: Any) -> list[Any]:
    return [names] if isinstance(names, str) or not np.iterable(names) else list(names)


def _frame(estimator: Any, columns: Sequence[Array]) -> Any:
    """The columns by the names that the estimator was fitted on."""
    import pandas as pd

    names = getattr(first_step(estimator), "feature_names_in_", range(len(columns)))
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def _columns(estimator: Any, width: int, count: int, rng: np.random.Generator) -> list[Array | None]:
    """A sample of each column; None of those that nothing is known of."""
    first = first_step(estimator)
    if not hasattr(first, "transformers_"):
        return _known(estimator, first, width, count, rng)
    found: list[Array | None] = [None] * width
    names = list(getattr(first, "feature_names_in_", range(width)))
    for _, transformer, chosen in first.transformers_:
        places = [names.index(one) if isinstance(one, str) else int(one) for one in _places(chosen, width)]
        if not isinstance(transformer, str):
            for place, column in zip(places, _columns(transformer, len(places), count, rng), strict=True):
                found[place] = column if found[place] is None else found[place]
        else:  # passed on as they are, or dropped
            for place in places:
                found[place] = rng.standard_normal(count) if found[place] is None else found[place]
    return found


def _places(chosen: Any, width: int) -> list[Any]:
    if isinstance(chosen, slice):
        return list(range(width))[chosen]
    listed = _listed(chosen)
    is_mask = len(listed) == width and all(isinstance(one, bool | np.bool_) for one in listed)
    return [place for place, one in enumerate(listed) if one] if is_mask else listed


def _known(estimator: Any, first: Any, width: int, count: int, rng: np.random.Generator) -> list[Array | None]:
    """From the statistics of the first step; of the step behind it, where an imputer passes columns on."""
    later: list[tuple[str, Any]] = list(getattr(estimator, "steps", ()))[1:]
    if hasattr(first, "statistics_") and later:
        behind = _known(None, first_step(later[0][1]), width, count, rng)
        if all(column is not None for column in behind):
            return behind
    facts: Mapping[str, Any] = vars(first)
    if hasattr(first, "_typical"):  # an estimator of ours
        facts = dict(zip(("mean_", "scale_"), first._typical, strict=True))
    normal = rng.standard_normal((width, count))
    for names, draw in DRAWS.items():
        given: list[Any] = [facts.get(name) for name in names]
        if all(hasattr(one, "__len__") and len(one) == width for one in given):
            return [draw(rng, normal[index], *(one[index] for one in given)) for index in range(width)]
    return [None] * width


def _categories(rng: np.random.Generator, z: Array, values: Any) -> Array:
    return np.asarray(values)[rng.integers(0, len(values), len(z))]


#: The attributes that tell of each column, and a sample of it from a standard normal one z; the first that are there.
DRAWS: dict[tuple[str, ...], Any] = {
    ("categories_",): _categories,
    ("data_min_", "data_max_"): lambda rng, z, low, high: low + (high - low) * rng.random(len(z)),
    ("center_", "scale_"): lambda rng, z, center, scale: center + scale * z / QUARTILES,
    ("max_abs_",): lambda rng, z, largest: largest * rng.uniform(-1, 1, len(z)),
    ("mean_", "scale_"): lambda rng, z, mean, scale: mean + scale * z,
    ("scale_",): lambda rng, z, scale: scale * z,
    ("mean_",): lambda rng, z, mean: mean + z,
    ("bin_edges_",): lambda rng, z, edges: rng.uniform(edges[0], edges[-1], len(z)),
    ("statistics_",): lambda rng, z, value: np.full(len(z), value),
}


# --- rows that the user gives ----------------------------------------------------------------------------------------


def given_rows(model: Any, rows: Any, shape: Shape | None = None) -> Any:
    """The first rows that the user gives: a pandas frame with its columns, else an array."""
    who = "export(rows=)"
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
    """A frame of polars, say, as one of pandas."""
    import pandas as pd

    return pd.DataFrame({name: np.asarray(frame[name]) for name in frame.columns})
