"""Metrics of numbers: root mean squared error, mean absolute error, R²."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array, sentence
from .base import outputs, targets, weights

__all__ = ["mean_absolute_error", "r2_score", "root_mean_squared_error"]


def root_mean_squared_error(y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
    """Root of the mean squared error, averaged over the outputs, in the units of y.

        meanₒ √(Σₙ wₙ (zₙₒ − yₙₒ)² / Σₙ wₙ)

    Parameters
    ----------
    y_true, y_pred : array (N, O)
        Targets y and outputs z.
    sample_weight : array (N,), optional
        Weight of each sample, not negative and not all 0.

    Returns
    -------
    float
        The error, in the units of y.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import root_mean_squared_error
    >>> root_mean_squared_error(np.array([[0.0], [8.0]]), np.array([[3.0], [4.0]]), np.array([16, 9]))
    3.39411...
    """
    r, _, w, exponent = _residuals("root_mean_squared_error", y_true, y_pred, sample_weight)
    return float(np.mean(np.ldexp(np.sqrt(np.average(r**2, axis=0, weights=w)), exponent)))


def mean_absolute_error(y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
    """Mean absolute error, averaged over the outputs, in the units of y.

        meanₒ Σₙ wₙ |zₙₒ − yₙₒ| / Σₙ wₙ

    Parameters
    ----------
    y_true, y_pred : array (N, O)
        Targets y and outputs z.
    sample_weight : array (N,), optional
        Weight of each sample, not negative and not all 0.

    Returns
    -------
    float
        The error, in the units of y.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import mean_absolute_error
    >>> mean_absolute_error(np.array([[0.0], [8.0]]), np.array([[3.0], [4.0]]))
    3.5
    """
    r, _, w, exponent = _residuals("mean_absolute_error", y_true, y_pred, sample_weight)
    return float(np.mean(np.ldexp(np.average(np.abs(r), axis=0, weights=w), exponent)))


def r2_score(y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
    """Share of the variance of y that is explained, averaged over the outputs: 1 is perfect, 0 no better than the mean.

        meanₒ 1 − Σₙ wₙ (zₙₒ − yₙₒ)² / Σₙ wₙ (yₙₒ − ȳₒ)²,  ȳ the weighted mean

    An output whose target is constant counts 1 if it is met exactly and 0 otherwise, as in scikit-learn.

    Parameters
    ----------
    y_true, y_pred : array (N ≥ 2, O)
        Targets y and outputs z.
    sample_weight : array (N,), optional
        Weight of each sample, not negative and not all 0.

    Returns
    -------
    float
        The share, at most 1.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import r2_score
    >>> r2_score(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [2.0]]))
    0.5
    """
    r, y, w, _ = _residuals("r2_score", y_true, y_pred, sample_weight)
    if len(y) < 2:
        raise ValueError(sentence("r2_score", "at least 2 samples, as one has no variance", f"{len(y)}"))
    unexplained = w @ r**2
    spread = w @ (y - np.average(y, axis=0, weights=w)) ** 2
    constant = spread == 0
    share = np.where(constant, unexplained > 0, unexplained / np.where(constant, 1, spread))
    return float(np.mean(1 - share))


def _residuals(
    who: str, y_true: Array, y_pred: Array, sample_weight: Array | None
) -> tuple[Array, Array, Array, Array]:
    """(z − y) / 2ᵉ, y / 2ᵉ and the weights, all in float64, and e, by which the squares of each output are finite."""
    z = outputs(who, y_pred).astype(np.float64, copy=False)
    y = targets(who, z, y_true)
    exponent = np.frexp(np.maximum(np.abs(z).max(axis=0), np.abs(y).max(axis=0)))[1] + 1
    y = np.ldexp(y, -exponent)  # exact, but for what vanishes beside the largest
    return np.ldexp(z, -exponent) - y, y, weights(who, sample_weight, len(y)), exponent
