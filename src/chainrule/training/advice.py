"""Advice after training that learned nothing because columns are badly scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, is_sparse, sentence
from .._support.notices import warn
from .._support.overrides import is_of_package
from ..data.scale import MOST_ROWS, about_scale, about_targets
from ..layers import Dropout, Flatten, GaussianNoise, Linear
from ..losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    HalfSquaredError,
    Huber,
    LogCosh,
    PoissonNLL,
    SquaredError,
)
from ..model import Sequential
from .callbacks.base import Record
from .engine import Parts
from .inputs import Data

#: The losses whose best constant is known, at least nearly.
KNOWN = AbsoluteError, BinaryCrossEntropy, CrossEntropy, HalfSquaredError, Huber, LogCosh, PoissonNLL, SquaredError


def advise(parts: Parts, data: Data, history: Record) -> None:
    """Warn, after training that was not interrupted, if there is something to say."""
    if history.rows and not history.interrupted:
        message = after_learning_nothing(parts, data, history.rows[-1]["loss"])
        if message:
            warn(message)


def after_learning_nothing(parts: Parts, data: Data, loss: float) -> str:
    """Return what to scale if a constant is as good as the network, which ended with ``loss``; otherwise "".

    This is never a guess: the sentence gives the network's loss, a constant's loss on the same rows, and the badly
    scaled column.
    """
    x, y, weight = (None if array is None else array[:MOST_ROWS] for array in data)
    if x is None or y is None or is_sparse(x) or not (_begins_dense(parts.model) and is_of_package(parts.loss)):
        return ""
    z = parts.model.predict(x)
    constant = best_constant(parts.loss, y, weight, z.shape[1])
    if constant is None:
        return ""
    mine, least = (float(parts.loss(o, y, weight)[0]) for o in (z, np.broadcast_to(constant.astype(z.dtype), z.shape)))
    if not min(mine, loss) >= least > 0:
        return ""
    found = [*about_scale(x), *about_targets(y, labels=y.dtype.kind in "iub")]
    got = f"a loss of {mine:.3g}, where a constant has {least:.3g}"
    remedy = found[0][0].lower() + found[0][1:].rstrip(".") if found else ""
    return sentence("fit", "a network that learns something", got, remedy) if found else ""


def _begins_dense(model: Sequential) -> bool:
    """Whether x reaches a dense layer unchanged, without a normalization or a user's layer before it."""
    first = next((layer for layer in model.layers if not isinstance(layer, (Dropout, Flatten, GaussianNoise))), None)
    return type(first) is Linear


def best_constant(loss: Any, y: Array, weight: Array | None, outputs: int = 0) -> Array | None:
    """Return the outputs (K,) of a network that knows only the distribution of y; None if unknown."""
    if getattr(loss, "from_logits", True) is False or not isinstance(loss, KNOWN):
        return None
    if weight is not None and not weight.any():
        return None
    if isinstance(loss, CrossEntropy) and y.ndim == 1:
        counts = np.bincount(y.astype(np.intp), weight, outputs)
        return _log(counts / counts.sum())
    mean: Array = np.average(y, axis=0, weights=weight)
    if isinstance(loss, CrossEntropy):
        return _log(mean)
    if isinstance(loss, BinaryCrossEntropy):
        return _log(mean) - _log(1 - mean) if ((mean > 0) & (mean < 1)).all() else None
    if isinstance(loss, PoissonNLL):
        return _log(mean) if (mean > 0).all() else None
    return mean


def _log(shares: Array) -> Array:
    logarithms: Array = np.log(np.maximum(shares, np.finfo(float).tiny))
    return logarithms
