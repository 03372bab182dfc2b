"""Optimizers that look at each weight matrix as a whole: at its norm, or at its singular values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .._support.checks import Array, check_integer, sentence
from .._support.settings import ABOVE_ZERO, FRACTION, Checks, optional
from ..schedules import Schedule
from .adaptive import Moments
from .base import Optimizer, square_norm
from .checks import NEEDS_SETUP, check_betas
from .rule import Coefficients, Scratch, Slots, approach

__all__ = ["LAMB", "LARS", "Muon"]


class Arraywise(Optimizer):
    """An optimizer that takes each parameter array in one block, and knows its shape from :meth:`setup`."""

    def _forget_model(self) -> None:
        super()._forget_model()
        self._arrays: dict[int, tuple[tuple[int, ...], float]] = {}  # by start: the shape, and the factor on λ

    def _check_vector(self, who: str, vector: Any, slots: Mapping[str, float]) -> None:
        super()._check_vector(who, vector, slots)
        if self._layout is None:
            raise ValueError(sentence(who, "to know the shapes of the parameters", "none", NEEDS_SETUP))

    def _divide(self, itemsize: int) -> list[tuple[slice, float, float]]:
        held = [(run, shape) for run, shape in self._layout or [] if run[1] > run[0]]
        self._arrays = {start: (shape, shrink / rate if rate else 0.0) for (start, _, rate, shrink), shape in held}
        return [(slice(start, stop), rate, shrink) for (start, stop, rate, shrink), _ in held]


@dataclass(eq=False, repr=False)
class Layerwise(Arraywise):
    """What LARS and LAMB share: the decay λ is a part of the update, and the trust ratio scales both."""

    _checks: ClassVar[Checks] = {**Optimizer._checks, "clip_ratio": optional(ABOVE_ZERO)}

    clip_ratio: float | None = field(default=None, kw_only=True)

    def _walk(self, numbers: tuple[float, ...], *others: Any) -> None:
        rate, _, *coefficients = numbers
        self._decay = self._now("weight_decay", self.steps_taken - 1)
        super()._walk((rate, 0.0, *coefficients), *others)  # nothing shrinks before the update

    def _add_decay(self, block: slice, w: Array, update: Array, out: Array) -> float:
        """Write update + λ w to ``out``; return the λ of this array."""
        decay = self._decay * self._arrays[block.start][1]
        np.multiply(w, decay, out=out)
        np.add(out, update, out=out)
        return decay

    def _ratio(self, block: slice, norm: float, length: float) -> float:
        """The quotient of two norms, 1 where one of them is 0, clipped; 1 for biases and gains."""
        if len(self._arrays[block.start][0]) < 2:
            return 1.0
        return min(norm / length if norm > 0 and length > 0 else 1.0, self.clip_ratio or math.inf)


def _norm(x: Array) -> float:
    return math.sqrt(square_norm([x]))


@dataclass(eq=False, repr=False)
class LARS(Layerwise):
    """Momentum whose step in each weight matrix is a fixed share of the matrix's norm, for very large batches.

        r = κ ‖w‖ / (‖g‖ + λ ‖w‖)          of each array: layer-wise adaptive rate scaling
        v ← μ v + r (g + λ w)
        w ← w − η v

    The ratio r is 1 for arrays of one axis (biases and gains) and where w or g + λ w is zero. The rate η stands outside
    the velocity, as in :class:`SGD`; where it is constant, this is the paper's rule. Good rates are about 1 to 30, too
    large for biases without normalization: ``groups={"*.b": {"learning_rate_factor": 0.01}}``. Use a warm-up. Call
    :meth:`Optimizer.setup` first, which gives it the shapes.

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    momentum : float in [0, 1)
        Momentum μ.
    trust_coefficient : float, > 0
        The share κ.
    weight_decay : float or schedule
        Weight decay λ; here a part of the update, as in the paper.
    clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.
    clip_ratio : float, optional
        Upper bound of r in weight matrices; with 1, none moves faster than by :class:`SGD` (LARC).

    Attributes
    ----------
    state : dict
        ``"velocity"``: v.

    Examples
    --------
    >>> import chainrule as cr
    >>> parameters = cr.Parameters({"0.W": (1, 2), "0.b": (2,)}, dtype="float64")
    >>> parameters.vector[:] = [3.0, 4.0, 1.0, 1.0]
    >>> lars = cr.LARS(10.0, trust_coefficient=0.01)
    >>> lars.setup(parameters)
    >>> lars.step(parameters.vector, parameters.vector / 10)  # W: 10 · 0.01 · ‖w‖ along g, b: 10 · g
    >>> parameters.vector.round(6)
    array([2.7, 3.6, 0. , 0. ])

    References
    ----------
    You, Gitman and Ginsburg, Large Batch Training of Convolutional Networks (2017), algorithm 1.
    """

    _checks: ClassVar[Checks] = {**Layerwise._checks, "momentum": FRACTION, "trust_coefficient": ABOVE_ZERO}

    learning_rate: float | Schedule = 1.0
    momentum: float = 0.9
    trust_coefficient: float = 1e-3

    def slots(self) -> dict[str, float]:
        return {"velocity": 0.0}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The number μ."""
        return (self.momentum,)

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The velocity v, given r (g + λ w) for g."""
        v = state["velocity"]
        v *= coefficients[0]
        v += g
        return v

    def _block_direction(
        self, block: slice, w: Array, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients
    ) -> Array:
        u, norm = scratch[0], _norm(w)
        decay = self._add_decay(block, w, g, out=u)
        u *= self._ratio(block, self.trust_coefficient * norm, _norm(g) + decay * norm)
        return self.direction(u, state, scratch, coefficients)


@dataclass(eq=False, repr=False)
class LAMB(Layerwise, Moments):
    """:class:`Adam` whose step in each weight matrix is as long as the matrix's norm times η, for very large batches.

        m ← β₁ m + (1 − β₁) g            m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²           v̂ = v / (1 − β₂ᵗ)
        u = m̂ / (√v̂ + ε) + λ w
        w ← w − η r u                    r = ‖w‖ / ‖u‖ of each array

    The ratio r is 1 for arrays of one axis (biases and gains) and where w or u is zero. Use a warm-up. Call
    :meth:`Optimizer.setup` first, which gives it the shapes.

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    betas : pair of floats in [0, 1)
        Decays β₁ and β₂ of the running means.
    epsilon : float, > 0
        Small number ε that keeps the divisor from 0.
    weight_decay : float or schedule
        Weight decay λ; here a part of the update, as in the paper.
    clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.
    clip_ratio : float, optional
        Upper bound of r in weight matrices.

    Attributes
    ----------
    state : dict
        ``"mean"``: m; ``"square"``: v.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> parameters = cr.Parameters({"0.W": (1, 2), "0.b": (2,)}, dtype="float64")
    >>> parameters.vector[:] = [3.0, 4.0, 1.0, 1.0]
    >>> lamb = cr.LAMB(0.1, weight_decay=0.0)
    >>> lamb.setup(parameters)
    >>> lamb.step(parameters.vector, np.array([7.0, -7.0, 7.0, -7.0]))  # W: by 0.1 · 5 in all, b: by 0.1 each
    >>> parameters.vector.round(3)
    array([2.646, 4.354, 0.9  , 1.1  ])

    References
    ----------
    You et al., Large Batch Optimization for Deep Learning (2020), algorithm 2, with φ(z) = z.
    """

    _checks: ClassVar[Checks] = {**Layerwise._checks, "betas": check_betas, "epsilon": ABOVE_ZERO}

    learning_rate: float | Schedule = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-6
    weight_decay: float | Schedule = field(default=0.01, kw_only=True)

    def _block_direction(
        self, block: slice, w: Array, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients
    ) -> Array:
        u = self.direction(g, state, scratch, coefficients)
        d = scratch[u is scratch[0]]  # the one that is free
        self._add_decay(block, w, u, out=d)
        d *= self._ratio(block, _norm(w), _norm(d))
        return d


COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # the steepest start, at the price of σ near 1 rather than at 1


@dataclass(eq=False, repr=False)
class Muon(Arraywise, Moments):
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
        self._grams: Array = np.empty((2, 0))

    def _divide(self, itemsize: int) -> list[tuple[slice, float, float]]:
        blocks = super()._divide(itemsize)
        side = max((min(shape) for shape, _ in self._arrays.values() if len(shape) == 2), default=0)
        self._grams = np.empty((2, side * side), f"f{itemsize}")
        return blocks

    def _block_direction(
        self, block: slice, w: Array, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients
    ) -> Array:
        shape, _ = self._arrays[block.start]
        if len(shape) != 2:
            return self.direction(g, state, scratch, coefficients)
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
