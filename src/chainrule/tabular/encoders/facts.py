"""Read descriptions of encoders: every type, length and value is checked."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..._support.checks import Array

MOST_WORDS = 1_000_000  # of a column
MOST_TEXT = 1 << 16  # characters of a word


def mapping(facts: Any) -> dict[str, Any]:
    """Check that this is a mapping from texts."""
    if type(facts) is not dict or not all(type(name) is str for name in facts):
        raise ValueError(f"{reprlib.repr(facts)} for a mapping")
    return facts


def get(facts: Any, name: str, kind: type) -> Any:
    """Return the value under a name if its type is exactly this one; True is not an integer."""
    if name not in mapping(facts):
        raise ValueError(f"no {name!r}")
    value = facts[name]
    if type(value) is not kind:
        raise ValueError(f"{reprlib.repr(value)} for {name!r}")
    return value


def check_keys(facts: Mapping[str, Any], names: Collection[str]) -> None:
    """Raise a ValueError for an unknown name."""
    if more := sorted(set(map(str, facts)) - set(names)):
        raise ValueError(f"the unknown {more[0]!r}")


def integer(facts: Any, name: str, low: int, high: int) -> int:
    """Read an integer from ``low`` to ``high``."""
    value: int = get(facts, name, int)
    if not low <= value <= high:
        raise ValueError(f"{value} for {name!r}")
    return value


def choice(facts: Any, name: str, known: Collection[str]) -> str:
    """Read one of a few texts."""
    value: str = get(facts, name, str)
    if value not in known:
        raise ValueError(f"{value!r} for {name!r}")
    return value


def numbers(facts: Any, name: str, count: int) -> Array:
    """Read this many finite numbers."""
    values = get(facts, name, list)
    if len(values) != count or not all(type(value) in (int, float) for value in values):
        raise ValueError(f"{reprlib.repr(values)} for {count} numbers {name!r}")
    try:
        found = np.array([float(value) for value in values], np.float64)
    except OverflowError:
        raise ValueError(f"a number of {name!r} beyond float64") from None
    if not all(map(math.isfinite, found.tolist())):
        raise ValueError(f"a number of {name!r} that is not finite")
    return found


def words(facts: Any, name: str) -> tuple[str, ...]:
    """Read distinct texts."""
    values = get(facts, name, list)
    if len(values) > MOST_WORDS or not all(type(value) is str and len(value) <= MOST_TEXT for value in values):
        raise ValueError(f"{reprlib.repr(values)} for {name!r}")
    if len(set(values)) < len(values):
        raise ValueError(f"a word twice in {name!r}")
    return tuple(values)
