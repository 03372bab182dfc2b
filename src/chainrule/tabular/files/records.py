"""Convert rows of Python values to an Arrow table in batches: from JSON, SQLite databases and Excel workbooks.

JSON is one object per line, or a list of objects; each key is a column. A database is opened read-only and never
trusted. A sheet of a workbook is read row by row with openpyxl.
"""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, NoReturn
from urllib.parse import quote

from ..._support.checks import nearest, require
from .cells import Findings, resolve
from .first_lines import ROWS, has_header, make_names
from .sources import MOST_COLUMNS, WHO, Options, Source, check_members, choose, unpacked
from .streams import as_utf8, find_encoding, lines_of

_SPARE, _RATIO = 1 << 22, 6  # maximum number of cells in a small file, and per byte of a larger one
_TEXT_SPARE, _TEXT_RATIO = 64 << 20, 50  # the same for characters of text
_BATCH, _ROWS = 1 << 19, 256  # cells held as Python objects at a time, and the minimum number of rows


def most_cells(source: Source) -> int:
    """Return the maximum number of cells for a file of this size; more is a bomb."""
    return max(_SPARE, _RATIO * source.path.stat().st_size)


def as_table(source: Source, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Convert rows, each with a value for every name, to an Arrow table; columns of mixed types become text."""
    arrow = require("pyarrow", "tabular", WHO)
    columns: list[list[Any]] = [[] for _ in names]
    batch: list[Sequence[Any]] = []
    width, most = max(len(names), 1), most_cells(source)
    most_text = max(_TEXT_SPARE, _TEXT_RATIO * source.path.stat().st_size)
    count = text = held = 0
    for row in rows:
        batch.append(row)
        length = sum(len(value) for value in row if isinstance(value, (str, bytes)))
        count, text, held = count + width, text + length, held + width + length // 16
        if count > most or text > most_text:
            what = f"{most:,} cells" if count > most else f"{most_text:,} characters"
            source.refuse(f"at most {what} in", "more", "name fewer columns, or write it as Parquet")
        if held >= _BATCH and len(batch) >= _ROWS:
            _take(arrow, batch, columns)
            batch, held = [], 0
    _take(arrow, batch, columns)
    return arrow.table(dict(zip(names, (_joined(arrow, parts) for parts in columns), strict=True)))


def _take(arrow: Any, batch: Sequence[Sequence[Any]], columns: list[list[Any]]) -> None:
    for parts, values in zip(columns, zip(*batch, strict=True), strict=False):
        parts.append(_array(arrow, values))


def _array(arrow: Any, values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float} and kinds != {float} and all(abs(v) < 2**63 for v in values if v is not None):
        return arrow.array(values, arrow.float64() if float in kinds else arrow.int64() if kinds else arrow.null())
    if len(kinds) == 1 and kinds <= {bool, float}:
        return arrow.array(values, arrow.bool_() if bool in kinds else arrow.float64())
    if kinds <= {datetime.datetime, datetime.date}:
        return arrow.array([_moment(value) for value in values], arrow.timestamp("us"))
    texts = [_text(value) for value in values]
    try:
        return arrow.array(texts, arrow.string())
    except UnicodeEncodeError:  # a lone surrogate
        return arrow.array([text and text.encode("utf-8", "replace").decode() for text in texts], arrow.string())


def _moment(value: Any) -> datetime.datetime | None:
    """Convert a date or moment to UTC, without a zone."""
    if value is None:
        return None
    if not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value.astimezone(datetime.UTC).replace(tzinfo=None) if value.tzinfo else value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (bool, list, dict)) else str(value)


def _joined(arrow: Any, parts: Sequence[Any]) -> Any:
    """Join the parts of a column: as numbers if all are, otherwise as text."""
    types = {part.type for part in parts} - {arrow.null()}
    if types == {arrow.int64(), arrow.float64()}:
        found = arrow.float64()
    else:
        found = next(iter(types), arrow.null()) if len(types) < 2 else arrow.string()
    return arrow.chunked_array([part.cast(found) for part in parts], found)


# --- JSON -----------------------------------------------------------------------------------------------------------

_OBJECT = re.compile(r'\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})')
_MOST_LIST = 256 << 20  # characters of a list, which is read as a whole


def is_json(head: str, suffix: str) -> bool:
    """Whether a text is JSON: it begins with an object, or with a list if the suffix is that of JSON."""
    start = head.lstrip("\ufeff \t\r\n")
    if suffix in (".json", ".jsonl", ".ndjson"):
        return start[:1] in ("{", "[")
    return _OBJECT.match(start) is not None


def read_json_lines(source: Source, options: Options) -> tuple[Any, list[str]]:
    """Read all objects into an Arrow table; an absent key is a missing value."""
    names: dict[str, int] = {}
    for record in _records(source, options):
        for name in record:
            names.setdefault(name, len(names))
        if len(names) > MOST_COLUMNS:
            source.refuse(f"at most {MOST_COLUMNS:,} columns in", "more", "write it as CSV or Parquet")
    if not names:
        source.refuse("rows in", "none")
    found = list(names)
    chosen = [found[at] for at in choose(source, found, options)]
    table = as_table(source, chosen, ([record.get(name) for name in chosen] for record in _records(source, options)))
    return table, []


def _records(source: Source, options: Options) -> Iterator[dict[str, Any]]:
    with unpacked(source) as chunks:
        encoding = find_encoding(source, next(chunks, b""), options.encoding)
    with unpacked(source) as chunks:
        lines = lines_of(source, as_utf8(source, chunks, encoding))
        for number, line in enumerate(lines, 1):
            if number == 1 and line.lstrip().startswith("["):
                yield from _of_list(source, line, lines)
                return
            if line.strip():
                yield _object(source, _parsed(source, line, f"on line {number}"), f"on line {number}")


def _of_list(source: Source, text: str, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    parts, count = [text], len(text)
    for line in lines:
        parts.append(line)
        count += len(line)
        if count > _MOST_LIST:
            got = f"more than {_MOST_LIST:,} characters in a list"
            source.refuse("objects in", got, "write one object on each line")
    found = _parsed(source, "".join(parts), "in the list")
    for number, value in enumerate(found if isinstance(found, list) else [], 1):
        yield _object(source, value, f"as number {number}")


def _parsed(source: Source, text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)  # NaN
    except json.JSONDecodeError as error:
        _refuse_object(source, f"{error.msg!r} at character {error.colno}", where)
    except (ValueError, RecursionError):
        _refuse_object(source, "a number of too many digits, or too great a depth,", where)


def _object(source: Source, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse_object(source, f"a {type(value).__name__}", where)
    return value


def _refuse_object(source: Source, got: str, where: str) -> NoReturn:
    source.refuse("an object of names and values on each line of", f"{got} {where}", "write it as JSON lines or CSV")


# --- SQLite ---------------------------------------------------------------------------------------------------------

_MOST_VALUE = 16 << 20  # bytes of a text or blob
_FEW = 10
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"


def read_sqlite(source: Source, options: Options) -> tuple[Any, list[str]]:
    """Read ``file.db::table``, the only table, or the result of ``query``."""
    uri = f"file:{quote(str(source.path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE)
            connection.execute("PRAGMA trusted_schema = OFF")
            cursor = connection.execute(options.query or _select(source, connection))
            if cursor.description is None:
                source.refuse("a query that gives rows of", repr(options.query), "begin it with SELECT")
            return _fetched(source, cursor, options)
    except (sqlite3.Error, sqlite3.Warning) as error:
        source.refuse(
            "a table that can be read in", str(error), "check the query" if options.query else "copy the file again"
        )


def _select(source: Source, connection: sqlite3.Connection) -> str:
    found = connection.execute(_TABLES)
    names = [name for (name,) in found]
    name = source.part if source.part is not None else names[0] if len(names) == 1 else None
    if name not in names:
        some = ", ".join(map(str, names[:_FEW])) + (", ..." if len(names) > _FEW else "")
        got = f"{len(names)} tables" if name is None else f"{name!r}{nearest(name, map(str, names))}"
        remedy = f"write {source.path.name}::NAME, or pass query=...; there are {some}"
        source.refuse("the name of a table in", got, remedy)
    quoted = str(name).replace('"', '""')
    return f'SELECT * FROM "{quoted}"'


def _fetched(source: Source, cursor: sqlite3.Cursor, options: Options) -> tuple[Any, list[str]]:
    notes: list[str] = []
    header = [str(entry[0]) for entry in cursor.description]
    names = make_names(header, [["?"]] * len(header), notes)
    chosen = choose(source, names, options)
    rows: Iterator[list[Any]] = ([row[at] for at in chosen] for row in cursor)
    table = as_table(source, [names[at] for at in chosen], rows)
    if not table.num_rows:
        source.refuse("rows in", "none")
    return table, notes


# --- Excel ----------------------------------------------------------------------------------------------------------


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
        _refuse_damaged(source, error)
    except (KeyError, TypeError, AttributeError, IndexError, OSError, SyntaxError, RecursionError) as error:  # damaged
        _refuse_damaged(source, error)


def _refuse_damaged(source: Source, error: Exception) -> NoReturn:
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
    names = make_names(texts[0] if header else None, below, notes)
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
