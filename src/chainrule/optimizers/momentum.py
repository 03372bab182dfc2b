"""Optimizers that follow the gradient or its momentum: as it is, its sign, or the nearest orthogonal matrix."""

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
from .checks import NEEDS_SETUP, check_betas, divide
from .rule import Coefficients, Scratch, Slots, approach

__all__ = ["SGD", "Lion", "Muon"]


@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """Gradient descent, optionally with momentum, dampening and Nesterov's look ahead.

        v ← μ v + (1 − τ) g,  v = 0 at first
        w ← w − η v                     or, with Nesterov,  w ← w − η (g + μ v)

    Without momentum w ← w − η g. With dampening τ = μ the velocity is the running mean v ← μ v + (1 − μ) g. PyTorch
    has the same rule, except that its first step leaves out the dampening.

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    momentum : float in [0, 1)
        Momentum μ.
    dampening : float in [0, 1)
        Dampening τ of the gradient in the velocity.
    nesterov : bool
        Whether to look ahead; this needs momentum, and no dampening.
    weight_decay, clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Attributes
    ----------
    state : dict
        ``"velocity"``: v, if there is momentum.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> w, sgd = np.array([1.0]), cr.SGD(0.1, momentum=0.5)
    >>> for _ in range(2):
    ...     sgd.step(w, np.array([2.0]))
    >>> w  # 1 − 0.1 · 2 − 0.1 · 3
    array([0.5])

    References
    ----------
    Sutskever, Martens, Dahl and Hinton, On the importance of initialization and momentum in deep learning (2013).
    """

    kernel = "sgd"
    _checks: ClassVar[Checks] = {**Optimizer._checks, "momentum": FRACTION, "dampening": FRACTION}

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_together()

    def _check_together(self, name: str = "", value: Any = None) -> None:
        """Nesterov needs momentum, and no dampening."""
        found = vars(self) | {name: value}
        if found["nesterov"] and (found["momentum"] == 0 or found["dampening"] != 0):
            got = f"momentum={found['momentum']} and dampening={found['dampening']}"
            raise ValueError(sentence("SGD(nesterov=True)", "momentum above 0 and no dampening", got))

    def slots(self) -> dict[str, float]:
        """The velocity, if there is momentum."""
        return {"velocity": 0.0} if self.momentum else {}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The numbers μ, 1 − τ, and the weight of v beside g: μ with Nesterov, else 0."""
        return self.momentum, 1 - self.dampening, self.momentum if self.nesterov else 0.0

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The gradient g, the velocity v, or g + μ v."""
        if "velocity" not in state:
            return g
        (momentum, weight, ahead), (d, _), v = coefficients, scratch, state["velocity"]
        v *= momentum
        v += np.multiply(g, weight, out=d)
        if not ahead:
            return v
        np.multiply(v, ahead, out=d)
        d += g
        return d


@dataclass(eq=False, repr=False)
class Lion(Optimizer):
    """Moves every parameter by the same amount, in the direction of the sign of its momentum.

        d = sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g
        w ← w − η d

    A good learning rate is three to ten times smaller than for :class:`AdamW`, and a good weight decay as many times
    larger.

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    betas : pair of floats in [0, 1)
        Decays β₁ and β₂ of the running means.
    weight_decay, clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Attributes
    ----------
    state : dict
        ``"mean"``: m.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> w = np.array([1.0, 1.0, 1.0])
    >>> cr.Lion(0.25).step(w, np.array([1e-3, -1e3, 0.0]))
    >>> w
    array([0.75, 1.25, 1.  ])

    References
    ----------
    Chen et al., Symbolic Discovery of Optimization Algorithms (2023), algorithm 2.
    """

    kernel = "lion"
    _checks: ClassVar[Checks] = {**Optimizer._checks, "betas": check_betas}

    learning_rate: float | Schedule = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)

    def slots(self) -> dict[str, float]:
        """The mean."""
        return {"mean": 0.0}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The numbers 1 − β₁ and 1 − β₂."""
        return 1 - self.betas[0], 1 - self.betas[1]

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The sign of β₁ m + (1 − β₁) g."""
        (now, later), (d, s), m = coefficients, scratch, state["mean"]
        np.subtract(g, m, out=d)
        d *= now
        d += m
        approach(m, g, later, s)
        return np.sign(d, out=s)  # in place it is three times slower


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
