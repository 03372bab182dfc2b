"""Convert the columns of any frame to NumPy: numbers, words or moments, and a mask of missing values, never rounded.

pandas, polars, Arrow, dicts of arrays and matrices all give the same result.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .._support.checks import Array, is_masked, nearest, require, sentence
from .._support.strangers import is_gap
from .moments import NO_MOMENT

_EXACT = 2.0**53  # above it, float64 does not hold every integer
_LARGEST = np.iinfo(np.int64).max
_FINE = {"generic": 1, "us": 1, "ns": 10**3, "ps": 10**6, "fs": 10**9, "as": 10**12}  # parts of a microsecond


@dataclass(frozen=True)
class Numbers:
    """int64, uint64 or float64 (N,), and a mask of missing values (N,)."""

    values: Array
    missing: Array

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Words:
    """The distinct texts in order of appearance, and the index of each cell's text (N,), −1 if missing."""

    words: tuple[str, ...]
    codes: Array

    def __len__(self) -> int:
        return len(self.codes)

    def counts(self) -> Array:
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))


@dataclass(frozen=True)
class Moments:
    """int64 microseconds since 1970 in UTC (N,), ``NO_MOMENT`` if missing."""

    values: Array

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Others:
    """Values that no network accepts: lists, complex numbers."""

    what: str
    rows: int

    def __len__(self) -> int:
        return self.rows


Column: TypeAlias = "Numbers | Words | Moments | Others"
_COLUMNS = (Numbers, Words, Moments, Others)


def rows_of(column: Column, rows: Any) -> Column:
    """Some rows of a column: an index array, a mask or a slice."""
    if isinstance(column, Numbers):
        return Numbers(column.values[rows], column.missing[rows])
    if isinstance(column, Words):
        return Words(column.words, column.codes[rows])
    if isinstance(column, Moments):
        return Moments(column.values[rows])
    return Others(column.what, len(np.empty(column.rows, np.bool_)[rows]))


def is_cell(value: Any) -> bool:
    """Whether this is a single value, not the values of a column."""
    return not hasattr(value, "__len__") or isinstance(value, (str, bytes))


class Frame:
    """Any table by its columns.

    Parameters
    ----------
    who : str
        The call that errors name.
    table : frame, Table, mapping or array (N, I)
        A pandas, polars, Arrow or narwhals frame, a Table, a mapping of names to values, or a matrix.
    trims : bool
        Whether words have no blanks around them, as in the tables that are read from files.
    """

    def __init__(self, who: str, table: Any, *, trims: bool = False) -> None:
        self._who, self._trims = who, trims
        self._columns = _by_name(who, table)
        if not self._columns:
            raise ValueError(sentence(who, "a table with columns", "none"))
        for name, values in self._columns.items():
            if is_cell(values):
                remedy = "put it into a list, of one value for a single row"
                raise TypeError(sentence(who, f"the values of column {name!r}", repr(values), remedy))
        lengths = {name: len(values) for name, values in self._columns.items()}
        self.rows = next(iter(lengths.values()))
        for name, length in lengths.items():
            if length != self.rows:
                expected = f"{self.rows} values in column {name!r}, as in {next(iter(lengths))!r}"
                raise ValueError(sentence(who, expected, str(length)))

    @property
    def names(self) -> list[str]:
        return list(self._columns)

    def column(self, name: str) -> Column:
        """Return a column; raise a ValueError if it does not exist."""
        if name not in self._columns:
            some = ", ".join(self.names[:20]) + (", ..." if len(self._columns) > 20 else "")
            got = f"{some}{nearest(name, self._columns)}"
            raise ValueError(sentence(self._who, f"a column {name!r}", got, "rename it, or add it"))
        column = as_column(self._columns[name])
        return trimmed(column) if self._trims and isinstance(column, Words) else column


