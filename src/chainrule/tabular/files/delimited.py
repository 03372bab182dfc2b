"""Read delimited text: the first lines determine encoding, delimiter, header and types, and Arrow reads the rest.

Arrow is strict: a row of another length is an error. This file adds what Arrow lacks. Bytes are checked as they pass.
Cells such as ``007``, whose zeros an integer would lose, are detected. If Arrow refuses a row, Python's csv reads the
file again, and either names the line or reads it correctly.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NoReturn, TypeVar

import numpy as np

from ..._support.checks import require
from ..._support.files import CHUNK
from ..moments import is_moment
from ..numerals import COMMA, POINT, numeral
from .cells import COMMA_SAID, Findings, resolve
from .engine import TEXT, Plan, RefusedError, Rows, blocks, parse, settle
from .first_lines import (
    BLANK,
    ROWS,
    Dialect,
    columns_of,
    find_dialect,
    first_rows,
    has_header,
    make_names,
    names_values,
    rows_of,
)
from .sources import WHO, Options, Source, unpacked
from .streams import (
    SAID,
    NotUtf8Error,
    Seen,
    Stream,
    as_utf8,
    find_encoding,
    guess_encoding,
    lines_of,
    one_blank,
    watched,
    without_lines,
)

SAMPLE, LINES = 4 << 20, 2 * ROWS  # bytes, or lines, that determine delimiter, header and types
_CELLS = 500_000  # of them
_MOST_OF = 0.9  # minimum share of rows with the same number of cells
T = TypeVar("T")


@dataclass(frozen=True)
class Layout:
    """The layout of a file: encoding, dialect, number of lines above the first row, and columns."""

    encoding: str
    dialect: Dialect
    skip: int
    names: list[str]
    columns: list[list[str]] = field(repr=False)  # the first cells of each
    longest: int  # bytes of a line


def read_delimited(source: Source, options: Options, suffix: str = "") -> tuple[Any, list[str]]:
    """Read a text file; return the Arrow table and notes."""
    return _decoded(source, options, lambda encoding: _read(source, options, encoding, suffix))


def delimited_blocks(
    source: Source, options: Options, suffix: str = "", findings: Findings | None = None
) -> Iterator[Any]:
    """Read a text file in blocks, for tables larger than memory: once for the types, once for the rows.

    With ``findings``, columns of text that may be numbers are only noted there: who sees more than a block decides.
    """
    with ExitStack() as held:

        def settled(encoding: str) -> tuple[Rows, Plan]:
            layout = _find_layout(source, options, encoding, suffix, [])
            plan = Plan.of(source, layout.names, layout.columns, options)
            try:
                rows = _rows(source, layout)
                return rows, settle(source, rows, plan, options)
            except RefusedError:
                rows = held.enter_context(_rewritten(source, layout))
                return rows, settle(source, rows, plan, options)

        rows, plan = _decoded(source, options, settled)
        is_raw, findings = findings is not None, Findings() if findings is None else findings
        _note(plan, findings)
        for table in blocks(rows, plan, options):
            if not is_raw:
                table = _resolved(source, table, findings, options)
                if findings.means_comma and options.decimal is None:
                    if source.above:
                        got = f"a comma before decimals after {source.above:,} rows"
                        source.refuse("one decimal mark in", got, "pass decimal='.' or ','")
                    yield from delimited_blocks(source, replace(options, decimal=COMMA), suffix)
                    return
            yield table
            source = replace(source, above=source.above + table.num_rows)


def _decoded(source: Source, options: Options, read: Callable[[str], T]) -> T:
    """Call ``read`` with the encoding of the file; if a later byte is not UTF-8, guess again."""
    with unpacked(source) as chunks:
        head = next(chunks, b"")
    try:
        return read(find_encoding(source, head, options.encoding))
    except NotUtf8Error as error:
        if options.encoding is not None:
            source.refuse("UTF-8 text in", str(error), "pass another encoding")
        return read(guess_encoding(source, error))


def _read(source: Source, options: Options, encoding: str, suffix: str) -> tuple[Any, list[str]]:
    notes = [SAID[encoding]] if encoding in SAID and options.encoding is None else []
    layout = _find_layout(source, options, encoding, suffix, notes)
    plan = Plan.of(source, layout.names, layout.columns, options)
    table, findings = _table(source, layout, plan, options)
    if findings.means_comma and options.decimal is None:
        plan = Plan.of(source, layout.names, layout.columns, replace(options, decimal=COMMA))
        table, findings = _table(source, layout, plan, options)
    if plan.decimal == COMMA:
        notes.append("the comma is the decimal mark")
        findings.said.pop(COMMA_SAID, None)
    count = 0 if options.columns else _empty_at_the_end(table)
    if count:
        notes.append(f"the last {count:,} lines hold no value: left out")
    return table.slice(0, table.num_rows - count), notes + findings.notes()


def _empty_at_the_end(table: Any) -> int:
    """Count empty rows at the end, as spreadsheets leave them."""
    compute = require("pyarrow.compute", "tabular", WHO)
    if any(value not in (None, "") for value in table.slice(table.num_rows - 1).to_pylist()[0].values()):
        return 0
    last = 0
    for column in table.columns:
        filled = compute.fill_null(
            compute.not_equal(column, "") if str(column.type) == TEXT else column.is_valid(), False
        )
        places = np.flatnonzero(filled.to_numpy())
        last = max(last, int(places[-1]) if len(places) else 0)
    return int(table.num_rows) - 1 - last


# --- the first lines ----------------------------------------------------------------------------------------------


def _find_layout(source: Source, options: Options, encoding: str, suffix: str, notes: list[str]) -> Layout:
    sample, is_whole = _sample(source, encoding)
    dialect = find_dialect(sample, suffix, options.delimiter)
    text = re.split("\r\n|\n|\r", sample, maxsplit=1)[1] if dialect.stated else sample
    rows = first_rows(text, dialect.delimiter, ROWS + 1, _CELLS)
    if not rows:
        source.refuse("a header and rows in", "an empty file")
    if len(rows) == 1:
        _check_csv(source, text, dialect, is_whole)
    width = _width(rows)
    columns = columns_of(rows[1:], width)
    header = has_header(source, rows[0], columns) if options.header is None else options.header
    if header and len(rows) == 1:
        source.refuse("rows under the header of", "a header alone")
    if header and (len(rows[0]) not in (width, width - 1) or _is_title(rows, width)):
        _refuse_width(source, rows[0], width)
    if not header:
        columns = columns_of(rows, width)
    names = make_names(rows[0] if header else None, columns, notes)
    skip = dialect.stated + (_line_of_second(text, dialect.delimiter) if header else 0)
    return Layout(encoding, dialect, skip, names, columns, max(map(len, sample.split("\n"))))


def _width(rows: list[list[str]]) -> int:
    """Return the number of cells of nearly all rows after the first; otherwise that of the first."""
    width, count = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0]
    return width if count >= _MOST_OF * (len(rows) - 1) else len(rows[0])


def _check_csv(source: Source, text: str, dialect: Dialect, is_whole: bool) -> None:
    """Raise a ValueError if Python's csv cannot parse the first rows, or if they are fewer than two."""
    for _ in _strict_rows(source, io.StringIO(text, newline=""), dialect.delimiter, dialect.stated):
        pass
    if not is_whole:
        source.refuse(f"two rows in the first {SAMPLE:,} bytes of", "a longer one", "check its line ends and quotes")


