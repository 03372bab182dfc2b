"""What every optimizer may be set to, in the constructor and later."""

from __future__ import annotations

from functools import partial
from typing import Any

from .._support.checks import called_elsewhere, check_integer, check_number, sentence
from .._support.settings import ABOVE_ZERO, Checks, optional
from .groups import check_groups

called_elsewhere({"lr": "learning_rate"})


def check_rate(who: str, name: str, rate: Any) -> Any:
    """A number of at least 0, or a schedule as it is."""
    if callable(rate) and not isinstance(rate, type):
        return rate
    return check_number(who, name, rate, minimum=0.0)


def check_betas(who: str, name: str, betas: Any) -> tuple[float, float]:
    """The pair as floats; an error unless both are in [0, 1)."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(sentence(who, "betas as a pair", repr(betas), "for instance betas=(0.9, 0.999)"))
    first, second = (check_number(who, "each of betas", beta, minimum=0.0, below=1.0) for beta in betas)
    return first, second


COMMON: Checks = {
    "learning_rate": check_rate,
    "weight_decay": check_rate,
    "clip_norm": optional(ABOVE_ZERO),
    "clip_value": optional(ABOVE_ZERO),
    "groups": optional(check_groups),
    "total_steps": optional(partial(check_integer, minimum=0)),
}
