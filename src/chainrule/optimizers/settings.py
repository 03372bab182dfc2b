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


def check_coefficients(optimizer: Any) -> None:
    """Raise unless a subclass that has coefficients of its own gives as many as the rule takes that it has not."""
    cls: Any = type(optimizer)
    owner: Any = next(one for one in cls.__mro__ if "direction" in vars(one))
    if cls.coefficients is not owner.coefficients:
        expected, got = (len(one.coefficients(optimizer, 1, 1.0)) for one in (owner, cls))
        if expected != got:
            words = f"to give {expected} numbers, as {owner.__name__}.direction takes"
            raise ValueError(sentence(f"{cls.__name__}.coefficients", words, str(got)))


COMMON: Checks = {
    "learning_rate": check_rate,
    "weight_decay": check_rate,
    "clip_norm": optional(ABOVE_ZERO),
    "clip_value": optional(ABOVE_ZERO),
    "groups": optional(check_groups),
    "total_steps": optional(partial(check_integer, minimum=0)),
}
