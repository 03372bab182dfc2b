"""What the schedules share: the type, the checks and the half cosine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from .._support.checks import check_integer, sentence

Schedule: TypeAlias = Callable[[int, int | None], float]


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
