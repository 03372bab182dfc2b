"""Numbers and dates, which become features on a line or, of a moment, points on circles.

A number is scaled; a missing one becomes the median, and a second feature marks it if training had one. A date is a
linear time, the year, and the position in the year, week and day as points on circles.
All of it follows from microseconds since 1970, d = ⌊µs / day⌋, in integers, so every language computes the same:
from the day of a year that begins in March (the leap day is then its last).

    weekday   (d + 3) mod 7, Monday is 0
    circle    sin 2πp, cos 2πp  for the fraction p of the year in months, of the week in days, of the day
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from ..._support.checks import Array, sentence
from ...layers.program import Call
from ..columns import Column, Moments, Numbers, Words, as_words
from ..judging import COMPACT, days_of
from ..moments import DAY, DAY_FIRST, MONTH_FIRST, NO_MOMENT, microseconds
from ..numerals import COMMA, POINT, value
from ..words import is_missing, is_missing_number
from . import facts
from .program import MOMENTS, NUMBERS, WHO, ColumnProgram, Rule, Source, indicator, is_missing_name, refuse_others
from .scaling import Scales, fit_lookup, fit_scales, joined, scaled, unscaled

_YES_NO = np.array([[0.0], [1.0]])


@dataclass(frozen=True)
class NumberRule(Rule):
    """A column of numbers; ``decimal`` is the decimal mark of numbers in texts."""

    has_missing: bool
    median: float
    decimal: str

    kind = "number"

    @staticmethod
    def fit(name: str, column: Column, missing: Collection[str], form: str, how: str) -> NumberRule:
        decimal = COMMA if form == COMMA else POINT
        x = read_numbers(name, column, missing, decimal)
        gaps = np.isnan(x)
        finite = x[np.isfinite(x)]
        parts = [fit_scales(x, how)]
        if gaps.any():
            parts.append(indicator_scales(gaps, how))
        median = float(np.sort(finite)[len(finite) // 2]) if len(finite) else 0.0
        return NumberRule(name, joined(parts), bool(gaps.any()), median, decimal)

    @property
    def features(self) -> list[str]:
        return [self.name, is_missing_name(self.name)][: 1 + self.has_missing]

    @property
    def roles(self) -> list[str]:
        return ["number", "missing"][: 1 + self.has_missing]

    def encode(self, column: Column, missing: Collection[str]) -> Array:
        x = read_numbers(self.name, column, missing, self.decimal)
        gaps = np.isnan(x)
        raw = np.where(gaps, self.median, x)[:, None]
        return self.scales.apply(np.hstack([raw, indicator(gaps)]) if self.has_missing else raw)

    def program(self) -> ColumnProgram:
        call = Call("impute", {"value": np.array([self.median])}, {"says": self.has_missing})
        return ColumnProgram(Source(self.name, NUMBERS, self.decimal), call, self.scales)

    def details(self) -> dict[str, Any]:
        return {"has_missing": self.has_missing, "median": self.median, "decimal": self.decimal}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> NumberRule:
        has_missing = facts.get(entry, "has_missing", bool)
        (median,) = facts.numbers({"median": [entry.get("median")]}, "median", 1)
        scales = Scales.from_dict(facts.get(entry, "scales", dict), 1 + has_missing)
        return NumberRule(name, scales, has_missing, float(median), facts.choice(entry, "decimal", (POINT, COMMA)))


def indicator_scales(gaps: Array, how: str) -> Scales:
    """Fit the scales of the feature that marks missing values."""
    return fit_lookup(_YES_NO, np.bincount(gaps.astype(np.intp), minlength=2), how)


def read_numbers(name: str, column: Column, missing: Collection[str], decimal: str) -> Array:
    """Read a column as float64 (N,), missing values as NaN; raise a ValueError if a value is not a number."""
    refuse_others(name, column, "numbers")
    if isinstance(column, Numbers):
        return np.where(column.missing, np.nan, column.values.astype(np.float64))
    if not isinstance(column, Words):
        raise ValueError(sentence(WHO, f"numbers in column {name!r}", "dates", "pass them as in training"))
    return _of_words(name, column, missing, decimal)


def _of_words(name: str, column: Words, missing: Collection[str], decimal: str) -> Array:
    numbers = np.full(len(column.words) + 1, np.nan)
    for at, word in enumerate(column.words):
        found = number_of(word, missing, decimal)
        if found is None:
            row = int(np.argmax(column.codes == at))
            if column.codes[row] != at:  # it does not occur
                continue
            raise ValueError(sentence(WHO, f"numbers in column {name!r}", f"{word!r} at row {row}", "correct it"))
        numbers[at] = found
    return numbers[column.codes]


def number_of(word: str, missing: Collection[str], decimal: str) -> float | None:
    """Return the number that a word states, NaN if it means that none is there; None if it is another word."""
    if is_missing_number(word, missing):
        return np.nan
    number = value(word, decimal)
    if number is None:
        return None
    try:
        return float(number)
    except OverflowError:  # of a long integer
        return np.inf if number > 0 else -np.inf


# --- dates ----------------------------------------------------------------------------------------------------------

TIME, YEAR, MONTH, WEEKDAY, HOUR = PARTS = ("time", "year", "month", "weekday", "hour")
_FORMS = ("", DAY_FIRST, MONTH_FIRST, COMPACT)
ERA, CENTURY, FOUR, YEAR_DAYS = 146_097, 36_524, 1_461, 365  # days
TO_MARCH = 719_468  # days from the first of March of the year 0 to 1970


@dataclass(frozen=True)
class DateRule(Rule):
    """A column of dates: how they are written, the parts that vary in training, and the median moment."""

    has_missing: bool
    median: int
    form: str
    parts: tuple[str, ...]

    kind = "date"

    @staticmethod
    def fit(name: str, column: Column, missing: Collection[str], form: str, how: str) -> DateRule:
        moments = read_moments(name, column, missing, form)
        gaps = moments == NO_MOMENT
        there = moments[~gaps]
        median = int(np.sort(there)[len(there) // 2]) if len(there) else 0
        parts = tuple(part for part in PARTS if len(there) and np.ptp(_part(there, part)) > 0)
        scales = [_scales(there, part, how) for part in parts] + [indicator_scales(gaps, how)] * bool(gaps.any())
        return DateRule(name, joined(scales), bool(gaps.any()), median, form, parts)

    @property
    def features(self) -> list[str]:
        """``day (time)``, ``day (month, sin)``, and so on."""
        names = [f"{self.name} ({label})" for part in self.parts for label in _labels(part)]
        return names + [is_missing_name(self.name)] * self.has_missing

    @property
    def roles(self) -> list[str]:
        return ["date"] * (len(self.features) - self.has_missing) + ["missing"] * self.has_missing

    def encode(self, column: Column, missing: Collection[str]) -> Array:
        """Return the features (N, I); a missing date is at the centre of the circles."""
        moments = read_moments(self.name, column, missing, self.form)
        gaps = moments == NO_MOMENT
        moments = np.where(gaps, self.median, moments)
        raw = [_circle(part, _part(moments, part), gaps) for part in self.parts]
        raw += [indicator(gaps)] * self.has_missing
        return self.scales.apply(np.hstack(raw)) if raw else np.zeros((len(moments), 0))

    def program(self) -> ColumnProgram:
        arrays = {"parts": np.array(self.parts, np.str_), "median": np.array([self.median])}
        call = Call("calendar", arrays, {"says": self.has_missing})
        return ColumnProgram(Source(self.name, MOMENTS, self.form), call, self.scales)

    def details(self) -> dict[str, Any]:
        return {"has_missing": self.has_missing, "median": self.median, "form": self.form, "parts": list(self.parts)}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> DateRule:
        has_missing, parts = facts.get(entry, "has_missing", bool), facts.words(entry, "parts")
        if not set(parts) <= set(PARTS):
            raise ValueError(f"parts {parts}")
        median = facts.integer(entry, "median", NO_MOMENT + 1, -NO_MOMENT - 1)
        rule = DateRule(name, unscaled(0), has_missing, median, facts.choice(entry, "form", _FORMS), parts)
        scales = Scales.from_dict(facts.get(entry, "scales", dict), len(rule.features))
        return DateRule(name, scales, has_missing, median, rule.form, parts)


def read_moments(name: str, column: Column, missing: Collection[str], form: str) -> Array:
    """Read a column as microseconds since 1970 (N,); raise a ValueError if a value is not a date."""
    refuse_others(name, column, "dates")
    if isinstance(column, Moments):
        return column.values
    if isinstance(column, Numbers) and form != COMPACT and not column.missing.all():
        raise ValueError(sentence(WHO, f"dates in column {name!r}", "numbers", "pass them as in training"))
    words = as_words(column)
    if form == COMPACT:
        found = days_of(np.array([int(word) if word.isdecimal() and len(word) < 9 else 0 for word in words.words]))
    else:
        found = microseconds(words.words, form or DAY_FIRST)
    for at in np.flatnonzero(found == NO_MOMENT).tolist():
        rows = np.flatnonzero(words.codes == at)
        if len(rows) and not is_missing(words.words[at], missing):
            got = f"{words.words[at]!r} at row {rows[0]}"
            raise ValueError(sentence(WHO, f"dates in column {name!r}", got, "correct it, or leave it empty"))
    return np.append(found, NO_MOMENT)[words.codes]


def _part(moments: Array, part: str) -> Array:
    """Return a part of moments: days since 1970, the year, or the position on a circle from 0 to 1."""
    days = moments // DAY
    if part == TIME:
        return moments / DAY
    if part == HOUR:
        return (moments - days * DAY) / DAY
    if part == WEEKDAY:
        return (days + 3) % 7 / 7
    year, month = year_and_month(days)
    return year.astype(np.float64) if part == YEAR else (month - 1) / 12


def year_and_month(days: Array) -> tuple[Array, Array]:
    """Return the year and the month (1 to 12) of days since 1970, in the Gregorian calendar."""
    since_march = days + TO_MARCH
    era = since_march // ERA
    of_era = since_march - era * ERA
    years = (of_era - of_era // (FOUR - 1) + of_era // CENTURY - of_era // (ERA - 1)) // YEAR_DAYS
    of_year = of_era - (YEAR_DAYS * years + years // 4 - years // 100)
    from_march = (5 * of_year + 2) // 153
    month = np.where(from_march < 10, from_march + 3, from_march - 9)
    return years + era * 400 + (month <= 2), month


def _circle(part: str, values: Array, gaps: Array) -> Array:
    """Return the features of a part: (N, 1), or (N, 2) on a circle."""
    if part in (TIME, YEAR):
        return values[:, None]
    angle = 2 * np.pi * values
    return np.where(gaps[:, None], 0, np.stack([np.sin(angle), np.cos(angle)], axis=1))


def _labels(part: str) -> list[str]:
    return [part] if part in (TIME, YEAR) else [f"{part}, sin", f"{part}, cos"]


def _scales(there: Array, part: str, how: str) -> Scales:
    """Fit the scales of a part; always with the smooth clip, so that dates out of range are safe."""
    return fit_scales(_part(there, part), how, smooth=True) if part in (TIME, YEAR) else unscaled(2)


# --- the cells of a row: to the bits of a table of one row, in a hundredth of its time; the last are remembered --

Read: TypeAlias = Callable[[Any], Sequence[float]]
REMEMBERED = 256  # cells of a column
#: Types of which equal values mean the same.
SIMPLE = frozenset((str, int, float, bool, datetime.date, type(None)))


def reader(rule: Rule, matrix: Callable[[Any], Array], missing: Collection[str]) -> Read:
    """Return a function that gives the features or the code of a cell, as ``matrix`` does of a table with this column.

    The cell may also be such a table, of one row.
    """

    def encode(cell: Any) -> Sequence[float]:
        found: list[float] = matrix(cell if hasattr(cell, "columns") else {rule.name: [cell]})[0].tolist()
        return found

    remembered = lru_cache(REMEMBERED, typed=True)(encode)

    def read(cell: Any) -> Sequence[float]:
        if type(cell) is float and cell != cell:
            cell = None
        return (remembered if type(cell) in SIMPLE else encode)(cell)

    if not isinstance(rule, NumberRule) or not rule.scales.factor[0]:
        return read
    center, factor, smooth = (part.tolist()[0] for part in (rule.scales.center, rule.scales.factor, rule.scales.smooth))
    present = tuple(encode(0.0)[1:])  # the feature that marks missing numbers

    def read_number(cell: Any) -> Sequence[float]:
        kind, x = type(cell), cell
        if kind is str:
            x = number_of(cell.strip(), missing, rule.decimal)
        elif kind is not float and (kind is not int or abs(cell) > LARGEST):
            return read(cell)
        return read(cell) if x is None or x != x else (scaled(x, center, factor, smooth), *present)

    return read_number


LARGEST = 2**63  # above it, integers are words
