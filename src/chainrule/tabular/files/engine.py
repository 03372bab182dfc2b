"""Read delimited text with Arrow, using a planned type for each column, and correct the plan from Arrow's errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from ..._support.checks import require
from ..numerals import COMMA, POINT, is_code, is_plain, is_whole, numeral, style
from ..words import is_missing_number, missing_between_numbers
from .sources import WHO, Options, Source, choose
from .streams import MOST_ROW, Seen, Stream, refuse_long

INTEGER, FLOAT, TEXT = "int64", "float64", "string"
ROWS = 100  # that determine the first plan


@dataclass(frozen=True)
class Plan:
    """The columns of a file: names, which to read, and the type that Arrow converts each to.

    ``doubtful`` are columns of text that may be numbers as people write them. ``shows_point`` means that a number in
    the first rows certainly has a decimal point.
    """

    names: list[str]
    chosen: list[int]
    types: list[str]
    decimal: str
    doubtful: frozenset[int]
    shows_point: bool

    @staticmethod
    def of(source: Source, names: Sequence[str], columns: Sequence[Sequence[str]], options: Options) -> Plan:
        """Plan for columns with these first cells."""
        chosen = choose(source, names, options)
        columns = [column[:ROWS] for column in columns]
        marks = {style(columns[at]).decimal for at in chosen} - {""}
        decimal = options.decimal or (COMMA if marks == {COMMA} else POINT)
        types, doubtful = [TEXT] * len(names), set()
        for at in chosen:
            if names[at] not in options.text:
                words = [cell for cell in columns[at] if not is_missing_number(cell, options.missing)]
                types[at] = _type(words, decimal)
                if types[at] == TEXT and 2 * sum(numeral(word) is not None for word in words) >= len(words):
                    doubtful.add(at)
        return Plan(list(names), chosen, types, decimal, frozenset(doubtful), POINT in marks)

    def with_text(self, places: Collection[int]) -> Plan:
        """Read these columns as text, to be examined later."""
        types = [TEXT if at in places else kind for at, kind in enumerate(self.types)]
        return replace(self, types=types, doubtful=self.doubtful | set(places))

    def numbers(self, *kinds: str) -> list[int]:
        return [at for at in self.chosen if self.types[at] in kinds]

    def corrected(self, at: int, word: str) -> Plan:
        """Correct the plan after Arrow found this word in a column of numbers."""
        if self.types[at] == INTEGER and is_plain(word, self.decimal) and not is_whole(word):
            types = [FLOAT if place == at else kind for place, kind in enumerate(self.types)]
            return replace(self, types=types)
        return self.with_text([at])


def _type(words: Sequence[str], decimal: str) -> str:
    if not words or any(map(is_code, words)) or not all(is_plain(word, decimal) for word in words):
        return TEXT
    if not all(map(is_whole, words)):
        return FLOAT
    return INTEGER if all(abs(int(word)) < 2**63 for word in words if len(word) < 100) else TEXT


# --- reading by the plan --------------------------------------------------------------------------------------------

LEAST_BLOCK, BLOCK = 1 << 20, 8 << 20  # bytes that Arrow parses at once, and bytes of a block of a table
_SINGLE, _ATTEMPTS = 6, 10  # columns corrected one by one, and maximum number of readings
_CONVERSION = re.compile(r"In CSV column #(\d+): .*? error to \w+: invalid value '(.*)'", re.DOTALL)


T = TypeVar("T")
#: The result of reading the stream, and whether a cell contains a quotation mark or a line break.
Reader: TypeAlias = "Callable[[Stream, Plan, Seen], tuple[T, bool]]"


class RefusedError(ValueError):
    """Arrow cannot parse the rows."""


@dataclass(frozen=True)
class Rows:
    """The rows of a file below its header, which can be opened repeatedly.

    ``open(seen)`` opens the stream and records what it sees. ``rewritten`` rows come from Python's csv; only they may
    contain line breaks. ``longest`` is the length in bytes of the longest of the first lines.
    """

    open: Callable[[Seen], AbstractContextManager[Stream]]
    delimiter: str
    rewritten: bool
    longest: int


def parse(source: Source, rows: Rows, plan: Plan, options: Options) -> tuple[Any, Plan]:
    """Read the chosen columns; return the Arrow table and the final plan.

    Raises
    ------
    RefusedError
        If rows differ in length, or Arrow cannot parse the quotation marks.
    """
    csv = require("pyarrow.csv", "tabular", WHO)

    def whole(stream: Stream, plan: Plan, seen: Seen) -> tuple[Any, bool]:
        table = csv.read_csv(stream_of(stream), *_orders(rows, plan, options))
        return table, seen.quotes and any(map(_holds, table.columns))

    table, plan = _read(source, rows, plan, whole)
    return _trimmed(table, plan, options), plan


def settle(source: Source, rows: Rows, plan: Plan, options: Options) -> Plan:
    """Find a plan that fits all rows, by reading them once."""
    csv = require("pyarrow.csv", "tabular", WHO)

    def nothing(stream: Stream, plan: Plan, seen: Seen) -> tuple[None, bool]:
        holds = False
        for batch in csv.open_csv(stream_of(stream), *_orders(rows, plan, options)):
            holds = holds or (seen.quotes and any(map(_holds, batch.columns)))
        return None, holds

    return _read(source, rows, plan, nothing)[1]


def blocks(rows: Rows, plan: Plan, options: Options) -> Iterator[Any]:
    """Yield the Arrow table in blocks, by a settled plan."""
    arrow, csv = require("pyarrow", "tabular", WHO), require("pyarrow.csv", "tabular", WHO)
    with rows.open(Seen(integers=False)) as stream:
        for batch in csv.open_csv(stream_of(stream), *_orders(rows, plan, options, BLOCK)):
            yield _trimmed(arrow.Table.from_batches([batch]), plan, options)


def stream_of(stream: Stream) -> Any:
    """Wrap a stream for Arrow."""
    return require("pyarrow", "tabular", WHO).PythonFile(stream, mode="r")


def _read(source: Source, rows: Rows, plan: Plan, read: Reader[T]) -> tuple[T, Plan]:
    """Call ``read`` with the plan, corrected until it fits; return the result and the plan."""
    arrow = require("pyarrow", "tabular", WHO)
    for attempt in range(_ATTEMPTS):
        seen = Seen(integers=bool(plan.numbers(INTEGER)))
        try:
            with rows.open(seen) as stream:
                result, holds = read(stream, plan, seen)
        except arrow.ArrowInvalid as error:
            plan = _learn(source, plan, str(error), attempt)
            continue
        if holds and not rows.rewritten:
            raise RefusedError("quotation marks and line breaks in cells, of which Arrow is not strict")
        if not seen.codes:
            return result, plan
        plan = plan.with_text(plan.numbers(INTEGER))
    raise RefusedError("columns of too many kinds")


def _orders(rows: Rows, plan: Plan, options: Options, least: int = LEAST_BLOCK) -> tuple[Any, Any, Any]:
    """Return Arrow's options for reading, parsing and conversion."""
    csv = require("pyarrow.csv", "tabular", WHO)
    block = min(max(least, 8 * rows.longest), MOST_ROW)
    kept, gaps = [str(at) for at in plan.chosen], missing_between_numbers(options.missing)
    return (
        csv.ReadOptions(column_names=[str(at) for at in range(len(plan.names))], block_size=block),
        csv.ParseOptions(delimiter=rows.delimiter, newlines_in_values=rows.rewritten),
        csv.ConvertOptions(
            column_types={name: plan.types[int(name)] for name in kept},
            include_columns=kept,
            null_values=[*gaps, *(f" {word}" for word in gaps)],
            strings_can_be_null=False,
            decimal_point=plan.decimal,
            check_utf8=False,
        ),
    )


