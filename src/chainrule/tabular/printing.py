"""A table of text, no wider than the screen: the last columns give way, and nothing in it can move the cursor."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from .._support.text import printable

_GAP = 2  # blanks between columns
_MOST = (24, 9, 9, 9, 16)  # cells that a column takes at most; the last takes what is left


def as_lines(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Collection[int]) -> list[str]:
    """The rows under their head; columns in ``right`` are set to the right."""
    table = [[printable(cell, 200) for cell in row] for row in (head, *rows)]
    widths = [min(max(map(cells_of, column)), _limit(at)) for at, column in enumerate(zip(*table, strict=True))]
    left = width - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    widths[-1] = max(min(widths[-1], left), 1)
    return ["  ".join(_set(cell, widths[at], at in right) for at, cell in enumerate(row)).rstrip() for row in table]


def _limit(column: int) -> int:
    return _MOST[column] if column < len(_MOST) else 200


def cells_of(text: str) -> int:
    """The cells of a terminal that a text takes: two for a wide character, none for a mark on the one before."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _set(text: str, width: int, right: bool) -> str:
    """A text in its column; of one that is too long, the end is left out."""
    if cells_of(text) > width:
        while cells_of(text) > width - 1:
            text = text[:-1]
        text += "…"
    gap = " " * (width - cells_of(text))
    return gap + text if right else text + gap
