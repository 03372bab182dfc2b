"""Advice about columns and targets that are too wide, or too far from 0, to learn from without scaling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._support.checks import Array, is_sparse, sentence
from .._support.strangers import column_name

MOST_ROWS = 2048  # rows to examine
WIDE = 100.0  # scale a column that is this many times wider than others, or than its distance from 0
LOST = 0.01  # largest share of a column's spread that rounding may change
NARROW = 16  # columns
NOISE = 64  # units in the last place; a column that varies less is constant


def check_resolution(who: str, what: str, array: Any, dtype: Any, of: Any = None) -> None:
    """Raise if ``dtype`` would round away the differences between the rows of a column.

        maxₙ |rounded(xₙ) − xₙ| > maxₙ xₙ − minₙ xₙ / 100

    A column far from 0 loses digits: from 10⁹ on, float32 moves in steps of 64. ``of`` is the user's object that the
    array was made from: a frame knows the names of its columns.
    """
    narrow = np.dtype(dtype)
    for column, values in _spoiled(array, narrow):
        step = np.spacing(np.abs(values).max().astype(narrow))
        got = f"{column_name(of, column)} from {values.min()} to {values.max()}, in steps of {step:g}"
        remedy = "subtract the mean of the column, or its minimum, first"
        if narrow == np.float32 and array.dtype.kind == "f":
            remedy += ', or build the network with dtype="float64"'
        raise ValueError(sentence(who, f"columns of {what} whose differences {narrow.name} can hold", got, remedy))


def is_resolved(array: Array, dtype: Any) -> bool:
    """Whether ``dtype`` can hold the numbers and their differences."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype)).all()) and next(_spoiled(array, np.dtype(dtype)), None) is None


def _spoiled(array: Any, narrow: np.dtype[Any]) -> Iterator[tuple[int, Array]]:
    """Yield the number and the values of each column that loses more than a hundredth of its spread."""
    if not array.size or array.dtype.itemsize < narrow.itemsize or array.dtype.kind == "b" or array.dtype == narrow:
        return
    columns = array if is_sparse(array) else array.reshape(len(array), -1)
    for column in np.flatnonzero(_are_close(*extremes(columns), narrow)).tolist():
        values = columns[:, [column]].toarray()[:, 0] if is_sparse(columns) else columns[:, column]
        apart, rounded = _from_first(values), _from_first(values.astype(narrow))
        if np.abs(rounded - apart).max() > LOST * np.ptp(apart):
            yield column, values


def _are_close(low: Array, high: Array, narrow: np.dtype[Any]) -> Array:
    """Whether the numbers of each column are so close together that ``narrow`` may not distinguish them."""
    with np.errstate(over="ignore", invalid="ignore"):
        spread = (high - low).view(f"u{high.itemsize}") if high.dtype.kind in "iu" else high - low
        largest = np.maximum(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64)))
        least = NOISE * np.spacing(largest) if high.dtype.kind == "f" else 0
        close: Array = (spread > least) & (2 * LOST * spread < np.spacing(largest.astype(narrow)))
    return close


def _from_first(values: Array) -> Array:
    """Subtract the first number from all; whole numbers are subtracted exactly."""
    if values.dtype.kind in "iu":
        up = values >= values[0]
        apart = np.where(up, values - values[0], values[0] - values).view(f"u{values.itemsize}").astype(np.float64)
        found: Array = np.where(up, apart, -apart)
    else:
        found = values.astype(np.float64) - float(values[0])
    return found


def extremes(x: Any) -> tuple[Array, Array]:
    """Return the minimum and the maximum of each column, dense or sparse."""
    if is_sparse(x):
        return x.min(axis=0).toarray().ravel(), x.max(axis=0).toarray().ravel()
    if x.shape[1] > NARROW or x.size < MOST_ROWS:
        return x.min(axis=0), x.max(axis=0)
    each = [x[:, column] for column in range(x.shape[1])]  # NumPy goes row by row, which is slow for short rows
    return np.array([column.min() for column in each], x.dtype), np.array([column.max() for column in each], x.dtype)


def about_scale(x: Array) -> Iterator[str]:
    """Yield advice about columns of x that are too wide, or too far from 0."""
    columns = x.reshape(len(x), -1).astype(np.float64)
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    usual = float(np.median(spread[spread > 0])) if spread.any() else 0.0
    widest = int(np.argmax(spread))
    if spread[widest] > WIDE * min(usual, 1):
        found = f"a spread of {spread[widest]:.3g}, the median column {usual:.3g}"
        yield f"Column {widest} of x has {found}: standardise x."
    far = int(np.argmax(np.abs(mean) / np.where(spread > 0, spread, np.inf)))
    if abs(mean[far]) > WIDE * spread[far] > 0:
        yield f"Column {far} of x has a mean of {mean[far]:.3g} and a spread of {spread[far]:.3g}: standardise x."


def about_targets(y: Array, labels: bool) -> Iterator[str]:
    """Yield advice about targets that are too wide."""
    if not labels and y.std(dtype=np.float64) > WIDE:
        yield f"y has a spread of {y.std(dtype=np.float64):.3g}: standardise y, or its errors outgrow every weight."
