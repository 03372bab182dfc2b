"""Decide which columns of text are numbers as people write them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from ..._support.checks import Array, require
from ..numerals import COMMA, POINT, Style, is_code, is_plain, is_whole, style, values
from ..words import is_missing_number, missing_between_numbers
from .sources import WHO, Source

Numbers: TypeAlias = "tuple[Array, Array]"  # and the mask of missing values
COMMA_SAID = "a comma before decimals"
FEW = 20  # distinct numbers that may be categories instead: 0, 1, 2, 3+
CODES = 0.05  # share of leading zeros that makes digits of different lengths codes
_SOME = 100  # cells that show whether all may be plain numbers
_PLAIN, _CODE, _WHOLE = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$", r"^-?0\d", r"^-?\d+$"
AS_TEXT = "list the column in text=[...]"


@dataclass
class Findings:
    """Findings while reading columns, each with its columns; one note per finding."""

    marks: set[str] = field(default_factory=set)  # that the file shows
    said: dict[str, list[str]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)  # columns of text that may be numbers
    planned: str = POINT  # the decimal mark of plain numbers

    @property
    def decimal(self) -> str:
        """The decimal mark; empty if the file shows none or both."""
        return next(iter(self.marks)) if len(self.marks) == 1 else ""

    @property
    def means_comma(self) -> bool:
        """Whether plain numbers must be read again, because cells of text show a comma before decimals."""
        return self.decimal == COMMA != self.planned

    def say(self, what: str, name: str) -> None:
        self.said.setdefault(what, []).append(name)

    def notes(self, most: int = 3) -> list[str]:
        return [
            f"{what} in {', '.join(map(repr, names[:most]))}" + (f" and {len(names) - most} more" * (len(names) > most))
            for what, names in self.said.items()
        ]


@dataclass(frozen=True)
class Cells:
    """A column of text: its distinct words, the index of each cell's word, and its name in errors."""

    source: Source
    name: str
    words: Sequence[str]
    codes: Array

    def count(self, chosen: Collection[str]) -> int:
        """Count the cells that contain one of these words."""
        counts = np.bincount(self.codes, minlength=len(self.words))
        return int(counts[[word in chosen for word in self.words]].sum())

    def refuse(self, expected: str, got: str, remedy: str) -> None:
        self.source.refuse(f"{expected} in column {self.name!r} of", got, remedy)


def as_numbers(cells: Cells, decimal: str | None, missing: Collection[str], findings: Findings) -> Numbers | None:
    """Convert the column to int64 or float64 and a mask of missing values; None if it is text.

    ``decimal`` is the mark that the user stated. An ambiguous column raises a ValueError that names the option.
    """
    present = [word for word in cells.words if not is_missing_number(word, missing)]
    if not present or _are_codes(cells, present):
        return None
    if 2 * sum(found is not None for found in map(_either, present[:1000])) < min(len(present), 1000):
        return None
    how = style(present)
    mark = decimal or how.decimal or findings.decimal
    numbers = dict(zip(present, values(present, mark or POINT), strict=True))
    odd = [word for word, number in numbers.items() if number is None]
    if odd and not _refuse_odd(cells, numbers, odd, how, decimal):
        return None
    _refuse_doubtful(cells, how, mark)
    _refuse_units(cells, present, how)
    found = _array(cells, numbers)
    if found is not None:
        _say(cells, how, mark or POINT, findings)
    return found


def _either(word: str) -> float | None:
    for mark in (POINT, COMMA):
        if (number := values([word], mark)[0]) is not None:
            return number
    return None


def _are_codes(cells: Cells, present: Sequence[str]) -> bool:
    """Whether these are digits with meaningful leading zeros, as in ``007`` and ``012``."""
    if not any(map(is_code, present)) or not all(map(is_whole, present)):
        return False
    if len({len(word) for word in present}) == 1:
        return True
    return cells.count(set(filter(is_code, present))) >= CODES * cells.count(set(present))


def _refuse_odd(cells: Cells, numbers: dict[str, Any], odd: list[str], how: Style, decimal: str | None) -> bool:
    """Raise a ValueError if words occur among many numbers; return False if the column is text with some numbers."""
    strays = set(odd)
    count = cells.count(strays)
    if 2 * count >= cells.count(numbers) or len(numbers) - len(odd) <= FEW:
        return False
    if how.mixed and decimal is None:
        other = next(word for word in numbers if word not in strays)
        cells.refuse("one decimal mark", f"{other!r} and {odd[0]!r}", f"pass decimal='.' or ',', or {AS_TEXT}")
    source, row = cells.source.at(int(np.argmax(cells.codes == cells.words.index(odd[0]))))
    more = f" in row {row:,}" + (f", one of {count:,} cells that are not numbers" if count > 1 else "")
    remedy = f"if it means that there is no value, pass missing=[{odd[0]!r}] (--missing); otherwise {AS_TEXT}"
    replace(cells, source=source).refuse("numbers", f"{odd[0]!r}{more}", remedy)
    return False


