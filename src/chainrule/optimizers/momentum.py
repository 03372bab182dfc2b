"""Optimizers that follow the gradient or its momentum, as it is or its sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._support.checks import Array, sentence
from .._support.settings import FRACTION, Checks
from ..schedules import Schedule
from .base import Optimizer
from .checks import check_betas
from .rule import Coefficients, Scratch, Slots, approach

__all__ = ["SGD", "Lion"]


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
