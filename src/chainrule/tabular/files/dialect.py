"""Determine from the first lines how a text file separates cells: by a delimiter or by blanks."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..numerals import numeral

DELIMITERS = ",;\t|"
BLANK = " "  # any number of blanks and tabs
_ROWS, _CELLS = 100, 100_000  # to examine
_EXCEL = re.compile(r'"?sep=([^\w\s"\']|\t)"?[ ]*(?=[\r\n])')  # a first line that states the delimiter for Excel
_TWO_BLANKS = re.compile(r"\S(?:[ ]{2,}|[ ]*\t[ ]*)\S")


@dataclass(frozen=True)
class Dialect:
    """The delimiter; ``stated`` means that the first line is ``sep=;`` and not a row."""

    delimiter: str
    stated: bool = False


def find_dialect(sample: str, suffix: str = "", delimiter: str | None = None) -> Dialect:
    """Find the dialect that splits the first lines into rows of equal width, whose cells contain no other delimiter.

    A ``delimiter`` that the user states takes precedence.
    """
    if stated := _EXCEL.match(sample):
        return Dialect(delimiter or stated[1], stated=True)
    if delimiter is not None:
        return Dialect(delimiter)
    order = "\t,;|" if suffix == ".tsv" else DELIMITERS
    merits = {mark: _merit(sample, mark) for mark in (*order, BLANK)}
    best = max(merits, key=lambda mark: merits[mark])
    if merits[best] == (False, 0.0, 0.0, 0):
        best = order[0]
    return Dialect(best)


def rows_of(lines: Iterable[str], delimiter: str, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with stripped cells, and the line on which each begins, from 1; blank lines are skipped."""
    text = (_one_blank(line) for line in lines) if delimiter == BLANK else lines
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=strict)
    start = 1
    for row in reader:
        cells = [cell.strip() for cell in row]
        if len(cells) > 1 or "".join(cells):
            yield start, cells
        start = reader.line_num + 1


def _one_blank(line: str) -> str:
    return line.replace("\t", BLANK).strip() + "\n"


def first_rows(sample: str, delimiter: str, most: int = _ROWS, cells: int = _CELLS) -> list[list[str]]:
    """Return the first rows, up to a number of rows and cells, or the first that Python's csv cannot parse."""
    rows: list[list[str]] = []
    try:
        for _, row in rows_of(io.StringIO(sample, newline=""), delimiter):
            rows.append(row)
            cells -= len(row)
            if len(rows) >= most or cells <= 0:
                break
    except csv.Error:  # reported when the whole file is read
        pass
    return rows


def _merit(sample: str, delimiter: str) -> tuple[bool, float, float, int]:
    """Rate a dialect: several columns; the share of rows of one width; the share of cells without other delimiters."""
    rows = first_rows(sample, delimiter)
    widths = Counter(len(row) for row in rows)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    nothing = False, 0.0, 0.0, 0
    if width < 2:
        return nothing
    body = [row for row in rows if len(row) == width]
    share = 1.0 if len(rows) - count <= (len(rows[0]) == width - 1) else count / len(rows)
    others = "".join(mark for mark in DELIMITERS if mark != delimiter)
    clean = sum(_is_clean(cell, others) for row in body for cell in row) / (width * count)
    if delimiter == BLANK:
        numbers = sum(numeral(cell) is not None for row in body for cell in row)
        if share < 1 or 2 * numbers < width * count:
            return nothing
    return True, round(share, 1), round(clean, 1), width


def _is_clean(cell: str, others: str) -> bool:
    """Whether a cell contains no other delimiter, except as a mark in a number."""
    if not any(mark in cell for mark in others) and not _TWO_BLANKS.search(cell):
        return True
    return numeral(cell) is not None


def columns_of(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Return the cells of each column; short rows are padded with empty cells."""
    return [[row[at] if at < len(row) else "" for row in rows] for at in range(width)]
