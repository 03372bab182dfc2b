"""A column of cells: numbers if every cell is a plain one, text if hardly any is, and refused if it may be either."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ..._support.checks import Array, sentence
from .cells import behind_number, is_date, is_written_number, number, plain
from .table import AS_TEXT, LEAVE_OUT

WHO = "read_table"
_FEW = 20  # different values that make categories even if each begins with a number: 36 months, 60 months
_ENDINGS = 3  # different ones in a column of numbers with a unit: 19 M, 201 k
_CODE = re.compile("[+-]?0[0-9]+")
_INTEGER = re.compile(r"([+-]?[0-9]+)(\.0*)?")


@dataclass(frozen=True)
class Column:
    """The cells of a column, without the blanks around them, and where they stand: ``lines`` counts in ``unit``."""

    name: str
    source: str
    cells: Sequence[str]
    lines: Sequence[int]
    unit: str = "line"

    def refuse(self, expected: str, cell: str, remedy: str, more: str = "") -> NoReturn:
        """Raise the error that names the column and the first place of ``cell``."""
        got = f"{cell!r} on {self.unit} {self.lines[self.cells.index(cell)]}{more}"
        raise ValueError(sentence(WHO, f"{expected} in column {self.name!r} of {self.source}", got, remedy))

    def as_text(self) -> Array:
        """The cells as they are."""
        return np.array(self.cells, dtype=object)


def typed(column: Column) -> Array:
    """The column as float64 or as text, by the rule of ``read_table``."""
    numbers = {cell: value for cell in dict.fromkeys(column.cells) if (value := number(cell)) is not None}
    if not all(cell in numbers for cell in column.cells):
        refuse_doubtful(column)
        return column.as_text()
    if any(map(_CODE.fullmatch, numbers)):
        _refuse_numbers_among_codes(column)
        return column.as_text()
    _refuse_what_float64_cannot_hold(column, numbers)
    return np.array([numbers[cell] for cell in column.cells], dtype=np.float64)


def refuse_doubtful(column: Column) -> None:
    """Raise unless a column that does not hold plain numbers alone is plainly text."""
    counts = Counter(column.cells)
    others = [cell for cell in counts if number(cell) is None]
    words = [cell for cell in others if not is_written_number(cell)]
    strays = sum(counts[cell] for cell in words)
    if 2 * strays < len(column.cells) or 2 * len(words) < len(counts):  # of all cells, or of the different ones
        if words:
            more = f", one of {strays} cells that are no numbers" if strays > 1 else ""
            column.refuse("numbers", words[0], f"correct {'them' if more else 'it'}, or {AS_TEXT}", more)
        if others:
            column.refuse("plain numbers", others[0], f"write {plain(others[0])}, or {AS_TEXT}")
    dates = [cell for cell in words if is_date(cell)]
    if 2 * sum(counts[cell] for cell in dates) > len(column.cells):
        column.refuse("numbers or categories, not dates,", dates[0], f"{LEAVE_OUT}, or {AS_TEXT}")
    endings = {behind_number(cell) for cell in words}
    if len(counts) > _FEW and None not in endings and len(endings) <= _ENDINGS:
        column.refuse("plain numbers, or few categories,", words[0], f"write the number alone, or {AS_TEXT}")


def _refuse_numbers_among_codes(column: Column) -> None:
    """``007`` beside ``12`` may be the number 7 or a code; digits of equal length are codes."""
    code = next(cell for cell in column.cells if _CODE.fullmatch(cell))
    others = [cell for cell in column.cells if not cell.isdigit() or len(cell) != len(code)]
    if others:
        more = f" beside {others[0]!r}" if others[0] != code else ""
        column.refuse("numbers, or codes of equal length,", code, f"write {float(code):.0f}, or {AS_TEXT}", more)


def _refuse_what_float64_cannot_hold(column: Column, numbers: Mapping[str, float]) -> None:
    for cell, value in numbers.items():
        if not np.isfinite(value):
            column.refuse("numbers", cell, f"correct it, or {AS_TEXT}")
        whole = _INTEGER.fullmatch(cell) if len(cell) > 15 else None
        if whole and int(whole[1]) != value:
            more = f", which float64 rounds to {value:.0f}"
            column.refuse("numbers of at most 15 digits", cell, f"{AS_TEXT}, or {LEAVE_OUT}", more)