def _refuse_doubtful(cells: Cells, how: Style, mark: str) -> None:
    if mark or not any(COMMA in word for word in how.doubtful):
        return
    word = next(word for word in how.doubtful if COMMA in word)
    remedy = "pass decimal='.' if the comma separates thousands, or decimal=',' (--decimal)"
    cells.refuse("unambiguous numbers", repr(word), remedy)


def _refuse_units(cells: Cells, present: Sequence[str], how: Style) -> None:
    """Raise a ValueError if units differ; an amount may lack its currency sign, but a percentage not its sign."""
    if len(how.units) > 1:
        got = " and ".join(map(repr, sorted(how.units)[:2]))
        cells.refuse("one unit", got, f"convert them, or {AS_TEXT}")
    if how.units & {"%", "‰"}:
        bare = next((word for word in present if word[-1:] not in "%‰" and values([word])[0] not in (None, 0)), None)
        if bare is not None:
            cells.refuse("percent signs after all numbers or none", repr(bare), f"write them alike, or {AS_TEXT}")


def _array(cells: Cells, numbers: dict[str, Any]) -> Numbers | None:
    """Return the numbers of all cells; None if an integer does not fit into 64 bits, so that they stay text."""
    found = [numbers.get(word) for word in cells.words]
    gaps = np.array([number is None for number in found], bool)[cells.codes]
    if any(isinstance(number, int) and abs(number) >= 2**63 for number in found):
        return None
    kind = np.int64 if all(isinstance(number, int) for number in found if number is not None) else np.float64
    return np.array([0 if number is None else number for number in found], kind)[cells.codes], gaps


def _say(cells: Cells, how: Style, mark: str, findings: Findings) -> None:
    if how.decimal == COMMA or any(mark == COMMA and COMMA in word for word in how.doubtful):
        findings.say(COMMA_SAID, cells.name)
    thousands = COMMA if mark == POINT else POINT
    if how.grouped or any(thousands in word for word in how.doubtful):
        findings.say("thousands set off", cells.name)
    for unit in how.units:
        findings.say(f"numbers with {unit}", cells.name)
    findings.marks |= {how.decimal} - {""}


def resolve(
    source: Source,
    table: Any,
    doubtful: Collection[int],
    decimal: str | None,
    missing: Collection[str],
    findings: Findings,
) -> Any:
    """Convert the ``doubtful`` columns of text that are numbers."""
    arrow = require("pyarrow", "tabular", WHO)
    for at in doubtful:
        name, column = table.column_names[at], table.column(at).combine_chunks()
        if COMMA not in (decimal, findings.decimal) and (plain := _plain_numbers(column, missing)) is not None:
            table = table.set_column(at, name, plain)
            continue
        coded = column.dictionary_encode()
        codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
        words = [*coded.dictionary.to_pylist(), ""]
        numbers = as_numbers(Cells(source, name, words, codes), decimal, missing, findings)
        if numbers is not None:
            table = table.set_column(at, name, arrow.array(numbers[0], mask=numbers[1]))
    return table


def _plain_numbers(column: Any, missing: Collection[str]) -> Any | None:
    """Convert text to numbers with Arrow if all are plain numbers and none is a code; otherwise return None."""
    arrow, compute = require("pyarrow", "tabular", WHO), require("pyarrow.compute", "tabular", WHO)
    if not _matches(column.slice(0, _SOME), missing):
        return None
    gone = compute.is_in(column, arrow.array(missing_between_numbers(missing)))
    present = compute.if_else(gone, None, column)
    if not compute.all(compute.match_substring_regex(present, _PLAIN)).as_py():
        return None
    if compute.any(compute.match_substring_regex(present, _CODE)).as_py():
        return None
    is_whole = compute.all(compute.match_substring_regex(present, _WHOLE)).as_py()
    try:
        return present.cast(arrow.int64() if is_whole else arrow.float64())
    except arrow.ArrowInvalid:  # more than 64 bits, or a plus sign
        return None


def _matches(column: Any, missing: Collection[str]) -> bool:
    return all(is_plain(word) or is_missing_number(word, missing) for word in column.to_pylist() if word is not None)
