"""Muon: for a weight matrix, the orthogonal matrix nearest to the momentum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .._support.checks import Array, check_integer, sentence
from .._support.settings import ABOVE_ZERO, FRACTION, Checks
from ..schedules import Schedule
from .adaptive import adam_coefficients, adam_direction
from .base import Optimizer
from .checks import NEEDS_SETUP
from .groups import divide
from .rule import Coefficients, Scratch, Slots, approach
from .settings import check_betas

__all__ = ["Muon"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # the steepest start, at the price of σ near 1 rather than at 1


@dataclass(eq=False, repr=False)
class Muon(Optimizer):
    """Moves a weight matrix in all its directions alike: the momentum with its singular values set to about 1.

        M ← μ M + (1 − μ) G
        D = (1 − μ) G + μ M                         Nesterov; without it D = M
        X = D / ‖D‖;  five times  X ← a X + (b A + c A²) X,  A = XXᵀ
        W ← W − η · 0.2 √max(I, O) · X

    The iteration drives each singular value above ‖D‖/300 to about 1 (0.68 to 1.21), so X ≈ UVᵀ where D = USVᵀ.
    With the factor 0.2 √max(I, O) the update has the root mean square of an AdamW update, so one learning rate and one
    weight decay serve both: biases, gains and all other arrays that are not matrices are updated as by :class:`AdamW`.
    Call :meth:`Optimizer.setup` first, which gives it the shapes. It computes in the dtype of the parameters.

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    momentum : float in [0, 1)
        Momentum μ.
    nesterov : bool
        Whether to look ahead.
    iterations : int, >= 1
        Number of Newton–Schulz iterations.
    betas : pair of floats in [0, 1)
        Decays of the running means of the AdamW inside.
    epsilon : float, > 0
        Small number in the divisor of the AdamW inside.
    weight_decay, clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Attributes
    ----------
    state : dict
        ``"mean"``: M, and AdamW's m; ``"square"``: AdamW's v, zero for matrices.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> parameters = cr.Parameters({"0.W": (2, 2), "0.b": (2,)}, dtype="float64")
    >>> muon = cr.Muon(1.0, weight_decay=0.0)
    >>> muon.setup(parameters)
    >>> muon.step(parameters.vector, np.array([5.0, 0.0, 0.0, -9.0, 4.0, -4.0]))
    >>> bool(np.allclose(np.abs(parameters["0.W"].diagonal()), 0.2 * 2**0.5, rtol=0.3))
    True
    >>> parameters["0.b"].round(6)
    array([-1.,  1.])

    References
    ----------
    Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024);
    Liu et al., Muon is Scalable for LLM Training (2025), section 2.2, for the factor 0.2 √max(I, O).
    """

    _checks: ClassVar[Checks] = {
        **Optimizer._checks,
        "momentum": FRACTION,
        "iterations": check_integer,
        "betas": check_betas,
        "epsilon": ABOVE_ZERO,
    }

    learning_rate: float | Schedule = 1e-3
    momentum: float = 0.95
    nesterov: bool = True
    iterations: int = 5
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float | Schedule = field(default=0.01, kw_only=True)

    def _forget_model(self) -> None:
        super()._forget_model()
        self._matrices: dict[int, tuple[int, int]] = {}
        self._grams: Array = np.empty((2, 0))

    def slots(self) -> dict[str, float]:
        """The mean and the mean square."""
        return {"mean": 0.0, "square": 0.0}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """Those of AdamW."""
        return adam_coefficients(t, self.betas, self.epsilon)

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The direction of AdamW, for everything but matrices."""
        return adam_direction(g, state, scratch, coefficients)

    def _check_vector(self, who: str, vector: Any, slots: Mapping[str, float]) -> None:
        super()._check_vector(who, vector, slots)
        if self._layout is None:
            raise ValueError(sentence(who, "to know the shapes of the parameters", "none", NEEDS_SETUP))

    def _divide(self, itemsize: int) -> list[tuple[slice, float, float]]:
        """Each matrix is one block; what lies between is divided as in every optimizer."""
        blocks: list[tuple[slice, float, float]] = []
        self._matrices = {}
        for run, shape in self._layout or []:
            if len(shape) == 2:
                start, stop, rate, shrink = run
                self._matrices[start] = (shape[0], shape[1])
                blocks.append((slice(start, stop), rate, shrink))
            else:
                blocks += divide(run, itemsize)
        side = max((min(shape) for shape in self._matrices.values()), default=0)
        self._grams = np.empty((2, side * side), f"f{itemsize}")
        return blocks

    def _block_direction(
        self, block: slice, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients
    ) -> Array:
        shape = self._matrices.get(block.start)
        if shape is None:
            return super()._block_direction(block, g, state, scratch, coefficients)
        (d, s), m = scratch, state["mean"]
        approach(m, g, 1 - self.momentum, d)
        np.copyto(d, m)
        if self.nesterov:
            approach(d, g, 1 - self.momentum, s)
        side = min(shape)
        gram, square = self._grams[:, : side * side].reshape(2, side, side)
        _orthogonalize(d.reshape(shape), s.reshape(shape), gram, square, self.iterations)
        d *= 0.2 * math.sqrt(max(shape))
        return d


def _orthogonalize(x: Array, spare: Array, gram: Array, square: Array, iterations: int) -> None:
    """Set the singular values of x to about 1, in place, by Newton and Schulz: X ← a X + (b A + c A²) X, A = XXᵀ."""
    a, b, c = COEFFICIENTS
    if x.shape[0] > x.shape[1]:
        x, spare = x.T, spare.T  # the same singular values, the smaller A
    x /= max(float(np.linalg.norm(x)), 1e-30)  # a gradient of zeros stays one
    for _ in range(iterations):
        np.matmul(x, x.T, out=gram)
        np.matmul(gram, gram, out=square)
        square *= c
        gram *= b
        square += gram
        np.matmul(square, x, out=spare)
        x *= a
        x += spare
