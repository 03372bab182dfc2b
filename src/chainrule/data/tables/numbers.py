"""Numbers as cells of text hold them: plain ones, and those written for people, which are refused."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..._support.checks import sentence
from .table import AS_TEXT

_SIGNS = r"[$€£¥]"
_DIGITS = r"[0-9]+([.,][0-9]+)?|[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9]{1,3}(\.[0-9]{3})+,[0-9]+"
_WRITTEN = re.compile(rf"[+-]?\s?{_SIGNS}?\s?[+-]?({_DIGITS})\s?({_SIGNS}|%)?")


def number(cell: str) -> float | None:
    """The number that a cell holds, or None; ``1_000`` is a number to Python, but not in a table."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def refuse_written_numbers(column: str, cells: Sequence[str], lines: Sequence[int], unit: str) -> None:
    """Raise if every cell is a number, but some have a decimal comma, a currency sign or a percent sign."""
    strays = []
    for row, cell in enumerate(cells):
        if number(cell) is None:
            if not _WRITTEN.fullmatch(cell):
                return
            strays.append(row)
    if strays:
        cell = cells[strays[0]]
        remedy = f"write {_plain(cell)}, or {AS_TEXT}"
        got = f"{cell!r} on {unit} {lines[strays[0]]}"
        raise ValueError(sentence("read_table", f"plain numbers in {column}", got, remedy))


def _plain(cell: str) -> str:
    """The number without its signs and with a decimal point; both readings of ``1,234``."""
    digits = re.sub(r"[^0-9.,-]", "", cell)
    if "." in digits and "," in digits:
        point = max(digits.rfind("."), digits.rfind(","))
        return re.sub("[.,]", "", digits[:point]) + "." + digits[point + 1 :]
    whole, comma, decimals = digits.rpartition(",")
    if "," in whole:
        return digits.replace(",", "")
    if comma and len(decimals) == 3:
        return f"{whole}{decimals} or {whole}.{decimals}"
    return digits.replace(",", ".")
