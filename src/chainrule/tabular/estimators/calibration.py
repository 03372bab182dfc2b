"""Calibrate a classifier: one factor for all logits, so that its probabilities fit the validation rows.

    L(β) = mean over rows of l(β z, y),          dL/dβ = Σ ∂l/∂(β z) · z

β = eᵘ minimises n L(β) + u² / (2 σ²): the second term, of a normal prior, keeps few rows from deciding. Bisection finds
where the derivative by u, which is n β dL/dβ + u / σ², changes its sign. The class with the largest logit stays.

References
----------
Guo et al., On Calibration of Modern Neural Networks (2017).
"""

from __future__ import annotations

import math

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
