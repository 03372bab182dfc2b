"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._support.checks import Array, sentence
from .._support.settings import FRACTION, Checks
from .base import Optimizer
from .rule import Coefficients, Scratch, Slots

__all__ = ["SGD"]


@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """Gradient descent, with momentum, dampening and Nesterov's look ahead where asked for.

        v ← μ v + (1 − τ) g,  v = 0 at first
        w ← w − η v                     or, with Nesterov,  w ← w − η (g + μ v)

    Without momentum w ← w − η g. With dampening τ = μ the velocity is the running mean v ← μ v + (1 − μ) g. PyTorch's
    rule is the same but for one exception that we do not make: its first step leaves out the dampening.

    Parameters
    ----------
    learning_rate : float or schedule
        η
    momentum : float in [0, 1)
        μ
    dampening : float in [0, 1)
        τ
    nesterov : bool
        Needs momentum, and no dampening.
    weight_decay, clip_norm, clip_value, groups
        As :class:`Optimizer` says.

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
        """μ, 1 − τ, and what v weighs beside g: μ with Nesterov, else nothing."""
        return self.momentum, 1 - self.dampening, self.momentum if self.nesterov else 0.0

    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """g, v or g + μ v."""
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