def _by_name(who: str, table: Any) -> dict[str, Any]:
    """Return the original columns, by the text of their names."""
    from .reading import Table

    if isinstance(table, Table):
        table = table.frame
    if isinstance(table, Mapping):
        return _named(who, list(table.items()))
    if isinstance(table, np.ndarray) or (isinstance(table, (list, tuple)) and not hasattr(table, "columns")):
        matrix = np.asarray(table)
        if matrix.ndim != 2:
            raise ValueError(sentence(who, "a table or a matrix (N, I)", f"shape {matrix.shape}"))
        return {f"x{at}": matrix[:, at] for at in range(matrix.shape[1])}
    narwhals = require("narwhals", "tabular", who)
    try:
        frame = narwhals.from_native(table, eager_only=True)
        return _named(who, [(name, frame.get_column(name)) for name in frame.columns])
    except TypeError:
        remedy = "call collect() first" if hasattr(table, "collect") else ""
        kind = f"{type(table).__module__.split('.')[0]} {type(table).__name__}"
        raise TypeError(
            sentence(who, "a frame of pandas, polars or Arrow, or a dict of arrays", kind, remedy)
        ) from None
    except narwhals.exceptions.NarwhalsError as error:
        got = str(error).splitlines()[-1].strip("- ")
        raise ValueError(sentence(who, "a different name for each column", got, "rename it")) from None


def _named(who: str, columns: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    found = {str(name): values for name, values in columns}
    if len(found) < len(columns):
        raise ValueError(sentence(who, "a different name for each column", "names with equal text", "rename them"))
    return found


def as_column(values: Any) -> Column:
    """Convert a series, an array or a list to numbers, words or moments; a column stays as it is."""
    if isinstance(values, _COLUMNS):
        return values
    if hasattr(values, "to_native") and hasattr(values, "null_count"):
        return _of_series(values)
    if is_masked(values):
        filled: Array = np.array(values, object)
        filled[np.ma.getmaskarray(values)] = None
        return _of_array(filled)
    array: Array
    if isinstance(values, (list, tuple)):
        array = np.empty(len(values), object)
        array[:] = values
    else:
        array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        return Others(f"arrays of shape {array.shape[1:]}", len(array) if array.ndim else 0)
    return _of_array(array)


def _of_series(series: Any) -> Column:
    """Convert a narwhals series."""
    if series.dtype.is_integer() and series.null_count():
        return Numbers(_integers(series.fill_null(0).to_numpy()), series.is_null().to_numpy().astype(bool))
    native = series.to_native()
    if type(native).__module__.startswith("pyarrow") and str(series.dtype) in ("String", "Categorical"):
        return _of_arrow(native)
    return _of_array(series.to_numpy())


def _of_arrow(native: Any) -> Words:
    """Convert an Arrow column of text, without an object for each cell."""
    column = native.combine_chunks()
    coded = column if hasattr(column, "dictionary") else column.dictionary_encode()
    words = [str(word) for word in coded.dictionary.to_pylist()]
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Words(tuple(words), codes)


def _of_array(array: Array) -> Column:
    kind = array.dtype.kind
    if kind in "iu":
        return Numbers(_integers(array), np.zeros(len(array), bool))
    if kind == "f":
        values = array.astype(np.float64, copy=False)
        return Numbers(values, np.isnan(values))
    if kind == "b":
        return Words(("false", "true"), array.astype(np.int32))
    if kind == "M":
        return Moments(_microseconds(array))
    if kind == "m":
        missing = np.isnat(array)
        return Numbers(np.where(missing, np.nan, array / np.timedelta64(1, "s")), missing)
    if kind in "USTO":
        return _of_objects(array.astype(object))
    return Others(f"{array.dtype} values", len(array))


def _integers(array: Array) -> Array:
    is_large = array.dtype.kind == "u" and array.dtype.itemsize == 8
    return array.astype(np.uint64 if is_large else np.int64, copy=False)


def _microseconds(array: Array) -> Array:
    """Convert datetime64 of any unit to microseconds, clipped to int64."""
    numbers, (unit, count) = array.astype(np.int64), np.datetime_data(array.dtype)
    if unit in _FINE:
        values = numbers * count // _FINE[unit]
    else:
        last = np.array(_LARGEST, "datetime64[us]").astype(array.dtype).astype(np.int64)
        fits = abs(numbers) <= last
        moments = np.where(fits, numbers, 0).astype(array.dtype).astype("datetime64[us]").astype(np.int64)
        values = np.where(fits, moments, np.sign(numbers) * _LARGEST)
    return np.where(np.isnat(array), NO_MOMENT, values)


def _of_objects(array: Array) -> Column:
    """Convert objects: of one type directly, of several types to text."""
    values = array.tolist()
    if not set(map(type, values)) <= {str, int, type(None)}:
        values = [None if is_gap(value) or value != value else value for value in _plain(values)]
    kinds = set(map(type, values)) - {type(None)}
    missing = np.array([value is None for value in values], bool)
    if not kinds:
        return Numbers(np.full(len(values), np.nan), missing)
    if all(issubclass(kind, str) for kind in kinds):
        return _coded(values if kinds == {str} else [value if value is None else str(value) for value in values])
    if all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds):
        return _of_integers(values, missing)
    if all(issubclass(kind, (int, float, np.number, decimal.Decimal)) and kind is not bool for kind in kinds):
        return Numbers(np.array([np.nan if value is None else float(value) for value in values]), missing)
    if all(issubclass(kind, (datetime.date, np.datetime64)) for kind in kinds):
        return Moments(np.array([NO_MOMENT if value is None else _moment(value) for value in values], np.int64))
    if all(issubclass(kind, (datetime.timedelta, np.timedelta64)) for kind in kinds):
        return _of_array(
            np.array([np.timedelta64("NaT", "us") if v is None else np.timedelta64(v) for v in values], "m8[us]")
        )
    if any(issubclass(kind, (list, tuple, dict, set, np.ndarray, complex, np.complexfloating)) for kind in kinds):
        return Others(f"values of type {sorted(kind.__name__ for kind in kinds)[0]}", len(values))
    return _coded([value if value is None else text_of(value) for value in values])


