"""Tables as numbers: which columns are x, which are y."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..._support.checks import Array, as_numeric, nearest, require, sentence

ROWS_OF_A_CURSOR = 10_000
REMEDY = "leave it out with columns=[...], or number its values, or use TabularClassifier or TabularRegressor"


class Split:
    """The columns of x, y and the weights in a table."""

    def __init__(self, target: str | Sequence[str] | None, columns: Sequence[str] | None, weight: str | None) -> None:
        self.target, self.columns, self.weight = target, columns, weight

    @property
    def targets(self) -> list[str]:
        return [self.target] if isinstance(self.target, str) else list(self.target or ())

    def inputs(self, names: Sequence[str]) -> list[str]:
        """Return the names of the inputs; raise if a column is missing."""
        if not self.targets and (self.columns is None or self.weight is not None):
            known = ", ".join(names)
            raise TypeError(
                sentence("stream", "target= with the name of a column of the table", "none", f"known are {known}")
            )
        others = [*self.targets, *([] if self.weight is None else [self.weight])]
        chosen = [name for name in names if name not in others] if self.columns is None else list(self.columns)
        for name in [*others, *chosen]:
            if name not in names:
                raise ValueError(sentence("stream", f"a column {name!r}", f"{', '.join(names)}{nearest(name, names)}"))
        return chosen

    def batch(self, part: Any) -> Sequence[Any]:
        """Return (x, y) or (x, y, weight) of a table; whatever is no table remains as it is."""
        if hasattr(part, "__arrow_c_stream__") or hasattr(part, "__arrow_c_array__"):
            part = arrow_columns(part)
        if not isinstance(part, Mapping):
            return part  # type: ignore[no-any-return]
        x = matrix([as_column(name, part[name]) for name in self.inputs(list(part))])
        if not self.targets:
            return (x,)
        y = [as_column(name, part[name]) for name in self.targets]
        both = x, y[0] if isinstance(self.target, str) else matrix(y)
        return both if self.weight is None else (*both, as_column(self.weight, part[self.weight]))


def as_column(name: str, values: Any) -> Array:
    """Return the numbers of a column, gaps as NaN."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiubO":
        raise not_numbers(name, array.dtype)
    return as_numeric("stream", f"column {name!r}", array)


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
    x = np.empty((len(columns[0]), len(columns)), of_all(column.dtype for column in columns))
    for index, column in enumerate(columns):
        x[:, index] = column
    return x


def arrow_columns(table: Any) -> dict[str, Any]:
    """Return the columns of anything that Arrow can read."""
    found = require("pyarrow", "tabular", "stream").table(table)
    return {name: found[name].to_numpy() for name in found.column_names}


def tables_in(x: Any) -> Iterator[Any]:
    """Yield the parts of a table that can be read once, or of any iterable."""
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
    while rows := cursor.fetchmany(ROWS_OF_A_CURSOR):
        yield dict(zip(names, zip(*rows, strict=True), strict=True))
