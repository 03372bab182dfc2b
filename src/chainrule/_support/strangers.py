"""What is no number among values that should all be numbers: what it is, where it stands, and what to do.

Arrays, frames and lists lose what they say on their way to an array of numbers: dates become counts, masks vanish, text
that looks like a number becomes one. These functions find it before that.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

#: What was got, and the remedy.
Stranger: TypeAlias = "tuple[str, str]"

ENCODE = "encode text as numbers first"
DAYS = 'count from one of them first, as in (dates - dates.min()) / np.timedelta64(1, "D")'
UNITS = 'divide by a unit first, as in differences / np.timedelta64(1, "D")'
CODES = "number them first, as pandas.cut does with labels=False"
PART = "take the real part or the magnitude first"
CONVERT = "turn them into numbers first"
#: By the kind of the dtype.
REMEDIES = {"M": DAYS, "m": UNITS, "c": PART, "U": ENCODE, "S": ENCODE, "T": ENCODE}


def is_gap(value: Any) -> bool:
    """None, and what pandas puts where nothing is: NA, NaT."""
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def is_date(value: Any) -> bool:
    """A moment, or the time from one to another: of Python, NumPy or pandas."""
    known = datetime.date, datetime.time, np.datetime64
    return (isinstance(value, known) or type(value).__name__ == "Period") and not is_gap(value)


def is_difference(value: Any) -> bool:
    """A length of time: of Python, NumPy or pandas."""
    return isinstance(value, (datetime.timedelta, np.timedelta64)) and not is_gap(value)


def is_interval(value: Any) -> bool:
    """What ``pandas.cut`` puts a number into."""
    return type(value).__name__ == "Interval"


#: What may stand among objects, the plainest cause first.
AMONG_OBJECTS: tuple[tuple[Callable[[Any], bool], str, str], ...] = (
    (lambda value: isinstance(value, (str, bytes)), "text", ENCODE),
    (is_date, "dates", DAYS),
    (is_difference, "time differences", UNITS),
    (is_interval, "intervals", CODES),
    (lambda value: isinstance(value, (complex, np.complexfloating)), "complex numbers", PART),
)


def stranger(values: Any, array: Any) -> Stranger | None:
    """What is no number among ``values``, of which ``array`` was made; None where all are, or where they are gaps."""
    if array.ndim == 0 and isinstance(values, (str, os.PathLike)):
        return f"the text {str(values)!r:.40}", "read a file first, with numpy.load or cr.data.stream"
    if array.dtype.kind != "O":
        return f"dtype {array.dtype}", REMEDIES.get(array.dtype.kind, CONVERT)
    if array.ndim == 0 and not is_gap(array.item()):
        return f"a {type(array.item()).__name__}", "pass an array, a frame or a list of rows"
    for is_one, what, remedy in AMONG_OBJECTS:
        if (strange := _those(array, is_one)) is not None:
            where = first(strange)
            return f"dtype object that holds {what} ({array[where]!s:.40}{place(values, where)})", remedy
    return None


def numbers_among(array: Any) -> Any:
    """Objects as numbers: gaps as NaN; whole numbers as integers, as long as there are such of their size."""
    if (gaps := _those(array, is_gap)) is not None:
        array = np.where(gaps, np.nan, array)
    if array.size and all(issubclass(kind, (int, np.integer)) for kind in set(map(type, array.flat))):
        least, greatest = int(min(array.flat)), int(max(array.flat))
        for dtype in (np.int64, np.uint64):  # NumPy 1 makes positive ones of negative ones, and says nothing
            if np.iinfo(dtype).min <= least and greatest <= np.iinfo(dtype).max:
                return array.astype(dtype)
    return array.astype(np.float64)


def no_number(values: Any, array: Any) -> Stranger:
    """The first of the objects that is no number after all."""
    for where in np.ndindex(array.shape):
        try:
            float(array[where])
        except OverflowError:
            return f"a number beyond float64{place(values, where)}", "scale it first"
        except (TypeError, ValueError):
            if not is_gap(array[where]):
                return f"dtype object that holds a {type(array[where]).__name__}{place(values, where)}", CONVERT
    return f"dtype {array.dtype}", CONVERT


def time_among(values: Any) -> Stranger | None:
    """Dates or time differences, which NumPy and scikit-learn cast to counts of their units, or intervals."""
    for name, column in columns(values):
        array = as_array(column)
        if array.dtype.kind in "mM" or (
            array.dtype.kind == "O"
            and any(_those(array, is_one) is not None for is_one in (is_date, is_difference, is_interval))
        ):
            got, remedy = stranger(column, array) or (f"dtype {array.dtype}", CONVERT)
            return got + ("" if name is None else f" in column {name!r}"), remedy
    return None


def as_array(values: Any) -> Any:
    """``np.asarray``; of lists of different lengths one object, the whole."""
    try:
        return np.asarray(values)
    except ValueError:
        whole = np.empty((), object)
        whole[()] = values
        return whole


def columns(values: Any) -> Iterator[tuple[str | None, Any]]:
    """Of a frame the names and the columns; of anything else None and the whole."""
    names = _names(values)
    if names is None:
        yield None, values
        return
    for position, name in enumerate(names):
        yield str(name), values.iloc[:, position] if hasattr(values, "iloc") else values[name]


def place(values: Any, where: tuple[int, ...], first_row: int = 0) -> str:
    """`` at row 3, column 'age'``: a column of a frame by its name."""
    if not where:
        return ""
    row, *inner = where
    column = column_name(values, inner[0]) if len(inner) == 1 else f"column {', '.join(map(str, inner))}"
    return f" at row {row + first_row}" + (f", {column}" if inner else "")


def column_name(values: Any, column: int) -> str:
    """``column 'age'`` of a frame, ``column 3`` of anything else."""
    names = _names(values)
    return f"column {column}" if names is None else f"column {str(names[column])!r}"


def first(marked: Any) -> tuple[int, ...]:
    """Where the first of those that are marked stands."""
    return tuple(int(index) for index in np.unravel_index(int(np.argmax(marked)), np.shape(marked)))


def _those(array: Any, is_one: Callable[[Any], bool]) -> Any | None:
    """Which of the objects are such; None where none is. Of each type only one is asked, unless it is."""
    if not any(map(is_one, {type(value): value for value in array.flat}.values())):
        return None
    return np.array([is_one(value) for value in array.flat], bool).reshape(array.shape)


def _names(values: Any) -> Any | None:
    names = getattr(values, "columns", None)
    return None if names is None or callable(names) else names
