"""Calibrate on the validation rows: the logits of a classifier by a factor, quantiles by a shift of each.

    L(β) = mean over rows of l(β z, y),          dL/dβ = Σ ∂l/∂(β z) · z

β = eᵘ minimises n L(β) + u² / (2 σ²): the second term, of a normal prior, keeps few rows from deciding. Bisection finds
where the derivative by u, which is n β dL/dβ + u / σ², changes its sign. The class with the largest logit stays.

    P(y ≤ q + s) ≥ τ,    s the k-th smallest of n numbers y − q, k = ⌈(n + 1) τ⌉

holds for a new row if no other choice depends on these n rows. A quantile below the median has k = ⌊(n + 1) τ⌋, and at
most τ below it: an interval errs by being too wide.

References
----------
Guo et al., On Calibration of Modern Neural Networks (2017). Romano, Patterson and Candès, Conformalized Quantile
Regression (2019), theorem 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..._support.checks import Array
from ...losses import Loss

PRIOR = 0.3  # σ
LARGEST, STEPS = 3.0, 25  # of |u|, and of the bisection


def inverse_temperature(loss: Loss, y: Array, z: Array, weight: Array | None) -> float:
    """Return β for classes y and logits z (N, K)."""
    low, high = -LARGEST, LARGEST
    for _ in range(STEPS):
        u = (low + high) / 2
        beta = math.exp(u)
        slope = len(y) * beta * float((loss(beta * z, y, weight)[1] * z).sum()) + u / PRIOR**2
        low, high = (u, high) if slope < 0 else (low, u)
    return math.exp((low + high) / 2)


def conformal_shift(above: Array, levels: Sequence[float], weight: Array | None) -> Array:
    """Return s (D, Q) for y − q of n rows and D targets (n, D, Q); weights say how much of n a row is."""
    count = np.ones(len(above)) if weight is None else weight * (len(above) / weight.sum())
    shift = np.empty(above.shape[1:])
    for target, place in np.ndindex(shift.shape):
        order = np.argsort(above[:, target, place], kind="stable")
        level, rank = levels[place], np.cumsum(count[order])
        wanted = (len(above) + 1) * level
        k = np.searchsorted(rank, wanted) if level >= 0.5 else np.searchsorted(rank, wanted, side="right") - 1
        shift[target, place] = above[order[np.clip(k, 0, len(above) - 1)], target, place]
    return shift
