"""The first lines of a text file: how they separate cells, by a delimiter or blanks, and whether one is a header.

Text above numbers or dates is a name. If all columns are text, a first row whose words occur again below is data.
Numbers are names if they count the columns, as pandas writes ``0,1,2``, or ascend evenly, as years do, above numbers of
another form. Ambiguity raises an error, because a wrong guess loses a row or trains on the names.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..moments import is_moment
from ..numerals import numeral, value
from ..words import is_missing
from .sources import Source

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


# --- the header -----------------------------------------------------------------------------------------------------

ROWS = 400  # in which the words of the first row may occur again
_SOME = 200  # cells that determine the type of a column
MANY = 4  # numbers that count or ascend evenly, which is unlikely by chance
ASK = "pass header=True if it names the columns (--header), or header=False if it is data (--no-header)"
_NAMED = 3  # columns that a note lists


def has_header(source: Source, first: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is a header above these columns; ambiguity raises a ValueError."""
    if len(first) == len(columns) - 1:
        return True  # as R writes it, without a name for the row names
    below = [[cell for cell in column[:ROWS] if not is_missing(cell)] for column in columns]
    cells = {at: cell for at, cell in enumerate(first[: len(columns)]) if not is_missing(cell)}
    values = {at: cell for at, cell in cells.items() if _is_value(cell)}
    texts = {at: cell for at, cell in cells.items() if at not in values}
    if names_values(texts, below):
        return True
    again = {at: cell for at, cell in texts.items() if cell in below[at]}
    if not values:
        return _of_texts(source, texts, again)
    if again and 2 * len(again) >= len(texts):
        return False
    counting = _count(list(values.values()))
    if not texts:
        return _of_numbers(source, list(values.values()), counting, [below[at] for at in values])
    if counting and len(values) >= MANY and not again:
        return True
    if not counting and len(values) > 1 and not again:
        return False
    at = next(iter(values))
    return source.refuse("a header in", f"{cells[at]!r} in a first line of text and numbers", ASK)


def names_values(texts: Iterable[int], below: Sequence[Sequence[str]]) -> bool:
    """Whether a column below a text contains numbers or dates."""
    return any(_are_values(below[at]) for at in texts)


def _of_texts(source: Source, texts: dict[int, str], again: dict[int, str]) -> bool:
    if not again:
        return True
    if 2 * len(again) > len(texts):
        return False
    word = next(iter(again.values()))
    return source.refuse("a header in", f"{word!r} in the first line and again below it", ASK)


def _of_numbers(source: Source, names: list[str], counting: bool, below: Sequence[Sequence[str]]) -> bool:
    if not counting:
        return False
    rows = [row for row in zip(*(column[:20] for column in below), strict=False) if len(row) == len(names)]
    if rows and 2 * sum(_count(row) for row in rows) > len(rows):
        return False  # every row ascends like that
    if len(names) > 2 and (names == list(map(str, range(len(names)))) or not any(map(_has_decimals, names))):
        differs = [2 * sum(map(_has_decimals, column)) > len(column) for column in below[:-1]]
        if all(differs) or (len(names) >= MANY and names[0] == "0"):
            return True
    got = f"{', '.join(map(repr, names[:2]))}, ... in the first line, which may be names or numbers"
    return source.refuse("a header in", got, ASK)


def _has_decimals(cell: str) -> bool:
    return "." in cell or "," in cell


def _is_value(cell: str) -> bool:
    return numeral(cell) is not None or is_moment(cell)


def _are_values(cells: Sequence[str]) -> bool:
    some = cells[:_SOME]
    return 2 * sum(map(_is_value, some)) > len(some)


def _count(cells: Sequence[str]) -> bool:
    """Whether numbers ascend evenly, like names of columns: 0, 1, 2; 2019, 2020; 400, 410, 420."""
    numbers = [number for cell in cells if (number := value(cell)) is not None]
    steps = [b - a for a, b in pairwise(numbers)]
    if len(numbers) != len(cells) or not steps or min(steps) <= 0:
        return False
    even = max(steps) - min(steps) <= 1e-9 * max(steps)
    return (even and (len(steps) > 1 or steps[0] == 1)) or len(numbers) > MANY


def make_names(header: Sequence[str] | None, columns: Sequence[Sequence[str]], notes: list[str]) -> list[str]:
    """Return distinct names for the columns; empty for an index, and for a column without name and values.

    ``header`` is None in a file without one. It is one cell shorter than the rows if R wrote row names, or if every row
    but the header ends with a delimiter.
    """
    width = len(columns)
    if header is None:
        notes.append(f"no header: the columns are called c0 to c{width - 1}" if width > 1 else "no header")
        return [f"c{at}" for at in range(width)]
    names = [name.strip() for name in header]
    if len(names) == width - 1:
        names.insert(width if any(columns[0]) and not any(columns[-1]) else 0, "")
    if not names[0] and any(names):
        notes.append("the first column has no name: an index, left out")
    for at, name in enumerate(names):
        if not name and at and any(columns[at]):
            names[at] = f"c{at}"
    return _without_twins(names, notes) if any(names) else [f"c{at}" for at in range(width)]


def _without_twins(names: list[str], notes: list[str]) -> list[str]:
    counts, taken, renamed = Counter[str](), set(names), []
    for at, name in enumerate(names):
        counts[name] += 1
        if name and counts[name] > 1:
            number = counts[name] - 1
            while f"{name}.{number}" in taken:
                number += 1
            names[at] = f"{name}.{number}"
            taken.add(names[at])
            renamed.append(names[at])
    if renamed:
        notes.append(f"repeated names have a number: {', '.join(renamed[:_NAMED])}")
    return names
