"""The rule of an optimizer: what it remembers, the numbers of a step, and the direction. This is what an author writes.

What applies it, with rates, decay, clipping, groups and state, stands in ``base.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .._support.checks import Array
from .._support.overrides import note_methods, states

Slots: TypeAlias = Mapping[str, Array]
Scratch: TypeAlias = Sequence[Array]
Coefficients: TypeAlias = tuple[float, ...]

EQUATIONS = ("slots", "direction", "step")  # what a kernel takes the place of


class Rule(ABC):
    """An update w ← w − η d as a direction d; subclass :class:`Optimizer`, which applies it."""

    #: The compiled kernel that computes what the methods beside it do.
    kernel: ClassVar[str | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        note_methods(cls, *EQUATIONS)

    def slots(self) -> dict[str, float]:
        """Name and first value of each array that the optimizer remembers; here none."""
        return {}

    def coefficients(self, t: int, rate: float) -> Coefficients:
        """The numbers of a step, always as many, for :meth:`direction` and for the kernel; here none.

        They are worked out in double precision, once for a whole step.

        Parameters
        ----------
        t : int
            The step, counted from 1.
        rate : float
            η of this step, before any factor of a group; the direction is multiplied by it afterwards.

        Returns
        -------
        tuple of float
            The numbers.
        """
        return ()

    @abstractmethod
    def direction(self, g: Array, state: Slots, scratch: Scratch, coefficients: Coefficients) -> Array:
        """The direction d of a block of the vector: w ← w − η d.

        Parameters
        ----------
        g : array (B,)
            The gradient, clipped; not to be modified.
        state : dict of name to array (B,)
            The block's part of each array that :meth:`slots` names, to be updated in place.
        scratch : two arrays (B,)
            Room for what is computed on the way.
        coefficients : tuple of float
            What :meth:`coefficients` gave for this step.

        Returns
        -------
        array (B,)
            The direction: a new array, or any of those given.
        """


def rule_kernel(rule: Rule) -> str | None:
    """The rule's kernel; None also where a class or the object itself changes what it computes."""
    return rule.kernel if states(rule, "kernel", EQUATIONS) else None


def approach(mean: Array, target: Array, weight: float, scratch: Array) -> None:
    """mean ← (1 − weight) · mean + weight · target, in place; ``scratch`` may be the target."""
    np.subtract(target, mean, out=scratch)
    scratch *= weight
    mean += scratch