def _learn(source: Source, plan: Plan, error: str, attempt: int) -> Plan:
    if found := _CONVERSION.match(error):
        if attempt >= _SINGLE:
            return plan.with_text(plan.numbers(INTEGER, FLOAT))
        return plan.corrected(int(found[1]), found[2].strip())
    if "straddling" in error:
        refuse_long(source)
    raise RefusedError(error.splitlines()[0])


def _holds(column: Any) -> bool:
    """Whether a cell of text contains a quotation mark or a line break."""
    compute = require("pyarrow.compute", "tabular", WHO)
    is_text = str(column.type) == TEXT
    return is_text and any(compute.any(compute.match_substring(column, mark)).as_py() for mark in '"\n\r')


def _trimmed(table: Any, plan: Plan, options: Options) -> Any:
    """Name the columns, strip text, and remove the user's words for missing values."""
    arrow, compute = require("pyarrow", "tabular", WHO), require("pyarrow.compute", "tabular", WHO)
    table = table.rename_columns([plan.names[at] for at in plan.chosen])
    for place, at in enumerate(plan.chosen):
        if plan.types[at] != TEXT:
            continue
        column = compute.utf8_trim_whitespace(table.column(place))
        if options.missing:
            gone = compute.is_in(column, arrow.array(sorted(options.missing)))
            column = compute.if_else(gone, None, column)
        table = table.set_column(place, table.column_names[place], column)
    return table
