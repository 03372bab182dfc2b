"""What the metrics share: labels from outputs, weights, and their mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from .._support.checks import Array, sentence
from ..losses.base import check_output, check_target, check_weight
from ..losses.classification import check_classes

Metric: TypeAlias = Callable[..., float]


def classes(who: str, z: Array, y: Array, threshold: float) -> tuple[Array, Array, int]:
    """Predicted and true labels (N,), and how many classes there are."""
    z = check_output(who, z)
    if z.shape[1] == 1:
        return (z[:, 0] > threshold).astype(np.intp), (check_target(who, z, y)[:, 0] > 0.5).astype(np.intp), 2
    y = check_classes(who, z, y)
    return z.argmax(axis=1), y if y.ndim == 1 else y.argmax(axis=1), z.shape[1]


def weights(who: str, weight: Array | None, n: int) -> Array:
    """Sample weights (N,), 1 where none are given; at least one is positive."""
    if weight is None:
        return np.ones(n)
    w = check_weight(who, weight, n)
    if not w.any():
        raise ValueError(sentence(who, "at least one sample of positive weight", f"{n} weights of 0"))
    return w


def mean(who: str, values: Array, weight: Array | None) -> float:
    """Σₙ wₙ vₙ / Σₙ wₙ."""
    return float(np.average(values, weights=weights(who, weight, len(values))))
