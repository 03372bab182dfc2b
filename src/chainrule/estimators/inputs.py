"""X, y and weights as users have them, before scikit-learn makes arrays of them: what it would lose is refused here.

It casts dates and differences of time to counts of their units, shows what is masked, and turns the integers of pandas
that may be missing into float64, in which labels of 64 bits merge.
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
from .._support.notices import warn
from .._support.strangers import as_array, columns, first, is_gap, numbers_among, place, time_among
from ..data.scale import check_resolution

ENCODE = "encode it as numbers first, as OneHotEncoder does in a ColumnTransformer"


def check_numbers(who: str, what: str, values: Any) -> None:
    """Raise for dates, differences of time and masked values, and for integers that float64 cannot tell apart."""
    if issparse(values):
        return
    check_no_times(who, what, values)
    for name, column in columns(values):
        array = as_array(column)
        if array.dtype.kind == "O" and array.size and all(issubclass(kind, int) for kind in set(map(type, array.flat))):
            array = numbers_among(array)
        if array.dtype.kind in "iu" and array.ndim:
            check_resolution(who, what, array, np.float64, None if name is None else SimpleNamespace(columns=[name]))


@contextmanager
def explained(who: str, X: Any) -> Iterator[None]:
    """Where scikit-learn finds no numbers in X, say which value of it is none, where it stands, and what to do."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
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
    for name, column in columns(X):
        array = as_array(column)
        for where in np.ndindex(array.shape) if array.dtype.kind in "OU" else ():
            if isinstance(array[where], (str, bytes)) and not _is_number(array[where]):
                there = f" in column {name!r}" if name else ""
                return f"text, {array[where]!s:.40}{place(None, where)}{there}", ENCODE
    return None


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_no_times(who: str, what: str, values: Any) -> None:
    """Raise for dates, differences of time and masked values."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        where = place(values, tuple(np.argwhere(np.ma.getmaskarray(values))[0].tolist()))
        raise ValueError(sentence(who, f"{what} without gaps", f"a masked value{where}", "remove or fill these rows"))
    if (found := time_among(values)) is not None:
        raise TypeError(sentence(who, f"{what} to be an array of numbers", *found))


def as_labels(who: str, y: Any) -> Any:
    """y as an array of labels that are all of one kind: integers stay integers, whatever holds them."""
    if issparse(y) or y is None:
        return y
    check_no_times(who, "y", y)
    labels = as_array(y)
    if labels.ndim == 0:
        return y  # for which scikit-learn has its own words
    if labels.dtype.kind != "O":
        return labels
    examples = {type(value): value for value in labels.flat}
    if any(is_gap(value) or isinstance(value, float) for value in examples.values()):
        _refuse_gaps(who, y, labels)
    kinds = {_kind(value): value for value in examples.values()}
    if len(kinds) > 1:
        got = " and ".join(sorted(map(repr, kinds.values())))
        raise TypeError(sentence(who, "labels of one kind in y", got, "turn all into text, or all into numbers"))
    if kinds.keys() == {"truth"}:
        return labels.astype(bool)
    return numbers_among(labels) if kinds.keys() == {"number"} else labels


def _kind(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "truth"
    if isinstance(value, (str, bytes)):
        return "text"
    return "number" if isinstance(value, Number) else type(value).__name__


def _refuse_gaps(who: str, y: Any, labels: Array) -> None:
    gaps = np.array([is_gap(value) or value != value for value in labels.flat]).reshape(labels.shape)
    if gaps.any():
        got = f"{labels[first(gaps)]!r}{place(y, first(gaps))} ({gaps.sum()} such in all)"
        raise ValueError(sentence(who, "a label for each row of y", got, "remove or fill the missing labels first"))


def flat(y: Array) -> Array:
    """y (N,) from (N, 1), with scikit-learn's warning; any other y as it is."""
    if y.ndim != 2 or y.shape[1] != 1 or issparse(y):
        return y
    warn(
        "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples, ), "
        "for example using ravel().",
        DataConversionWarning,
    )
    return y[:, 0]


def as_weights(who: str, weight: Any, X: Any) -> Array | None:
    """Sample weights (N,) in the dtype of X; one number counts for all rows."""
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
