"""Checks of X, y and weights before scikit-learn converts them, against what the conversion would lose.

It casts dates and time differences to counts of their units, reveals masked values, and turns pandas' nullable integers
into float64, in which 64-bit labels merge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Number
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_non_negative

from .._support.checks import Array, as_samples, check_finite, sentence
from .._support.labels import check_no_times
from .._support.notices import warn
from .._support.strangers import as_array, columns, no_number, numbers_among, place
from ..data.scale import check_resolution

ENCODE = "encode it as numbers first, as OneHotEncoder does in a ColumnTransformer"


def check_numbers(who: str, what: str, values: Any) -> None:
    """Raise for dates, time differences and masked values, and for integers that float64 cannot distinguish."""
    if issparse(values):
        return
    check_no_times(who, what, values)
    for name, column in columns(values):
        array = as_array(column)
        if array.dtype.kind == "O" and array.size and all(issubclass(kind, int) for kind in set(map(type, array.flat))):
            try:
                array = numbers_among(array)
            except OverflowError:
                raise ValueError(
                    sentence(who, f"{what} to be an array of numbers", *no_number(column, array))
                ) from None
        if array.dtype.kind in "iu" and array.ndim:
            check_resolution(who, what, array, np.float64, None if name is None else SimpleNamespace(columns=[name]))


@contextmanager
def explained(who: str, X: Any) -> Iterator[None]:
    """If scikit-learn cannot convert X to numbers, say which value is not one, where it is, and what to do."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        if str(error).startswith("Input X contains"):
            words = str(error).split("\n")[0]
            try:
                check_finite(who, "X", as_samples(who, X), of=X)
            except ValueError as ours:
                words += f" {ours}"
        elif (found := _no_table(X)) is not None:
            words = sentence(who, "X to be an array of numbers", *found)
        else:
            raise
        raise kind(words) from None


def _no_table(X: Any) -> tuple[str, str] | None:
    if issparse(X):
        return None
    whole = as_array(X)
    if whole.ndim == 0 and whole.dtype.kind in "OU":
        ragged = isinstance(X, (list, tuple))
        return "rows of different lengths" if ragged else f"a {type(X).__name__}", "pass rows of as many numbers each"
    if whole.dtype.names is not None:
        return "a structured one", "pass numpy.lib.recfunctions.structured_to_unstructured(X)"
    names = [name for name, _ in columns(X)]
    if twice := [name for name in names if names.count(name) > 1]:
        return f"{names.count(twice[0])} columns of the name {twice[0]!r}", "rename them"
    for name, column in columns(X):
        array = as_array(column)
        for where in np.ndindex(array.shape) if array.dtype.kind in "OU" else ():
            if isinstance(array[where], int) and not _is_number(array[where]):
                return no_number(column, array)
            if isinstance(array[where], (str, bytes)) and not _is_number(array[where]):
                there = f" in column {name!r}" if name else ""
                return f"text, {array[where]!s:.40}{place(None, where)}{there}", ENCODE
    return None


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (ValueError, OverflowError):
        return False
    return True


def flat(y: Array) -> Array:
    """Flatten y (N, 1) to (N,), with scikit-learn's warning; any other y is unchanged."""
    if y.ndim != 2 or y.shape[1] != 1 or issparse(y):
        return y
    warn(
        "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples, ), "
        "for example using ravel().",
        DataConversionWarning,
    )
    return y[:, 0]


def as_weights(who: str, weight: Any, X: Any) -> Array | None:
    """Return sample weights (N,) in the dtype of X; one number applies to all rows."""
    if weight is None:
        return None
    count = X.shape[0]
    if isinstance(weight, Number):
        weight = np.full(count, weight)
    check_no_times(who, "sample_weight", weight)
    found: Array = check_array(weight, ensure_2d=False, dtype=X.dtype, order="C", input_name="sample_weight")
    if found.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {found.ndim}D array.")
    if found.shape != (count,):
        raise ValueError(f"sample_weight.shape == {found.shape}, expected {(count,)}!")
    if not found.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    check_non_negative(found, "`sample_weight`")
    return found


ROWS = 1000  # rows, evenly spread over the table, from which mean and deviation are estimated


def typical_columns(X: Any) -> tuple[Array, Array]:
    """Return the mean and the standard deviation of each column (I,), in float64."""
    some = X[:: max(1, X.shape[0] // ROWS)]
    with np.errstate(over="ignore", invalid="ignore"):
        if issparse(some):  # stays sparse
            some = some.astype(np.float64)
            mean = np.asarray(some.mean(axis=0)).ravel()
            square = np.asarray(some.multiply(some).mean(axis=0)).ravel()
            return mean, np.sqrt(np.maximum(square - mean**2, 0))
        dense: Array = np.asarray(some, np.float64)
        return dense.mean(axis=0), dense.std(axis=0)
