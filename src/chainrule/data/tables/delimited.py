"""CSV and TSV: delimiter, header and the kind of each column found out, by the rules that ``read_table`` states."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..._support.checks import Array, sentence
from ..._support.files import read_bytes
from .numbers import number, refuse_written_numbers
from .table import AS_TEXT, Table, choose_columns, missing_message

MISSING = frozenset({"", "?", "NA", "N/A", "NaN", "nan", "NAN", "null", "Null", "NULL"})
_WHO = "read_table"
_NUMERIC_SHARE = 0.9
_LEADING_ZERO = re.compile("0[0-9]+")


def read_delimited(
    path: Path, delimiters: str, header: bool | None, columns: Collection[str] | None, text: Collection[str]
) -> Table:
    """The table in a text file; ``delimiters`` are those to choose among, the likeliest first."""
    content = _decode(path)
    rows, lines = _parse(path, content, _sniff(content, delimiters))
    if _has_header(path, rows) if header is None else header:
        names, rows, lines = [cell.strip() for cell in rows[0]], rows[1:], lines[1:]
    else:
        names = [f"c{i}" for i in range(len(rows[0]))]
    if not rows:
        raise ValueError(sentence(_WHO, f"rows under the header of {path}", "a header alone"))
    chosen = set(choose_columns(path, names, columns, text))
    cells = {name: [c.strip() for c in column] for name, *column in zip(names, *rows, strict=True) if name in chosen}
    gaps = {name: np.array([c in MISSING for c in col]) for name, col in cells.items() if not MISSING.isdisjoint(col)}
    if gaps:
        raise ValueError(missing_message(_WHO, str(path), "line", np.array(lines), gaps))
    typed = {name: _typed(path, name, col, lines, name in text) for name, col in cells.items()}
    return Table(typed, source=str(path), lines=lines, unit="line")


def _decode(path: Path) -> str:
    try:
        return read_bytes(_WHO, path, "table").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        got = f"byte 0x{error.object[error.start]:02x} on line {line}"
        raise ValueError(sentence(_WHO, f"{path} to be UTF-8 text", got, "save it as UTF-8 first")) from None


def _sniff(content: str, delimiters: str) -> str:
    """The delimiter that cuts the first lines into rows of equal width; the widest rows if there are several."""

    def merit(delimiter: str) -> tuple[bool, bool, int]:
        sample = io.StringIO(content[: 1 << 20], newline="")
        reader = csv.reader(sample, delimiter=delimiter, skipinitialspace=True)
        try:
            widths = [len(row) for row in itertools.islice(reader, 20) if not _is_blank(row)]
        except csv.Error:  # reported when the whole file is read
            widths = []
        width = widths[0] if widths else 1
        return width > 1, len(set(widths)) == 1, width

    return max(delimiters, key=merit)


def _is_blank(row: list[str]) -> bool:
    return len(row) < 2 and not "".join(row).strip()


def _parse(path: Path, content: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows of the file, all of the width of the first, and the line that each begins on."""
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    start = 1
    try:
        for row in reader:
            if not _is_blank(row):
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        remedy = "close its quotation marks, and double those inside"
        raise ValueError(sentence(_WHO, f"{path} to be CSV", f"'{error}' on line {start}", remedy)) from None
    if not rows:
        raise ValueError(sentence(_WHO, f"a header and rows in {path}", "an empty file"))
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(rows[0]):
            got = f"{len(row)} on line {line}"
            raise ValueError(sentence(_WHO, f"{len(rows[0])} cells on each line of {path}, as on line {lines[0]}", got))
    return rows, lines


def _has_header(path: Path, rows: list[list[str]]) -> bool:
    """The rule of ``read_table``, judging the columns by the first thousand rows."""
    first = [number(cell) is not None for cell in rows[0]]
    if not any(first):
        return True
    if all(numeric or cell.strip() in MISSING for numeric, cell in zip(first, rows[0], strict=True)):
        return False
    filled = ([cell for cell in column if cell.strip() not in MISSING] for column in zip(*rows[1:1001], strict=True))
    below = [sum(number(cell) is not None for cell in cells) >= _NUMERIC_SHARE * len(cells) for cells in filled]
    if any(under and not above for above, under in zip(first, below, strict=False)):
        return True
    cell = rows[0][first.index(True)].strip()
    got = f"{cell!r} in a first line of text and numbers"
    remedy = "pass header=False if this line is data, or header=True if it names the columns"
    raise ValueError(sentence(_WHO, f"a header in {path}", got, remedy))


def _typed(path: Path, name: str, cells: list[str], lines: list[int], as_text: bool) -> Array:
    """A column as numbers or as text, by the rule of ``read_table``."""
    if not as_text and not any(map(_LEADING_ZERO.fullmatch, cells)):
        numbers = [number(cell) for cell in cells]
        strays = numbers.count(None)
        if strays == 0:
            column = np.array(numbers, dtype=np.float64)
            if np.isfinite(column).all():
                return column
            row = int(np.argmin(np.isfinite(column)))
        elif len(cells) - strays >= _NUMERIC_SHARE * len(cells):
            row = numbers.index(None)
        else:
            refuse_written_numbers(f"column {name!r} of {path}", cells, lines, "line")
            return np.array(cells, dtype=object)
        got = f"{cells[row]!r} on line {lines[row]}"
        expected = f"numbers in column {name!r} of {path}"
        raise ValueError(sentence(_WHO, expected, got, f"correct it, or {AS_TEXT}"))
    return np.array(cells, dtype=object)
