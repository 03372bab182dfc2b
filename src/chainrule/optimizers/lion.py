"""Lion: only the sign of the momentum counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._support.checks import Array
from .._support.settings import Checks
from ..schedules import Schedule
from .base import Optimizer
from .rule import Coefficients, Scratch, Slots, approach
from .settings import check_betas

__all__ = ["Lion"]


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
