"""Rates that stay, or fall for ever: they need not know where training ends."""

from __future__ import annotations

import math

from .._support.checks import check_integer
from .._support.settings import ABOVE_ZERO, AT_LEAST_ZERO, checking, frozen

__all__ = ["Constant", "Exponential", "InverseScaling", "StepDecay"]


@frozen
@checking(rate=AT_LEAST_ZERO)
class Constant:
    """The same rate at every step.

        η = rate

    Parameters
    ----------
    rate : float, >= 0
        The rate.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.Constant(0.1)(1000, None)
    0.1
    """

    rate: float

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        return self.rate


@frozen
@checking(rate=AT_LEAST_ZERO, factor=ABOVE_ZERO, every=check_integer)
class StepDecay:
    """A rate multiplied by a factor every so many steps.

        η = rate · factor^⌊step / every⌋

    Parameters
    ----------
    rate : float, >= 0
        The rate of the first step.
    factor : float, > 0
        What the rate is multiplied by.
    every : int, >= 1
        Number of steps after which it is.

    Examples
    --------
    >>> import chainrule as cr
    >>> halved = cr.schedules.StepDecay(0.8, factor=0.5, every=10)
    >>> halved(9), halved(10), halved(20)
    (0.8, 0.4, 0.2)
    """

    rate: float
    factor: float = 0.1
    every: int = 1000

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        return self.rate * math.pow(self.factor, step // self.every)


@frozen
@checking(rate=AT_LEAST_ZERO, decay=ABOVE_ZERO, every=check_integer)
class Exponential:
    """A rate that decays smoothly, by a factor of ``decay`` over ``every`` steps.

        η = rate · decay^(step / every)

    Parameters
    ----------
    rate : float, >= 0
        The rate of the first step.
    decay : float, > 0
        Factor by which the rate changes over ``every`` steps.
    every : int, >= 1
        Number of steps for one factor.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.Exponential(1.0, decay=0.25, every=10)(5)
    0.5
    """

    rate: float
    decay: float
    every: int = 1

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        return self.rate * math.pow(self.decay, step / self.every)


@frozen
@checking(rate=AT_LEAST_ZERO, power=AT_LEAST_ZERO)
class InverseScaling:
    """A rate that falls as a power of the step.

        η = rate / (step + 1)^power

    scikit-learn's ``invscaling`` has the same form, but counts samples and changes the rate once an epoch.

    Parameters
    ----------
    rate : float, >= 0
        The rate of the first step.
    power : float, >= 0
        How fast the rate falls: at 1 it halves whenever the number of steps doubles, at 0 it stays.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.InverseScaling(1.0, power=0.5)(99)
    0.1
    """

    rate: float
    power: float = 0.5

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        return self.rate / math.pow(step + 1, self.power)
