"""What the metrics share: labels from outputs, weights, and their mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from .._support.checks import Array, check_finite, sentence
from ..losses.base import check_output, check_target, check_weight
from ..losses.classification import check_classes

Metric: TypeAlias = Callable[..., float]


def outputs(who: str, y_pred: Array) -> Array:
    """z (N, K), the outputs; NaN among them would be counted as the class that it stands for, or as none."""
    z = check_output(who, y_pred)
    if np.isnan(z).any():
        check_finite(who, "y_pred", z)
    return z


def targets(who: str, z: Array, y_true: Array) -> Array:
    """y of the shape and dtype of z, without NaN."""
    y = check_target(who, z, y_true)
    check_finite(who, "y_true", y)
    return y


def classes(who: str, y_true: Array, y_pred: Array, threshold: float) -> tuple[Array, Array, int]:
    """Predicted and true labels (N,), and how many classes there are."""
    z = outputs(who, y_pred)
    if z.shape[1] == 1:
        return (z[:, 0] > threshold).astype(np.intp), (targets(who, z, y_true)[:, 0] > 0.5).astype(np.intp), 2
    y = check_classes(who, z, y_true)
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
