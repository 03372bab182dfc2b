"""The rows of a report, as the model takes them: an array, or a frame whose columns have names of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, is_masked, is_sparse, sentence
from .._support.strangers import columns


def is_frame(x: Any) -> bool:
    """Whether this is a frame of pandas or polars, of which an estimator may want the names of the columns."""
    return hasattr(x, "columns") and hasattr(x, "shape") and not callable(x.columns)


def as_rows(who: str, x: Any, of_network: bool) -> Any:
    """x for a network as finite numbers; for an estimator as it is, which has its own steps and its own words."""
    if of_network:
        numbers = as_numeric(who, "x", x)
        check_finite(who, "x", numbers, of=x)
        return numbers
    if is_sparse(x):
        raise TypeError(sentence(who, "x to be an array or a frame", "a sparse one", "pass x.toarray()"))
    if is_masked(x):
        return as_numeric(who, "x", x)
    return x if is_frame(x) else np.asarray(x)


def names_of(x: Any) -> list[str] | None:
    """The names of a frame's columns; None where there are no names."""
    return [str(name) for name in x.columns] if is_frame(x) else None


def columns_of(x: Any, names: Sequence[str] | None) -> dict[str, Array]:
    """The inputs by their names; those of one name are numbered."""
    if is_frame(x):
        every = [np.asarray(column) for _, column in columns(x)]
    else:
        flat = x.reshape(len(x), -1)
        every = [flat[:, k] for k in range(flat.shape[1])]
    named = [f"x{k}" for k in range(len(every))] if names is None else list(names)
    once = [name if named.count(name) == 1 else f"{name} {k}" for k, name in enumerate(named[:1000])]
    return dict(zip(once, every, strict=False))


def taken(x: Any, rows: Array) -> Any:
    """Some of the rows."""
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def exchanged(x: Any, which: Array, rows: Array) -> Any:
    """x with some of its columns from other rows, all else as it is."""
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
