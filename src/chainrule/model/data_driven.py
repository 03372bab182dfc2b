"""Data-driven initial weights: every unit starts with a standard deviation of 1, and its kink within the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from .._support.checks import Array, RandomState, as_rng, check_finite, is_sparse, sentence
from ..layers import Linear, Workspace
from ..layers.base import check_rows
from .prediction import as_batch
from .sequential import Sequential

WHO = "initialize_from_data"
ROWS = 5  # rows whose randomly weighted mean has output zero
ROUNDING = 32  # units in the last place; a column that varies less is constant
LEAST_SPREAD = 1e-30


def initialize_from_data(model: Sequential, x: Any, rng: RandomState = None) -> None:
    """Scale the initial weights of a model's Linear layers by their outputs on data, and draw their biases.

        W[:, o] ← W[:, o] / deviation of h W[:, o]          h the layer's input for the rows of x

        b[o] = −Σᵢ pᵢ (h W[:, o]) of row rᵢ,  i = 1 … 5     rows r and weights p ≥ 0, Σp = 1, drawn for each output

    It runs layer by layer, with dropout as in training. Initially, no unit is then dead or saturated, for any scale and
    correlation of the columns of x. A unit with constant output keeps its weights. Running statistics, and Linear
    layers inside other layers, do not change. Call it before training.

    Parameters
    ----------
    model : Sequential
        The model.
    x : array (N, ...)
        Rows like the training data, some thousands; all go through the model at once.
    rng : int, numpy.random.Generator or None
        Source of randomness; None for the model's generator.

    Raises
    ------
    ValueError
        If x has no rows, does not fit the model, or is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.MLP([3, 64, 1], activation="relu", rng=0)
    >>> x = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 100.0, 0.01]
    >>> cr.initialize_from_data(model, x)
    >>> model.predict(x).std().round(3)
    np.float32(1.0)

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), appendix A; Steinwart, A Sober Look at Neural
    Network Initializations (2019).
    """
    if not isinstance(model, Sequential):
        raise TypeError(sentence(WHO, "a Sequential model", type(model).__name__))
    rng = model.rng if rng is None else as_rng(rng, WHO)
    h = as_batch(model.layers, x, model.dtype)
    if h.shape[0] == 0:
        raise ValueError(sentence(WHO, "at least one row in x", "none"))
    check_finite(WHO, "x", h, of=x)
    alike = not is_sparse(h) and bool((h == h[:1]).all())  # then further on they differ by rounding alone
    kept = {name: array.copy() for name, array in model.buffers.items()}
    for layer in model.layers:
        if isinstance(layer, Linear):
            check_rows(layer, h, layer.in_features)
            _initialize(layer, h[:1] if alike else h, rng)
        h = layer.forward(h, Workspace(True, rng))
    for name, array in model.buffers.items():
        array[...] = kept[name]


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused
def _initialize(layer: Linear, h: Array, rng: np.random.Generator) -> None:
    z = ops.affine(h, layer.W)
    check_finite(WHO, f"what {layer!r} makes of x", z)
    spread = z.std(axis=0, dtype=np.float64)
    varies = spread > ROUNDING * np.finfo(z.dtype).eps * np.abs(z).max(axis=0)
    scale = np.where(varies, np.maximum(spread, LEAST_SPREAD), 1.0)
    layer.W /= scale
    if layer.bias:
        rows = rng.integers(len(z), size=(ROWS, layer.out_features))
        p = rng.standard_exponential(rows.shape)
        layer.b = -(p * np.take_along_axis(z, rows, axis=0)).sum(axis=0) / (p.sum(axis=0) * scale)
