"""Read a sheet of an Excel workbook row by row with openpyxl."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, NoReturn

from ..._support.checks import nearest, require
from .cells import Findings, resolve
from .header import ROWS, has_header, make_names
from .options import Options, choose
from .records import as_table, most_cells
from .sources import WHO, Source, check_members


def read_workbook(source: Source, options: Options) -> tuple[Any, list[str]]:
    """Read a sheet: the one that is named, or the first."""
    openpyxl = require("openpyxl", "excel", WHO)
    check_members(source)
    notes: list[str] = []
    try:
        with (
            source.path.open("rb") as file,
            closing(openpyxl.load_workbook(file, read_only=True, data_only=True)) as book,
        ):
            sheet = _sheet(source, book, options, notes)
            return _read(source, _rows(source, sheet), options, notes)
    except ValueError as error:
        if str(error).startswith(f"{WHO} expects "):
            raise
        _refuse(source, error)
    except (KeyError, TypeError, AttributeError, IndexError, OSError, SyntaxError, RecursionError) as error:  # damaged
        _refuse(source, error)


def _refuse(source: Source, error: Exception) -> NoReturn:
    source.refuse("a whole workbook in", f"a damaged one ({type(error).__name__}: {error})", "save it again, or as CSV")


def _sheet(source: Source, book: Any, options: Options, notes: list[str]) -> Any:
    names = [sheet.title for sheet in book.worksheets]
    wanted = options.sheet
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(names):
        return book.worksheets[wanted]
    if wanted is not None and wanted not in names:
        got = f"{wanted!r}{nearest(str(wanted), names)}"
        source.refuse("the name of a sheet of", got, "there are " + ", ".join(names[:10]))
    if wanted is None and len(names) > 1:
        notes.append(f"the first of {len(names)} sheets, {names[0]!r}; sheet=... names another")
    if not names:
        source.refuse("a sheet with cells in", "none")
    return book.worksheets[0 if wanted is None else names.index(wanted)]


def _rows(source: Source, sheet: Any) -> Iterator[list[Any]]:
    """Yield the rows that are not empty, without empty cells at their ends."""
    count, most = 0, most_cells(source)
    for row in sheet.iter_rows(values_only=True):
        count += max(len(row), 1)
        if count > most:
            source.refuse(f"at most {most:,} cells in", "more", "save the table as CSV")
        cells = list(row)
        while cells and (cells[-1] is None or cells[-1] == ""):
            cells.pop()
        if cells:
            yield cells


def _read(source: Source, rows: Iterator[list[Any]], options: Options, notes: list[str]) -> tuple[Any, list[str]]:
    first = [row for row, _ in zip(rows, range(ROWS + 1), strict=False)]
    if not first:
        source.refuse("a header and rows in", "an empty sheet")
    width = max(map(len, first))
    texts = [[_as_text(row[at]) if at < len(row) else "" for at in range(width)] for row in first]
    below = [list(column) for column in zip(*texts[1:], strict=True)] or [[] for _ in range(width)]
    header = has_header(source, texts[0], below) if options.header is None else options.header
    if header and len(first) == 1:
        source.refuse("rows under the header of", "a header alone")
    names = make_names(source, texts[0] if header else None, below, notes)
    chosen = choose(source, names, options)
    body = _chosen(source, [*first[header:]], rows, chosen, width)
    table = as_table(source, [names[at] for at in chosen], body)
    findings = Findings()
    doubtful = [
        place
        for place, field in enumerate(table.schema)
        if str(field.type) == "string" and field.name not in options.text
    ]
    return resolve(source, table, doubtful, options.decimal, options.missing, findings), notes + findings.notes()


def _chosen(
    source: Source, first: Sequence[list[Any]], rest: Iterable[list[Any]], chosen: Sequence[int], width: int
) -> Iterator[list[Any]]:
    """Yield the cells of the chosen columns; a row longer than the header and the first rows raises an error."""
    for part in (first, rest):
        for row in part:
            if len(row) > width:
                source.refuse(f"{width} cells in each row of", str(len(row)), "remove the cells beside the table")
            yield [_plain(row[at]) if at < len(row) else None for at in chosen]


def _plain(value: Any) -> Any:
    """Convert a value to what other formats give: text stripped, times of day as text."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value


def _as_text(value: Any) -> str:
    return "" if value is None else str(value).strip()
