"""The learning rate as a function of the step.

A schedule is any callable ``schedule(step, total_steps) -> rate``. Steps count from 0; total_steps is the number of
steps that training will take, or None where nobody knows. Where the equations below speak of t, it is

    t = step / total_steps

so that the steps are the left ends of equal intervals: t starts at 0 and stays below 1, so the last step still has a
positive rate, and a training of one step divides by no zero. A step past the end takes the rate of the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from . import cosine, decay, plateau
from .cosine import *  # noqa: F403
from .decay import *  # noqa: F403
from .plateau import *  # noqa: F403

Schedule: TypeAlias = Callable[[int, int | None], float]

__all__ = [*cosine.__all__, *decay.__all__, *plateau.__all__]
