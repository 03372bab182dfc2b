"""Encode the cells of a single row, to the same bits as a table of one row, in a hundredth of its time.

A number is scaled at once. Any other cell is encoded as a table of one cell, and the result is remembered.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from ..._support.checks import Array
from .program import Rule
from .quantities import NumberRule, number_of
from .scaling import scaled

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
