"""Optimizers that give each parameter a step size of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np

from .._support.checks import Array
from .._support.settings import ABOVE_ZERO, AT_LEAST_ZERO, FRACTION, Checks
from ..schedules import Schedule
from .base import Optimizer
from .checks import check_betas
from .rule import Coefficients, Scratch, Slots, approach

__all__ = ["Adagrad", "Adam", "AdamW", "NAdam", "RMSprop"]


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """Gradient divided by the root of its running mean square.

        v ← ρ v + (1 − ρ) g²
        d = g / (√v + ε)                                         w ← w − η d
        with momentum:  b ← μ b + d                              w ← w − η b

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    rho : float in [0, 1)
        Decay ρ of the running mean square; PyTorch's ``alpha``.
    momentum : float in [0, 1)
        Momentum μ.
    epsilon : float, > 0
        Small number ε that keeps the divisor from 0.
    weight_decay, clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Attributes
    ----------
    state : dict
        ``"square"``: v; ``"velocity"``: b, if there is momentum.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> w = np.array([1.0])
    >>> cr.RMSprop(0.1, rho=0.75).step(w, np.array([4.0]))  # v = 4, so d = 4 / 2
    >>> w.round(6)
    array([0.8])

    References
    ----------
    Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5 (2012).
    """

    kernel = "rmsprop"
    _checks: ClassVar[Checks] = {
        **Optimizer._checks,
        "rho": FRACTION,
        "momentum": FRACTION,
        "epsilon": ABOVE_ZERO,
    }

    rho: float = 0.99
    momentum: float = 0.0
    epsilon: float = 1e-8

    def slots(self) -> dict[str, float]:
        return {"square": 0.0, "velocity": 0.0} if self.momentum else {"square": 0.0}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The numbers 1 − ρ, ε and μ."""
        return 1 - self.rho, self.epsilon, self.momentum

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The quotient g / (√v + ε), or with momentum the velocity b."""
        (weight, epsilon, momentum), (d, _), v = coefficients, scratch, state["square"]
        approach(v, np.multiply(g, g, out=d), weight, d)
        np.sqrt(v, out=d)
        d += epsilon
        np.divide(g, d, out=d)
        if "velocity" not in state:
            return d
        b = state["velocity"]
        b *= momentum
        b += d
        return b


@dataclass(eq=False, repr=False)
class Adagrad(Optimizer):
    """Gradient divided by the root of the sum of all its squares so far.

        v ← v + g²,  v = v₀ at first
        w ← w − η g / (√v + ε)

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    initial_accumulator : float, >= 0
        First value v₀ of the sum of squares.
    epsilon : float, > 0
        Small number ε that keeps the divisor from 0.
    weight_decay, clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Attributes
    ----------
    state : dict
        ``"square"``: v.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> w, adagrad = np.array([1.0]), cr.Adagrad(0.1)
    >>> adagrad.step(w, np.array([3.0]))  # 1 − 0.1 · 3/3
    >>> adagrad.step(w, np.array([4.0]))  # 0.9 − 0.1 · 4/5
    >>> w.round(6)
    array([0.82])

    References
    ----------
    Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning (2011), section 1.1.
    """

    kernel = "adagrad"
    _checks: ClassVar[Checks] = {**Optimizer._checks, "initial_accumulator": AT_LEAST_ZERO, "epsilon": ABOVE_ZERO}

    initial_accumulator: float = 0.0
    epsilon: float = 1e-10

    def slots(self) -> dict[str, float]:
        return {"square": self.initial_accumulator}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The number ε."""
        return (self.epsilon,)

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The quotient g / (√v + ε)."""
        (epsilon,), (d, _), v = coefficients, scratch, state["square"]
        v += np.multiply(g, g, out=d)
        np.sqrt(v, out=d)
        d += epsilon
        return np.divide(g, d, out=d)


class Moments(Optimizer):
    """The running means of Adam; no dataclass, so that a subclass orders its arguments itself."""

    betas: tuple[float, float]
    epsilon: float

    def slots(self) -> dict[str, float]:
        return {"mean": 0.0, "square": 0.0}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The numbers 1 − β₁, 1 − β₂, and a, b such that m̂ / (√v̂ + ε) = m / (a √v + b)."""
        beta1, beta2 = self.betas
        c = 1 - beta1**t
        return 1 - beta1, 1 - beta2, c / math.sqrt(1 - beta2**t), c * self.epsilon

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The quotient m̂ / (√v̂ + ε)."""
        (weight1, weight2, a, b), (d, _), m, v = coefficients, scratch, state["mean"], state["square"]
        approach(m, g, weight1, d)
        approach(v, np.multiply(g, g, out=d), weight2, d)
        np.sqrt(v, out=d)
        d *= a
        d += b
        return np.divide(m, d, out=d)


@dataclass(eq=False, repr=False)
class Adam(Moments):
    """Running mean of the gradient divided by the root of its running mean square, both corrected for their start.

        m ← β₁ m + (1 − β₁) g            m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²           v̂ = v / (1 − β₂ᵗ)
        w ← w − η m̂ / (√v̂ + ε)           t = 1, 2, ...

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    betas : pair of floats in [0, 1)
        Decays β₁ and β₂ of the running means.
    epsilon : float, > 0
        Small number ε that keeps the divisor from 0.
    weight_decay, clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Attributes
    ----------
    state : dict
        ``"mean"``: m; ``"square"``: v.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> w = np.array([1.0, 1.0])
    >>> cr.Adam(0.1).step(w, np.array([1e-3, -1e3]))  # the first step is η wide, whatever the gradient's scale
    >>> w.round(5)
    array([0.9, 1.1])

    References
    ----------
    Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1.
    """

    kernel = "adam"
    _checks: ClassVar[Checks] = {**Optimizer._checks, "betas": check_betas, "epsilon": ABOVE_ZERO}

    learning_rate: float | Schedule = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8


@dataclass(eq=False, repr=False)
class AdamW(Adam):
    """:class:`Adam` with weight decay, which here is decoupled in every optimizer: only the default differs.

        w ← w − η λ w
        w ← w − η m̂ / (√v̂ + ε)

    Parameters
    ----------
    learning_rate, betas, epsilon : optional
        As in :class:`Adam`.
    weight_decay : float or schedule
        Weight decay λ.
    clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> w = np.array([2.0])
    >>> cr.AdamW(0.1, weight_decay=0.5).step(w, np.array([0.0]))  # 2 − 0.1 · 0.5 · 2
    >>> w
    array([1.9])

    References
    ----------
    Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019), algorithm 2.
    """

    weight_decay: float | Schedule = field(default=0.01, kw_only=True)


@dataclass(eq=False, repr=False)
class NAdam(Adam):
    """:class:`Adam` that looks ahead as Nesterov does, with a momentum μ that grows from about ½β₁ to β₁.

        μₜ = β₁ (1 − ½ · 0.96^(ψ t)),  Πₜ = μ₁ μ₂ ⋯ μₜ
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²,  v̂ = v / (1 − β₂ᵗ)
        w ← w − η (g (1 − μₜ)/(1 − Πₜ) + m μₜ₊₁/(1 − Πₜ₊₁)) / (√v̂ + ε)

    Parameters
    ----------
    learning_rate : float or schedule
        Learning rate η.
    betas : pair of floats in [0, 1)
        Decays β₁ and β₂ of the running means.
    epsilon : float, > 0
        Small number ε that keeps the divisor from 0.
    momentum_decay : float, >= 0
        How fast the momentum grows: ψ.
    weight_decay, clip_norm, clip_value, groups : optional
        As in :class:`Optimizer`.

    Attributes
    ----------
    state : dict
        ``"mean"``: m; ``"square"``: v.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> w, nadam = np.array([3.0]), cr.NAdam(0.1)
    >>> for _ in range(200):
    ...     nadam.step(w, 2 * w)
    >>> bool(abs(w[0]) < 1e-3)
    True

    References
    ----------
    Dozat, Incorporating Nesterov Momentum into Adam (2016), algorithm 2, with the schedule of its section 3; PyTorch.
    """

    kernel = "nadam"
    _checks: ClassVar[Checks] = {**Adam._checks, "momentum_decay": AT_LEAST_ZERO}

    learning_rate: float | Schedule = 2e-3
    momentum_decay: float = 0.004

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The numbers 1 − β₁, 1 − β₂, and p, q, r such that (g a + m b) / (√v̂ + ε) = (g + r m) / (p √v + q)."""
        beta1, beta2 = self.betas
        a = (1 - _momentum(t, beta1, self.momentum_decay)) / (1 - _product(t, beta1, self.momentum_decay))
        b = _momentum(t + 1, beta1, self.momentum_decay) / (1 - _product(t + 1, beta1, self.momentum_decay))
        return 1 - beta1, 1 - beta2, 1 / (a * math.sqrt(1 - beta2**t)), self.epsilon / a, b / a

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The quotient (g + r m) / (p √v + q)."""
        (weight1, weight2, p, q, r), (d, s), m, v = coefficients, scratch, state["mean"], state["square"]
        approach(m, g, weight1, d)
        approach(v, np.multiply(g, g, out=d), weight2, d)
        np.sqrt(v, out=d)
        d *= p
        d += q
        np.multiply(m, r, out=s)
        s += g
        return np.divide(s, d, out=d)


def _momentum(t: int, beta1: float, decay: float) -> float:
    return beta1 * (1 - 0.5 * math.pow(0.96, t * decay))


@lru_cache(maxsize=64)
def _product(t: int, beta1: float, decay: float) -> float:
    """Πₜ <= β₁ᵗ, or 0 where 1 − Πₜ is 1 anyhow."""
    if t == 0 or beta1**t < 1e-17:
        return float(t == 0)
    before = t & (t - 1)  # known from an earlier step, and few factors back: half of log₂ t in the mean
    product = _product(before, beta1, decay)
    for i in range(before + 1, t + 1):
        product *= _momentum(i, beta1, decay)
    return product
