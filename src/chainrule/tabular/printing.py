"""Format a table of text for the width of the screen; the last column is cut, and control characters are escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from .._support.text import printable

_GAP = 2  # spaces between columns
_MOST = (24, 9, 9, 9, 16)  # maximum widths of columns; the last takes the rest


def as_lines(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Collection[int]) -> list[str]:
    """Format rows below their head; columns in ``right`` are right-aligned."""
    table = [[printable(cell, 200) for cell in row] for row in (head, *rows)]
    widths = [min(max(map(cells_of, column)), _limit(at)) for at, column in enumerate(zip(*table, strict=True))]
    left = width - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    widths[-1] = max(min(widths[-1], left), 1)
    return ["  ".join(_set(cell, widths[at], at in right) for at, cell in enumerate(row)).rstrip() for row in table]


def _limit(column: int) -> int:
    return _MOST[column] if column < len(_MOST) else 200


def cells_of(text: str) -> int:
    """Count the terminal cells of a text: two for a wide character, none for a combining mark."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _set(text: str, width: int, right: bool) -> str:
    """Pad a text to the width of its column, or cut its end."""
    if cells_of(text) > width:
        while cells_of(text) > width - 1:
            text = text[:-1]
        text += "…"
    gap = " " * (width - cells_of(text))
    return gap + text if right else text + gap
