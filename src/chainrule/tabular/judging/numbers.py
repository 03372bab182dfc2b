"""Decide the kind of a column of numbers or moments: measurement, flag, code, date written as an integer, or id."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from ..._support.checks import Array
from ..columns import Moments, Numbers
from ..moments import NO_MOMENT, microseconds
from .facts import CATEGORY, COMPACT, DATE, FLAG, ID, INTEGER, NUMBER, Facts

_PARTS = re.compile(r"[A-Z]?[a-zäöüß]+|[A-Z]+(?![a-z])|\d+")
_IDS = frozenset(("id", "ids", "uid", "uuid", "guid", "pid", "key", "pk", "idx", "index", "rowid", "rownum", "nr"))
_WHOSE = frozenset(("account", "client", "customer", "employee", "item", "member", "order", "passenger", "patient"))
_WHOSE |= {"person", "product", "student", "user"}
_POSTAL = frozenset(("zip", "zipcode", "postcode", "postalcode", "postal", "plz"))
_CODES = frozenset(("class", "subclass", "type", "code", "category"))
_TIMES = frozenset(("date", "time", "timestamp", "epoch", "unixtime", "datetime", "year", "yr", "ts"))


def parts(name: str) -> list[str]:
    """Split a name into words in lower case: ``CustomerID`` and ``customer_id`` give customer and id."""
    return [part.lower() for part in _PARTS.findall(name)]


def is_id_name(name: str) -> bool:
    """Whether a name states that a column identifies rows."""
    lower = name.lower()
    return not _IDS.isdisjoint(parts(name)) or (lower.endswith("id") and lower[:-2] in _WHOSE)


def is_postal_name(name: str) -> bool:
    """Whether a name states that integers are postcodes, of which there may be many."""
    return not _POSTAL.isdisjoint(parts(name))


def is_code_name(name: str) -> bool:
    """Whether a name states that integers are codes rather than measurements."""
    return not _CODES.isdisjoint(parts(name))


def is_time_name(name: str) -> bool:
    """Whether a name states that integers are times."""
    return not _TIMES.isdisjoint(parts(name))


_COLLISIONS = 5  # expected equal pairs; integers without any are then an id
_CODE_LENGTH = 8  # digits; integers that all have as many are an id
_FEW_ROWS = 5  # too few to recognise an id
_MOST_CODES = 100  # distinct integers that a name can make codes
_FIRST_DAY, _LAST_DAY = 1900_01_01, 2100_12_31


def judge_numbers(name: str, column: Numbers) -> Facts:
    """Decide the kind of a column of numbers."""
    present = column.values[~column.missing]
    different = np.unique(present)
    facts = Facts(NUMBER, int(column.missing.sum()), len(different), example_of(present), "numbers")
    if len(different) < 2:
        return facts.of_one()
    if different.tolist() == [0, 1]:
        return replace(facts, kind=FLAG, why="0 and 1")
    if not are_whole(different):
        return facts
    if _are_days(different):
        return replace(facts, kind=DATE, why="dates as YYYYMMDD", form=COMPACT)
    if why := _why_id(name, len(present), different):
        return replace(facts, form=INTEGER).left_out(why, ID)
    if is_postal_name(name) or (is_code_name(name) and len(different) <= _MOST_CODES):
        return replace(facts, kind=CATEGORY, why="named as a code")
    return replace(facts, why="integers")


def judge_moments(column: Moments) -> Facts:
    """Decide the kind of a column of dates."""
    present = column.values[column.values != NO_MOMENT]
    example = str(present[0].astype("datetime64[us]").astype("datetime64[s]")) if len(present) else ""
    gaps = len(column) - len(present)
    facts = Facts(DATE, gaps, len(np.unique(present)), example.removesuffix("T00:00:00"), "dates")
    return facts if facts.distinct > 1 else facts.of_one()


def example_of(present: Array) -> str:
    """Return the first number as text."""
    if not len(present):
        return ""
    return f"{present[0].item():.6g}" if present.dtype.kind == "f" else str(present[0])


def are_whole(numbers: Array) -> bool:
    """Whether all numbers are finite integers."""
    return bool(np.isfinite(numbers).all() and (np.floor(numbers) == numbers).all())


def days_of(numbers: Array) -> Array:
    """Convert integers such as 20240131 to microseconds since 1970; ``NO_MOMENT`` if one is not a day."""
    different, places = np.unique(numbers, return_inverse=True)
    found: Array = microseconds([_day(int(number)) for number in different.tolist()])[places]
    return found


def _day(number: int) -> str:
    if not _FIRST_DAY <= number <= _LAST_DAY:
        return ""
    return f"{number // 10000:04d}-{number // 100 % 100:02d}-{number % 100:02d}"


def _are_days(different: Array) -> bool:
    if len(different) < 3 or different[0] < _FIRST_DAY or different[-1] > _LAST_DAY:
        return False
    return bool((days_of(different) != NO_MOMENT).all())


def _why_id(name: str, count: int, different: Array) -> str:
    """Return why integers are an id: all differ, and chance or the name exclude a measurement. Otherwise, return "".

    Among n integers drawn from r, n (n − 1) / 2 r pairs are expected to be equal.
    """
    if count < _FEW_ROWS or len(different) < count or is_time_name(name):
        return ""
    span = int(different[-1]) - int(different[0]) + 1
    if span == count:
        return "counts the rows"
    lengths = {len(str(abs(int(value)))) for value in (different[0], different[-1])}
    are_codes = len(lengths) == 1 and min(lengths) >= _CODE_LENGTH
    by_chance = count * (count - 1) / 2 / span
    return "all different" if is_id_name(name) or are_codes or by_chance > _COLLISIONS else ""
