"""What an encoder learns of each column, and how it is written as JSON and read again."""

from __future__ import annotations

import itertools
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Label: TypeAlias = "str | int | float"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: z = (value − mean) / scale, where scale is the standard deviation."""

    mean: float
    scale: float


@dataclass(frozen=True)
class Categories:
    """A column of text: one input for each of its values, in sorted order."""

    values: tuple[str, ...]


def as_facts(rule: Numbers | Categories) -> dict[str, Any]:
    """The rule as JSON values."""
    if isinstance(rule, Categories):
        return {"values": list(rule.values)}
    return {"mean": rule.mean, "scale": rule.scale}


def checked(value: Any, *kinds: type) -> Any:
    """``value``, if its type is exactly one of ``kinds`` (so that True is no number)."""
    if type(value) not in kinds:
        raise ValueError(f"{reprlib.repr(value)} for a {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def read_numbers(entry: Mapping[str, Any]) -> Numbers:
    """The mean and scale in ``entry``, finite and the scale positive."""
    numbers = Numbers(float(checked(entry["mean"], float, int)), float(checked(entry["scale"], float, int)))
    if not (math.isfinite(numbers.mean) and 0 < numbers.scale < math.inf):
        raise ValueError(f"mean {numbers.mean} and scale {numbers.scale}")
    return numbers


def read_input(entry: Mapping[str, Any]) -> Numbers | Categories:
    """The rule that ``as_facts`` described."""
    return Categories(read_values(entry["values"], str)) if "values" in entry else read_numbers(entry)


def read_values(values: Any, *kinds: type) -> tuple[Any, ...]:
    """Values of one kind in strictly ascending order, which no NaN is."""
    read = tuple(checked(value, *kinds) for value in checked(values, list))
    if len({type(value) for value in read}) != 1 or not all(a < b for a, b in itertools.pairwise(read)):
        raise ValueError(f"categories {reprlib.repr(values)}")
    return read