def _plain(values: list[Any]) -> list[Any]:
    """Return the objects, arrays among them as lists, because their comparison is not a single truth value."""
    return [value if is_cell(value) or np.ndim(value) == 0 else list(value) for value in values]


def _of_integers(values: Sequence[int | None], missing: Array) -> Column:
    """Convert integers of any size; to text if 64 bits cannot hold them."""
    if all(value is None or -(2**63) <= value < 2**63 for value in values):
        return Numbers(np.array([0 if value is None else int(value) for value in values], np.int64), missing)
    return _coded([None if value is None else str(int(value)) for value in values])


def _moment(value: Any) -> int:
    if isinstance(value, np.datetime64):
        return int(_microseconds(np.array([value]))[0])
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return (value - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


def _coded(values: Sequence[str | None]) -> Words:
    index: dict[str | None, int] = {None: -1}
    codes = np.fromiter((index.setdefault(value, len(index) - 1) for value in values), np.int32, len(values))
    del index[None]
    return Words(tuple(str(word) for word in index), codes)


def text_of(value: Any) -> str:
    """Return the unique text of a value: ``3`` for 3 and 3.0, ``true`` for True."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return str(int(number)) if abs(number) < _EXACT and number == int(number) else repr(number)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def trimmed(column: Words) -> Words:
    """The same words without blanks around them, each once."""
    words = [word.strip() for word in column.words]
    if words == list(column.words):
        return column
    places = {word: place for place, word in enumerate(dict.fromkeys(words))}
    codes = np.array([*(places[word] for word in words), -1], np.int32)
    return Words(tuple(places), codes[column.codes])


def as_words(column: Column) -> Words:
    """Convert a column to text: each number and moment has one text, independent of its type."""
    if isinstance(column, Words):
        return column
    if isinstance(column, Numbers):
        present = ~column.missing
        different, places = np.unique(column.values[present], return_inverse=True)
        words = [text_of(value) for value in different.tolist()]
    elif isinstance(column, Moments):
        present = column.values != NO_MOMENT
        different, places = np.unique(column.values[present], return_inverse=True)
        words = np.datetime_as_string(different.astype("datetime64[us]")).tolist()
    else:
        return Words((), np.full(len(column), -1, np.int32))
    codes = np.full(len(column), -1, np.int32)
    codes[present] = places
    return Words(tuple(words), codes)
