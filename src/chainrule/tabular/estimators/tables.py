"""Read X as columns: frames by name, matrices by position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from ..._support.checks import sentence
from ..._support.notices import warn
from ..columns import Column, Frame, rows_of
from ..judging.facts import NUMBER
from ..kinds import Kinds, understand

Columns: TypeAlias = "dict[str, Column]"
PARTS = ("TableEncoder", "understand")


@contextmanager
def speaking_as(who: str) -> Iterator[None]:
    """Reword errors of parts of an estimator as errors of the estimator."""
    try:
        yield
    except (ValueError, TypeError) as error:
        part, expects, rest = str(error).partition(" expects ")
        if part not in PARTS:
            raise
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{who}{expects}{rest}") from None


def is_matrix(X: Any) -> bool:
    """Whether X has no column names."""
    kind = type(X)  # accessing the columns of a LazyFrame computes it
    return issparse(X) or not (isinstance(X, Mapping) or hasattr(kind, "columns") or hasattr(X, "frame"))


def read(who: str, X: Any) -> Columns:
    """Read the columns of X."""
    if is_matrix(X):
        X = check_array(X, dtype=None, ensure_all_finite=False, estimator=who, input_name="X")
        if X.dtype.kind == "c":
            raise ValueError(sentence(who, "numbers in X", "complex ones: Complex data not supported"))
    frame = Frame(who, X)
    return {name: frame.column(name) for name in frame.names}


def count_rows(columns: Columns) -> int:
    """Count the rows of a table."""
    return len(next(iter(columns.values())))


def take(columns: Columns, rows: Any) -> Columns:
    """Select rows of a table."""
    return {name: rows_of(column, rows) for name, column in columns.items()}


def kinds_of(X: Any, columns: Columns, stated: Mapping[str, str] | None) -> Kinds:
    """Decide the kinds of columns; those of a numeric matrix are numbers, because scikit-learn leaves none out."""
    chosen = dict(stated or {})
    if is_matrix(X) and np.asarray(X).dtype.kind in "fiu":
        chosen = dict.fromkeys(columns, NUMBER) | chosen
    return understand(columns, chosen)


def as_in_training(who: str, X: Any, names: Sequence[str], needed: Sequence[str], *, by_place: bool) -> Columns:
    """Return the columns of new rows by the names of training; by position if X was or is a matrix."""
    columns = read(who, X)
    if not (by_place or is_matrix(X)):
        if missing := [name for name in needed if name not in columns]:
            some = ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")
            got = "a table without " + ("it" if len(missing) == 1 else "them")
            raise ValueError(sentence(who, f"the column{'s' * (len(missing) > 1)} {some} of its training", got))
        return {name: columns[name] for name in needed}
    if len(columns) != len(names):
        raise ValueError(f"X has {len(columns)} features, but {who} is expecting {len(names)} features as input.")
    if not by_place:
        warn(f"X does not have valid feature names, but {who} was fitted with feature names")
    return dict(zip(names, columns.values(), strict=True))
