"""The table: named columns of numbers or text, none of them with a gap."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._support.checks import Array, check_name, sentence
from ..._support.text import MOST, printable

AS_TEXT = "declare the column as text (text=[...])"
LEAVE_OUT = "drop the column (list the others in columns=[...])"
_FILL = "remove or fill these rows first"
_NAMES = 30  # of columns in an error, to be copied into the remedy


class UnknownColumnError(ValueError):
    """A column that the file does not have: its ``name``, and the names of those that are there, ``known``."""

    def __init__(self, message: str, name: str, known: Sequence[str]) -> None:
        super().__init__(message)
        self.name, self.known = name, known


class Table(Mapping[str, Array]):
    """Named columns of equal length: float64 where they hold numbers, ``str`` objects where they hold text.

    A table holds no missing values, no NaN and no infinity: the constructor refuses them, naming their rows.

    Parameters
    ----------
    columns : name → N values, or a frame. Numbers become float64; text and booleans become ``str``.
    source : where the table comes from, for error messages.
    lines, unit : the number of each row there (N,), and of what; by default rows counted from 1.

    Attributes
    ----------
    row_count : the number of rows, N. ``len(table)`` is the number of columns, as for any mapping.

    Raises
    ------
    ValueError
        No column, no row, columns of unequal length, missing or infinite values.
    TypeError
        A column that holds neither numbers nor text.

    Examples
    --------
    >>> from chainrule.data.tables import Table
    >>> table = Table({"height": [3.5, 20, 8], "kind": ["oak", "pine", "oak"]})
    >>> table["height"]
    array([ 3.5, 20. ,  8. ])
    >>> list(table.take([2, 0])["kind"])
    ['oak', 'oak']
    """

    def __init__(
        self,
        columns: Mapping[str, ArrayLike],
        *,
        source: str = "the table",
        lines: ArrayLike | None = None,
        unit: str = "row",
    ) -> None:
        self.source, self.unit = source, unit
        self._columns = {name: _as_column(source, name, values) for name, values in _named(columns)}
        lengths = {name: len(column) for name, column in self._columns.items()}
        self.row_count = next(iter(lengths.values()), 0)
        if self.row_count == 0:
            raise ValueError(sentence("Table", f"at least one column and one row in {source}", "none"))
        for name, length in lengths.items():
            if length != self.row_count:
                expected = f"{self.row_count} values in column {name!r} of {source}, as in {next(iter(lengths))!r}"
                raise ValueError(sentence("Table", expected, str(length)))
        self.lines = np.arange(1, self.row_count + 1) if lines is None else np.asarray(lines)
        self._refuse_missing()

    def __getitem__(self, name: str) -> Array:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return printable(f"Table({self.row_count} rows of {self.source}: {', '.join(self)})", MOST)

    def place(self, row: int) -> str:
        """Where this row stands, for an error message: ``line 12 of trees.csv``."""
        return f"{self.unit} {self.lines[row]} of {self.source}"

    def take(self, rows: ArrayLike) -> Table:
        """The table of these rows only (indices or a mask), which keep their line numbers."""
        chosen = np.asarray(rows)
        columns = {name: column[chosen] for name, column in self.items()}
        return Table(columns, source=self.source, lines=self.lines[chosen], unit=self.unit)

    def _refuse_missing(self) -> None:
        missing: dict[str, Array] = {}
        for name, column in self.items():
            text = column.dtype == object
            gaps = np.array([value is None for value in column]) if text else np.isnan(column)
            if gaps.any():
                missing[name] = gaps
            elif not text and not np.isfinite(column).all():
                row = int(np.argmin(np.isfinite(column)))
                got = f"{column[row]} at {self.place(row)}"
                raise ValueError(sentence("Table", f"finite numbers in column {name!r}", got, _FILL))
        if missing:
            raise ValueError(missing_message("Table", self.source, self.unit, self.lines, missing))


def _named(columns: Any) -> Iterator[tuple[str, Any]]:
    """The columns with their names, of a mapping or of a frame; one of polars has no ``items``."""
    if hasattr(columns, "items"):
        yield from columns.items()
    elif hasattr(columns, "columns"):
        yield from ((str(name), columns[name]) for name in columns.columns)
    else:
        expected = "a mapping from names to values, or a frame"
        raise TypeError(sentence("Table", expected, f"a {type(columns).__name__}"))


def _as_column(source: str, name: str, values: ArrayLike) -> Array:
    """Numbers as float64, text and booleans as ``str`` objects, with NaN or None where a value is missing."""
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.empty((0, 0))  # a ragged list, refused below like any other that is not one-dimensional
    if array.dtype.kind in "Uf" and isinstance(values, (list, tuple)):
        array = np.asarray(values, dtype=object)  # NumPy would cut "a\0", make "1" of 1, and round 2**63 beside -1
    if array.ndim == 1 and array.dtype.kind in "iuf":
        _refuse_rounding(source, name, array)
        return array.astype(np.float64)
    if array.ndim == 1 and array.dtype.kind in "bUO":
        column = [None if _is_gap(value) else value for value in array.tolist()]
        kinds = {type(value) for value in column if value is not None}
        if all(issubclass(kind, (str, bool, np.bool_)) for kind in kinds):
            return np.array([None if value is None else str(value) for value in column], dtype=object)
        if all(issubclass(kind, (int, float, np.number)) and kind is not bool for kind in kinds):
            whole = [value for value in column if isinstance(value, (int, np.integer))]
            _refuse_rounding(source, name, np.array(whole, dtype=object))
            return np.array(column, dtype=np.float64)
    expected = f"column {name!r} of {source} to be one list of numbers or of text"
    remedy = "turn its dates into numbers first" if array.dtype.kind in "mM" else ""
    raise TypeError(sentence("Table", expected, f"{array.dtype} values of shape {array.shape}", remedy))


def _is_gap(value: object) -> bool:
    if isinstance(value, (str, float)):
        return value == "" or (isinstance(value, float) and math.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")  # of pandas


def _refuse_rounding(source: str, name: str, values: Array) -> None:
    """Raise if a whole number has more digits than float64."""
    if values.dtype.kind == "f" or not values.size or max(int(values.max()), -int(values.min())) <= 2**53:
        return
    for value in map(int, values.tolist()):
        if int(float(value)) != value:
            expected = f"whole numbers that float64 can hold in column {name!r} of {source}"
            got = f"{value}, which it rounds to {float(value):.0f}"
            raise ValueError(sentence("Table", expected, got, f"{AS_TEXT}, or {LEAVE_OUT}"))


def missing_message(
    who: str, source: str, unit: str, lines: Array, missing: Mapping[str, Array], words: Sequence[str] = ()
) -> str:
    """The sentence that refuses a table: which rows have a gap, and in which columns (name → mask over the rows).

    ``words`` are those that stand for a missing value there.
    """
    bad = lines[np.logical_or.reduce(list(missing.values()))]
    first = ", ".join(str(line) for line in bad[:5]) + (", ..." if len(bad) > 5 else "")
    names = ", ".join(map(repr, list(missing)[:_NAMES]))
    names = f"{len(missing)} columns: {names}" if len(missing) > 5 else names
    more = f" and {len(missing) - _NAMES} more" if len(missing) > _NAMES else ""
    got = f"missing values in {len(bad)} of {len(lines)} rows ({unit}{'s' * (len(bad) > 1)} {first}), in {names}{more}"
    hardly_any_left = 100 * (len(lines) - len(bad)) < len(lines)
    remedy = "fill them first" if hardly_any_left else _FILL
    remedy += f", or {AS_TEXT} if {' or '.join(map(repr, words[:3]))} is a value" if words else ""
    return sentence(who, f"a value in every cell of {source}", got, remedy)


def choose_columns(
    path: Path, names: Sequence[str], columns: Collection[str] | None, text: Collection[str]
) -> list[str]:
    """The names of the columns to read, in the order of the file; those that are left out may lack one."""
    named = [name for name in names if name]
    for name in [*(columns or ()), *text]:
        try:
            check_name("read_table", f"a column of {path}", name, set(named))
        except ValueError as error:
            raise UnknownColumnError(str(error), name, named) from None
    chosen = [name for name in names if columns is None or name in columns]
    expected = f"a different name for each column of {path}"
    if "" in chosen:
        got = f"no name for column {names.index('') + 1}{', an index?' if not names[0] else ''}"
        raise ValueError(sentence("read_table", expected, got, f"name it in the header, or {LEAVE_OUT}"))
    if twice := [name for name, count in Counter(chosen).items() if count > 1]:
        remedy = "edit its header" + ("" if columns else f", or {LEAVE_OUT}")
        raise ValueError(sentence("read_table", expected, f"{twice[0]!r} twice", remedy))
    return chosen
