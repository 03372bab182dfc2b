"""Arrow's reader of rows and cells, asked for the types of a plan, and what its errors say about the plan."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..._support.checks import require
from ..words import missing_between_numbers
from .options import Options
from .plan import FLOAT, INTEGER, TEXT, Plan
from .sources import WHO, Source
from .streams import MOST_ROW, Seen, Stream, refuse_long

LEAST_BLOCK = 1 << 20  # bytes that Arrow parses at once
_SINGLE, _ATTEMPTS = 6, 10  # columns that are corrected one by one, and readings at most
_CONVERSION = re.compile(r"In CSV column #(\d+): .*? error to \w+: invalid value '(.*)'", re.DOTALL)


class RefusedError(ValueError):
    """Arrow does not understand the rows."""


@dataclass(frozen=True)
class Rows:
    """The rows of a file below its header, which can be opened again and again.

    ``open(seen)`` gives the stream, which notes what it sees. ``rewritten`` rows are those of Python's csv: only they
    may hold line breaks. ``longest`` are the bytes of the longest line of the first ones.
    """

    open: Callable[[Seen], AbstractContextManager[Stream]]
    delimiter: str
    rewritten: bool
    longest: int


def parse(source: Source, rows: Rows, plan: Plan, options: Options) -> tuple[Any, Plan]:
    """The Arrow table of the chosen columns, and the plan by which it was read in the end.

    Raises
    ------
    RefusedError
        Rows of different lengths, or quotation marks that Arrow does not understand.
    """
    arrow = require("pyarrow", "tabular", WHO)
    for attempt in range(_ATTEMPTS):
        seen = Seen(integers=bool(plan.numbers(INTEGER)))
        try:
            with rows.open(seen) as stream:
                table = _ask(stream, rows, plan, options)
        except arrow.ArrowInvalid as error:
            plan = _learn(source, plan, str(error), attempt)
            continue
        if seen.quotes and not rows.rewritten and any(_holds(column) for column in table.columns):
            raise RefusedError("quotation marks and line breaks in cells, of which Arrow is not strict")
        if not seen.codes:
            return _trimmed(table, plan, options), plan
        plan = plan.with_text(plan.numbers(INTEGER))
    raise RefusedError("columns of too many kinds")


def _ask(stream: Stream, rows: Rows, plan: Plan, options: Options) -> Any:
    arrow, csv = require("pyarrow", "tabular", WHO), require("pyarrow.csv", "tabular", WHO)
    block = min(max(LEAST_BLOCK, 8 * rows.longest), MOST_ROW)
    kept, gaps = [str(at) for at in plan.chosen], missing_between_numbers(options.missing)
    table = csv.read_csv(
        arrow.PythonFile(stream, mode="r"),
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
    return table.rename_columns([plan.names[at] for at in plan.chosen])


def _learn(source: Source, plan: Plan, error: str, attempt: int) -> Plan:
    """The plan that takes account of what Arrow met."""
    if found := _CONVERSION.match(error):
        if attempt >= _SINGLE:
            return plan.with_text(plan.numbers(INTEGER, FLOAT))
        return plan.corrected(int(found[1]), found[2].strip())
    if "straddling" in error:
        refuse_long(source)
    raise RefusedError(error.splitlines()[0])


def _holds(column: Any) -> bool:
    """Whether a cell of text holds a quotation mark or a line break."""
    compute = require("pyarrow.compute", "tabular", WHO)
    is_text = str(column.type) == TEXT
    return is_text and any(compute.any(compute.match_substring(column, mark)).as_py() for mark in '"\n\r')


def _trimmed(table: Any, plan: Plan, options: Options) -> Any:
    """Text without the blanks around it, and without the words that the user calls missing."""
    arrow, compute = require("pyarrow", "tabular", WHO), require("pyarrow.compute", "tabular", WHO)
    for place, at in enumerate(plan.chosen):
        if plan.types[at] != TEXT:
            continue
        column = compute.utf8_trim_whitespace(table.column(place))
        if options.missing:
            gone = compute.is_in(column, arrow.array(sorted(options.missing)))
            column = compute.if_else(gone, None, column)
        table = table.set_column(place, table.column_names[place], column)
    return table
