"""Numbers: scaled; a missing number becomes the median, and a second feature marks it if training had one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._support.checks import Array, sentence
from ...layers.program import Call
from ..columns import Column, Numbers, Words
from ..numerals import COMMA, POINT, value
from ..words import is_missing_number
from . import facts
from .program import NUMBERS, ColumnProgram, Source
from .rule import WHO, Rule, indicator, is_missing_name, refuse_others
from .scaling import Scales, fit_lookup, fit_scales, joined

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
        """Fit the rule to a column of training rows."""
        decimal = COMMA if form == COMMA else POINT
        x = read(name, column, missing, decimal)
        gaps = np.isnan(x)
        finite = x[np.isfinite(x)]
        parts = [fit_scales(x, how)]
        if gaps.any():
            parts.append(indicator_scales(gaps, how))
        median = float(np.sort(finite)[len(finite) // 2]) if len(finite) else 0.0
        return NumberRule(name, joined(parts), bool(gaps.any()), median, decimal)

    @property
    def features(self) -> list[str]:
        """The name of the column, and that of the missing indicator."""
        return [self.name, is_missing_name(self.name)][: 1 + self.has_missing]

    @property
    def roles(self) -> list[str]:
        """A number, and an indicator."""
        return ["number", "missing"][: 1 + self.has_missing]

    def encode(self, column: Column, missing: Collection[str]) -> Array:
        """Return the features (N, 1) or (N, 2)."""
        x = read(self.name, column, missing, self.decimal)
        gaps = np.isnan(x)
        raw = np.where(gaps, self.median, x)[:, None]
        return self.scales.apply(np.hstack([raw, indicator(gaps)]) if self.has_missing else raw)

    def program(self) -> ColumnProgram:
        """Return the program: the median for a missing number."""
        call = Call("impute", {"value": np.array([self.median])}, {"says": self.has_missing})
        return ColumnProgram(Source(self.name, NUMBERS, self.decimal), call, self.scales)

    def details(self) -> dict[str, Any]:
        """Return the median and how numbers are written."""
        return {"has_missing": self.has_missing, "median": self.median, "decimal": self.decimal}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> NumberRule:
        """Read a rule from its description."""
        has_missing = facts.get(entry, "has_missing", bool)
        (median,) = facts.numbers({"median": [entry.get("median")]}, "median", 1)
        scales = Scales.from_dict(facts.get(entry, "scales", dict), 1 + has_missing)
        return NumberRule(name, scales, has_missing, float(median), facts.choice(entry, "decimal", (POINT, COMMA)))


def indicator_scales(gaps: Array, how: str) -> Scales:
    """Fit the scales of the feature that marks missing values."""
    return fit_lookup(_YES_NO, np.bincount(gaps.astype(np.intp), minlength=2), how)


def read(name: str, column: Column, missing: Collection[str], decimal: str) -> Array:
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
        if is_missing_number(word, missing):
            continue
        found = value(word, decimal)
        if found is None:
            row = int(np.argmax(column.codes == at))
            if column.codes[row] != at:  # it does not occur
                continue
            raise ValueError(sentence(WHO, f"numbers in column {name!r}", f"{word!r} at row {row}", "correct it"))
        numbers[at] = _as_float(found)
    return numbers[column.codes]


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # of a long integer
        return np.inf if number > 0 else -np.inf
