"""The rows of a report in the form that the model accepts: an array, or a frame with named columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, is_masked, is_sparse, require, sentence
from .._support.strangers import columns


def is_frame(x: Any) -> bool:
    """Whether this is a pandas or polars frame, whose column names an estimator may need."""
    return hasattr(x, "columns") and hasattr(x, "shape") and not callable(x.columns)


def as_rows(who: str, x: Any, of_network: bool) -> Any:
    """Convert x to finite numbers for a network; leave it unchanged for an estimator, which has its own checks."""
    if of_network:
        numbers = as_numeric(who, "x", x)
        check_finite(who, "x", numbers, of=x)
        return numbers
    if is_sparse(x):
        raise TypeError(sentence(who, "x to be an array or a frame", "a sparse one", "pass x.toarray()"))
    if is_masked(x):
        return as_numeric(who, "x", x)
    x = _as_frame(who, x)
    return x if is_frame(x) else np.asarray(x)


def _as_frame(who: str, x: Any) -> Any:
    """A dict of columns or an Arrow table as a frame; anything else unchanged."""
    if type(x).__name__ == "LazyFrame":
        raise TypeError(sentence(who, "x to be an array or a frame", "a LazyFrame", "call collect() first"))
    if isinstance(x, Mapping):
        try:
            from pandas import DataFrame
        except ModuleNotFoundError:
            raise TypeError(sentence(who, "x to be an array or a frame", "a dict", "make a frame of it")) from None
        return DataFrame(dict(x))
    if hasattr(x, "column_names") and hasattr(x, "to_pandas"):  # whose ``columns`` are no names
        return require("narwhals", "tabular", f"{who} of an Arrow table").from_native(x, eager_only=True)
    return x


def names_of(x: Any) -> list[str] | None:
    """Return the names of a frame's columns; None if there are none."""
    return [str(name) for name in x.columns] if is_frame(x) else None


def columns_of(x: Any, names: Sequence[str] | None) -> dict[str, Array]:
    """Return the inputs by name; inputs of the same name are numbered."""
    if is_frame(x):
        every = [np.asarray(column) for _, column in columns(x)]
    else:
        flat = x.reshape(len(x), -1)
        every = [flat[:, k] for k in range(flat.shape[1])]
    named = [f"x{k}" for k in range(len(every))] if names is None else list(names)
    once = [name if named.count(name) == 1 else f"{name} {k}" for k, name in enumerate(named[:1000])]
    return dict(zip(once, every, strict=False))


def taken(x: Any, rows: Array) -> Any:
    """Select some of the rows."""
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def exchanged(x: Any, which: Array, rows: Array) -> Any:
    """Copy x with some of its columns taken from other rows."""
    other = taken(x, rows)
    if hasattr(x, "with_columns"):
        return x.with_columns([other.get_column(x.columns[int(column)]) for column in which])
    changed = x.copy()
    for column in which:
        if hasattr(x, "iloc"):
            changed.isetitem(int(column), other.iloc[:, int(column)].array)
        else:
            changed[:, column] = other[:, column]
    return changed
