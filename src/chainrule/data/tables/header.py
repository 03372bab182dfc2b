"""Whether the first line of a file names the columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..._support.checks import sentence
from .cells import MISSING, is_date, is_written_number, number
from .columns import WHO

_ROWS = 1000  # that are looked at
_ASCENDING = 5  # numbers in strict order that data seldom begin with: one time in 120


def has_header(path: Path, rows: Sequence[Sequence[str]]) -> bool:
    """By the rule of ``read_table``; ValueError if a wrong guess would lose a row, or train on the names."""
    first, *below = [[cell.strip() for cell in row] for row in rows[: _ROWS + 1]]
    columns = list(zip(*below, strict=True)) or [()] * len(first)
    filled = [[cell for cell in column if cell not in MISSING] for column in columns]
    names = [cell for cell in first if cell not in MISSING]
    if all(map(_is_number, names)):
        if not _may_be_names(names) or 2 * sum(map(_may_be_names, below)) > len(below):
            return False
        got = f"{names[0]!r}, {names[1]!r}, ... in the first line, which may be names or numbers"
    elif any(not _is_number(name) and _holds_numbers(cells) for name, cells in zip(first, filled, strict=True) if name):
        return True
    elif values := [name for name in names if _is_number(name) or is_date(name)]:
        got = f"{values[0]!r} in a first line of text and numbers"
    elif repeated := [name for name, cells in zip(first, filled, strict=True) if name in cells]:
        got = f"{repeated[0]!r} in the first line and again below it"
    else:
        return True
    remedy = "pass header=False if this line is data, or header=True if it names the columns"
    raise ValueError(sentence(WHO, f"a header in {path}", got, remedy))


def _is_number(cell: str) -> bool:
    return number(cell) is not None or is_written_number(cell)


def _holds_numbers(cells: Sequence[str]) -> bool:
    return 2 * sum(map(_is_number, cells)) > len(cells)


def _may_be_names(cells: Sequence[str]) -> bool:
    """Whether numbers are what names of columns are: 0, 1, 2 as pandas writes, years, wavelengths, limits in order."""
    values = [value for cell in cells if (value := number(cell)) is not None]
    steps = [b - a for a, b in pairwise(values)]
    if not steps or not np.isfinite(values).all() or min(steps) <= 0:
        return False
    even = np.allclose(steps, steps[0]) and (len(steps) > 1 or steps[0] == 1)
    return bool(even) or len(values) >= _ASCENDING
