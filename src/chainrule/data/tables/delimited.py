"""CSV and TSV: delimiter, header and the kind of each column found out, by the rules that ``read_table`` states."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..._support.checks import sentence
from ..._support.files import read_bytes
from .cells import MISSING
from .columns import WHO, Column, typed
from .header import has_header
from .table import Table, choose_columns, missing_message

_EXCEL = re.compile(r'"?sep=([^\w\s"\']|\t)"?[ ]*(?=[\r\n])')  # the first line that tells Excel the delimiter


def read_delimited(
    path: Path, delimiters: str, header: bool | None, columns: Collection[str] | None, text: Collection[str]
) -> Table:
    """The table in a text file; ``delimiters`` are those to choose among, the likeliest first."""
    content = _decode(path)
    if stated := _EXCEL.match(content):
        delimiters, content = stated[1], content[stated.end() :]
    rows, lines = _parse(path, content, _sniff(content, delimiters))
    if has_header(path, rows) if header is None else header:
        names, rows, lines = [cell.strip() for cell in rows[0]], rows[1:], lines[1:]
    else:
        names = [f"c{i}" for i in range(len(rows[0]))]
    if not rows:
        raise ValueError(sentence(WHO, f"rows under the header of {path}", "a header alone"))
    chosen = set(choose_columns(path, names, columns, text))
    cells = {name: [c.strip() for c in column] for name, *column in zip(names, *rows, strict=True) if name in chosen}
    _refuse_gaps(path, cells, lines, text)
    found = {name: Column(name, str(path), column, lines) for name, column in cells.items()}
    return Table(
        {name: column.as_text() if name in text else typed(column) for name, column in found.items()},
        source=str(path),
        lines=lines,
        unit="line",
    )


def _refuse_gaps(path: Path, cells: dict[str, list[str]], lines: list[int], text: Collection[str]) -> None:
    """Raise if a cell is empty, or holds a word for a missing value in a column that is not declared as text."""
    words = {name: frozenset({""}) if name in text else MISSING for name in cells}
    gaps = {
        name: np.array([c in words[name] for c in col])
        for name, col in cells.items()
        if not words[name].isdisjoint(col)
    }
    if gaps:
        spelled = {cells[name][row] for name, mask in gaps.items() for row in np.flatnonzero(mask)} - {""}
        raise ValueError(missing_message(WHO, str(path), "line", np.array(lines), gaps, sorted(spelled)))


def _decode(path: Path) -> str:
    try:
        content = read_bytes(WHO, path, "table").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        got = f"byte 0x{error.object[error.start]:02x} on line {line}"
        raise ValueError(sentence(WHO, f"{path} to be UTF-8 text", got, "save it as UTF-8 first")) from None
    if "\0" in content:
        got = f"a NUL character on line {content.count(chr(10), 0, content.index(chr(0))) + 1}"
        raise ValueError(sentence(WHO, f"{path} to be UTF-8 text", got, "save it as UTF-8 first"))
    return content


def _sniff(content: str, delimiters: str) -> str:
    """The delimiter that cuts the first lines into rows of equal width; the widest rows if there are several."""

    def merit(delimiter: str) -> tuple[bool, bool, int]:
        sample = io.StringIO(content[: 1 << 20], newline="")
        reader = csv.reader(sample, delimiter=delimiter, skipinitialspace=True)
        try:
            widths = [len(row) for row in itertools.islice(reader, 20) if not _is_blank(row)]
        except csv.Error:  # reported when the whole file is read
            widths = []
        width = max(widths, default=1)
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
        raise ValueError(sentence(WHO, f"{path} to be CSV", f"'{error}' on line {start}", remedy)) from None
    if not rows:
        raise ValueError(sentence(WHO, f"a header and rows in {path}", "an empty file"))
    _refuse_ragged(path, rows, lines, delimiter)
    return rows, lines


def _refuse_ragged(path: Path, rows: list[list[str]], lines: list[int], delimiter: str) -> None:
    """Raise if a row is not as wide as the first, with the likely cause."""
    width = len(rows[0])
    odd = next((at for at, row in enumerate(rows) if len(row) != width), None)
    if odd is None:
        return
    got = f"{len(rows[odd])} on line {lines[odd]}"
    remedy = f"correct the line, and quote cells that hold {delimiter!r}"
    if odd == 1 and len({len(row) for row in rows[1:]}) == 1:
        got += " and on all that follow"
        remedy = f"remove what stands above line {lines[odd]}, unless it is the header"
        if len(rows[odd]) == width + 1:
            remedy = "if each begins with a row name, as R writes, put a name for it in front of the first line"
            if not any(row[-1].strip() for row in rows[1:]):
                remedy = f"remove the {delimiter!r} at their ends"
    raise ValueError(sentence(WHO, f"{width} cells on each line of {path}, as on line {lines[0]}", got, remedy))
