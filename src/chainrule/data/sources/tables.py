"""Tables as numbers: which columns are x, which are y."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..._support.checks import Array, as_numeric, nearest, require, sentence
from ..._support.strangers import as_array
from .files import reading

ROWS_OF_A_CURSOR = 10_000
REMEDY = "leave it out with columns=[...], or number its values, or use TabularClassifier or TabularRegressor"


class Split:
    """The columns of x, y and the weights in a table, or in all its parts."""

    def __init__(self, target: Any, columns: Any, weight: Any) -> None:
        one = {"target": [target] if isinstance(target, str) else target, "columns": columns}
        for name, given in (one | {"sample_weight": None if weight is None else [weight]}).items():
            if given is not None and not (isinstance(given, (list, tuple)) and {*map(type, given)} <= {str}):
                raise TypeError(sentence("stream", f"{name}= with names of columns", f"{given!r:.60}"))
        self.target: str | Sequence[str] | None = target
        self.weight: str | None = weight
        self.columns: list[str] | None = None if columns is None else list(columns)
        self._names: set[str] = set()  # of the first part, if they determine the columns

    @property
    def targets(self) -> list[str]:
        return [self.target] if isinstance(self.target, str) else list(self.target or ())

    def inputs(self, names: Sequence[str]) -> list[str]:
        """Return the names of the inputs, which the first part determines; raise if a column is missing."""
        known = ", ".join(map(str, names))
        if not self.targets and (self.columns is None or self.weight is not None):
            expected = "target= with the name of a column of the table"
            raise TypeError(sentence("stream", expected, "none", f"known are {known}"))
        others = [*self.targets, *([] if self.weight is None else [self.weight])]
        if self.columns is None:
            self.columns, self._names = [name for name in names if name not in others], set(names)
        for name in [*others, *self.columns]:
            if name not in names:
                raise ValueError(sentence("stream", f"a column {name!r}", f"{known}{nearest(name, map(str, names))}"))
        for name in names:
            if self._names and name not in self._names:
                got, remedy = f"a column {name!r} beside them", "choose columns=[...]"
                raise ValueError(sentence("stream", "tables with the columns of the first", got, remedy))
        return self.columns

    def batch(self, part: Any) -> Sequence[Any]:
        """Return (x, y) or (x, y, weight) of a table; whatever is no table remains as it is."""
        if hasattr(part, "__arrow_c_stream__") or hasattr(part, "__arrow_c_array__"):
            part = arrow_columns(part)
        if not isinstance(part, Mapping):
            if self.target is not None or self.columns is not None or self.weight is not None:
                remedy = "leave out target=, columns= and sample_weight=, or pass tables"
                raise TypeError(sentence("stream", "tables", f"a {type(part).__name__}", remedy))
            return part  # type: ignore[no-any-return]
        x = matrix([as_column(name, part[name]) for name in self.inputs(list(part))])
        if not self.targets:
            return (x,)
        y = [as_column(name, part[name]) for name in self.targets]
        both = x, y[0] if isinstance(self.target, str) else matrix(y)
        return both if self.weight is None else (*both, as_column(self.weight, part[self.weight]))


def check_names(names: Sequence[str]) -> None:
    """Raise if a name comes twice."""
    for name in names if len(set(names)) < len(names) else ():
        if names.count(name) > 1:
            raise ValueError(sentence("stream", "a different name for each column", f"{name!r} twice", "rename it"))


def as_column(name: str, values: Any) -> Array:
    """Return the numbers of a column, gaps as NaN."""
    array = as_array(values)
    if array.dtype.kind not in "fiubO":
        raise not_numbers(name, array.dtype)
    array = as_numeric("stream", f"column {name!r}", values)
    if array.ndim != 1:
        raise ValueError(sentence("stream", f"a number per row in column {name!r}", f"shape {array.shape}"))
    return array


def not_numbers(name: str, kind: Any) -> TypeError:
    """Return the error for a column that does not hold numbers."""
    return TypeError(sentence("stream", "columns of numbers", f"column {name!r} of type {kind}", REMEDY))


def of_all(dtypes: Iterable[np.dtype[Any]]) -> np.dtype[Any]:
    """Return the dtype of columns side by side: of small integers float32, of others float64."""
    return np.result_type(np.float32, *set(dtypes))


def matrix(columns: list[Array]) -> Array:
    """Return the columns side by side."""
    if not columns:
        raise ValueError(sentence("stream", "at least one column of inputs", "none"))
    if len({len(column) for column in columns}) > 1:
        got = " and ".join(sorted({str(len(column)) for column in columns}))
        raise ValueError(sentence("stream", "columns of equal length", got))
    x = np.empty((len(columns[0]), len(columns)), of_all(column.dtype for column in columns))
    for index, column in enumerate(columns):
        x[:, index] = column
    return x


def arrow_columns(table: Any) -> dict[str, Any]:
    """Return the columns of anything that Arrow can read."""
    with reading(f"a {type(table).__name__}", ""):
        found = require("pyarrow", "tabular", "stream").table(table)
        check_names(found.column_names)
        return {name: found[name].to_numpy() for name in found.column_names}


def tables_in(x: Any) -> Iterator[Any]:
    """Yield the parts of a table that can be read once, or of any iterable."""
    is_table = any(hasattr(x, name) for name in ("collect_batches", "fetchmany", "__arrow_c_stream__"))
    with reading(f"the {type(x).__name__}", "") if is_table else nullcontext():
        if hasattr(x, "collect_batches"):  # a LazyFrame of polars
            x = x.collect_batches()
        elif hasattr(x, "fetchmany") and getattr(x, "description", None):  # a cursor
            x = _rows_of(x)
        elif hasattr(x, "__arrow_c_stream__"):
            x = require("pyarrow", "tabular", "stream").RecordBatchReader.from_stream(x)
        parts: Iterable[Any] = x
        yield from parts


def _rows_of(cursor: Any) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    check_names(names)
    while rows := cursor.fetchmany(ROWS_OF_A_CURSOR):
        yield dict(zip(names, zip(*rows, strict=True), strict=True))