def _sample(source: Source, encoding: str) -> tuple[str, bool]:
    """Return the first lines of a file, and whether they are the whole file."""
    sample, is_whole = bytearray(), True
    with unpacked(source) as chunks:
        for chunk in as_utf8(source, chunks, encoding):
            sample += chunk
            if len(sample) >= SAMPLE or chunk.count(b"\n") > LINES:
                is_whole = False
                break
    text = sample.decode("utf-8", "ignore")  # the last character may be incomplete
    if is_whole or "\n" not in text:
        return text, is_whole
    lines = list(islice(io.StringIO(text, newline=""), LINES + 1))
    return "".join(lines[:-1]), False


def _line_of_second(text: str, delimiter: str) -> int:
    """Count the lines above the second row."""
    rows = rows_of(io.StringIO(text, newline=""), delimiter)
    next(rows)
    return next(rows)[0] - 1


def _is_title(rows: list[list[str]], width: int) -> bool:
    """Whether a short first line is a title above the header."""
    if len(rows[0]) == width or len(rows) < 3 or len(rows[1]) < width:
        return False
    texts = [at for at, cell in enumerate(rows[1]) if numeral(cell) is None and not is_moment(cell)]
    return len(texts) == width and names_values(texts, columns_of(rows[2:], width))


def _refuse_width(source: Source, header: list[str], width: int) -> NoReturn:
    remedy = "remove the lines above the header, or correct it"
    source.refuse(_cells(width), f"{len(header)} on the first", remedy)


