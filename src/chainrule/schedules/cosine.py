"""Rates along cosines, fitted to the number of steps that training takes."""

from __future__ import annotations

import math

import numpy as np

from .._support.checks import check_integer, check_number, sentence
from .._support.settings import ABOVE_ZERO, AT_LEAST_ZERO, FRACTION, checking, frozen

__all__ = ["CosLog4", "FlatCos", "OneCycle", "WarmupCosine"]


def check_total(schedule: object, total_steps: int | None) -> int:
    """The number of steps, or an error that says how a schedule comes to know it."""
    if total_steps is None:
        raise ValueError(
            sentence(
                type(schedule).__name__,
                "total_steps, the number of steps that training will take",
                "None",
                "Trainer.fit fills it in; by hand: optimizer.setup(parameters, total_steps=...)",
            )
        )
    return check_integer(type(schedule).__name__, "total_steps", total_steps)


def elapsed(schedule: object, step: int, total_steps: int | None) -> float:
    """t = step / total_steps, and 1 past the end."""
    return min(step / check_total(schedule, total_steps), 1.0)


def cosine(start: float, end: float, progress: float) -> float:
    """end + (start − end) · ½(1 + cos(π progress)): from start at 0 to end at 1."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))


def _check_warmup(who: str, name: str, warmup: float | int) -> float | int:
    """A share of all steps, or a number of them."""
    if isinstance(warmup, (int, np.integer)) and not isinstance(warmup, bool):
        return check_integer(who, name, warmup, minimum=0)
    share = check_number(who, name, warmup, minimum=0)
    if share >= 1:
        expected = f"{name} as a share of all steps in [0, 1) or as an int, the number of steps"
        raise ValueError(sentence(who, expected, repr(share), f"write {name}={math.ceil(share)} for that many steps"))
    return share


@frozen
@checking(rate=AT_LEAST_ZERO, warmup=_check_warmup, final=AT_LEAST_ZERO)
class WarmupCosine:
    """A straight climb to the rate, then half a cosine down to the final rate.

        η = rate · (step + 1) / warmup                           while step < warmup (in steps)
        η = final + (rate − final) · ½(1 + cos(π s)),            s = (step − warmup) / (total_steps − warmup)

    The climb starts at rate/warmup rather than 0: a step at rate 0 would learn nothing.

    Parameters
    ----------
    rate : float, >= 0
        The highest rate.
    warmup : float in [0, 1) or int
        As a float the share of all steps (rounded to whole steps), as an int of 1 or more the number of steps.
    final : float, >= 0
        The rate at the end, as a rate and not as a share.

    Examples
    --------
    >>> import chainrule as cr
    >>> schedule = cr.schedules.WarmupCosine(1.0, warmup=4)
    >>> [round(schedule(step, 8), 2) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.85, 0.5, 0.15]

    References
    ----------
    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts (2017), equation 5;
    Goyal et al., Accurate, Large Minibatch SGD (2017), section 2.2.
    """

    rate: float
    warmup: float | int = 0.0
    final: float = 0.0

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        total = check_total(self, total_steps)
        warmup = self.warmup if self.warmup >= 1 else round(self.warmup * total)
        if step < warmup:
            return self.rate * (step + 1) / warmup
        progress = min((step - warmup) / max(total - warmup, 1), 1.0)
        return cosine(self.rate, self.final, progress)


@frozen
@checking(rate=AT_LEAST_ZERO, warmup=FRACTION, initial_divisor=ABOVE_ZERO, final_divisor=ABOVE_ZERO)
class OneCycle:
    """Up from a small rate to the highest and down to nearly nothing, along two half cosines (PyTorch's OneCycleLR).

        c(a, b, s) = b + (a − b) · ½(1 + cos(π s))               from a at s = 0 to b at s = 1
        first = rate / initial_divisor,  last = first / final_divisor,  p = max(warmup · total_steps − 1, 0)

        η = c(first, rate, step / p)                             while step < p
        η = c(rate, last, (step − p) / (total_steps − 1 − p))    after

    Parameters
    ----------
    rate : float, >= 0
        The highest rate.
    warmup : float in [0, 1)
        The share of all steps that climb.
    initial_divisor : float, > 0
        How many times smaller than the highest rate the first one is.
    final_divisor : float, > 0
        How many times smaller than the first rate the last one is.

    Examples
    --------
    >>> import chainrule as cr
    >>> schedule = cr.schedules.OneCycle(1.0)
    >>> [round(schedule(step, 10), 3) for step in (0, 1, 2, 9)]
    [0.04, 0.52, 1.0, 0.0]

    References
    ----------
    Smith and Topin, Super-Convergence (2018); torch.optim.lr_scheduler.OneCycleLR with anneal_strategy="cos".
    """

    rate: float
    warmup: float = 0.3
    initial_divisor: float = 25.0
    final_divisor: float = 1e4

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        total = check_total(self, total_steps)
        first = self.rate / self.initial_divisor
        peak = max(self.warmup * total - 1, 0.0)
        if step < peak:
            return cosine(first, self.rate, step / peak)
        descent = total - 1 - peak
        progress = min((step - peak) / descent, 1.0) if descent > 0 else 0.0
        return cosine(self.rate, first / self.final_divisor, progress)


@frozen
@checking(rate=AT_LEAST_ZERO)
class CosLog4:
    """Four cosine cycles, each twice as long as the one before it, from 0 to the rate and back.

        η = rate · ½(1 − cos(2π log₂(1 + 15 t))),                t = step / total_steps

    The very first step is at rate 0, as in the original.

    Parameters
    ----------
    rate : float, >= 0
        The highest rate, which each cycle reaches.

    Examples
    --------
    >>> import chainrule as cr
    >>> schedule = cr.schedules.CosLog4(1.0)
    >>> [round(schedule(step, 15), 3) for step in (0, 1, 2, 3, 7)]
    [0.0, 0.0, 0.93, 0.0, 0.0]

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), section 3 (RealMLP).
    """

    rate: float

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        t = elapsed(self, step, total_steps)
        return self.rate * 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))


@frozen
@checking(rate=AT_LEAST_ZERO)
class FlatCos:
    """The full rate for the first half, then half a cosine down to 0.

        η = rate · ½(1 + cos(π (max(1, 2t) − 1))),               t = step / total_steps

    Parameters
    ----------
    rate : float, >= 0
        The rate of the first half.

    Examples
    --------
    >>> import chainrule as cr
    >>> schedule = cr.schedules.FlatCos(1.0)
    >>> [round(schedule(step, 8), 2) for step in range(8)]
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.85, 0.5, 0.15]
    """

    rate: float

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        t = elapsed(self, step, total_steps)
        return self.rate * 0.5 * (1 + math.cos(math.pi * (max(1.0, 2 * t) - 1)))