# --- the rows -----------------------------------------------------------------------------------------------------


def _table(source: Source, layout: Layout, plan: Plan, options: Options) -> tuple[Any, Findings]:
    try:
        table, plan = parse(source, _rows(source, layout), plan, options)
    except RefusedError:
        with _rewritten(source, layout) as rows:
            table, plan = parse(source, rows, plan, options)
    if not table.num_rows:
        source.refuse("rows under the header of", "a header alone")
    findings = Findings()
    _note(plan, findings)
    return _resolved(source, table, findings, options), findings


def _note(plan: Plan, findings: Findings) -> None:
    """Note what the first rows show, and which columns are still in doubt."""
    findings.marks |= {POINT} if plan.shows_point else {COMMA} if plan.decimal == COMMA else set()
    findings.doubtful |= {plan.names[at] for at in plan.doubtful}
    findings.planned = plan.decimal


def _resolved(source: Source, table: Any, findings: Findings, options: Options) -> Any:
    """Convert columns of text that are numbers."""
    doubtful = [at for at, name in enumerate(table.column_names) if name in findings.doubtful]
    return resolve(source, table, doubtful, options.decimal, options.missing, findings)


def _rows(source: Source, layout: Layout) -> Rows:
    """Return the rows as written in the file."""
    delimiter = layout.dialect.delimiter

    @contextmanager
    def opened(seen: Seen) -> Iterator[Stream]:
        with unpacked(source) as chunks:
            body = without_lines(as_utf8(source, chunks, layout.encoding), layout.skip)
            body = one_blank(body) if delimiter == BLANK else body
            yield Stream(watched(body, delimiter, seen))

    return Rows(opened, delimiter, False, layout.longest)


@contextmanager
def _rewritten(source: Source, layout: Layout) -> Iterator[Rows]:
    """Rewrite the rows unambiguously to a temporary file with Python's csv; a ragged row raises an error."""
    delimiter, width = layout.dialect.delimiter, len(layout.names)
    with tempfile.TemporaryFile() as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        with unpacked(source) as chunks:
            lines = lines_of(source, without_lines(as_utf8(source, chunks, layout.encoding), layout.skip))
            for line, row in _strict_rows(source, lines, delimiter, layout.skip):
                if len(row) != width:
                    _refuse_ragged(source, layout, line, len(row))
                writer.writerow(row)
        text.detach()

        @contextmanager
        def opened(seen: Seen) -> Iterator[Stream]:
            file.seek(0)
            body = iter(lambda: file.read(CHUNK), b"")
            yield Stream(watched(body, ",", seen))

        yield Rows(opened, ",", True, layout.longest)


def _strict_rows(source: Source, lines: Iterable[str], delimiter: str, above: int) -> Iterator[tuple[int, list[str]]]:
    """Yield rows and the lines on which they begin; raise a ValueError if Python's csv cannot parse one."""
    rows, last = rows_of(lines, delimiter, strict=True), above
    while True:
        try:
            line, row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            after, most = f"after line {max(last, 1)}", csv.field_size_limit()
            if "field limit" in str(error):
                remedy = "close its quotation marks, or leave the column out"
                source.refuse(f"cells of at most {most:,} characters in", f"a longer one {after}", remedy)
            source.refuse("CSV in", f"'{error}' {after}", "close its quotation marks, and double those inside")
        last = above + line
        yield last, row


def _refuse_ragged(source: Source, layout: Layout, line: int, count: int) -> NoReturn:
    delimiter = layout.dialect.delimiter
    named = {BLANK: "blanks", "\t": "a tab"}.get(delimiter, repr(delimiter))
    remedy = f"correct the line, and quote cells that hold {named}"
    source.refuse(_cells(len(layout.names)), f"{count} on line {line}", remedy)


def _cells(width: int) -> str:
    return f"{width} cell{'s' * (width != 1)} on each line of"
