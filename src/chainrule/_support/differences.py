"""Differences between numbers, in units that mean something to the user.

    d = max over rows and outputs of |y′ − y| / u,   u the spread of the output: its standard deviation over the rows

Relative to |y| an error of 100 in a price of two billion would look like nothing; in absolute terms one of 1e-12 in a
current of a picoampere would, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import Array

MATERIAL = 0.01  # the largest d of what counts as the same


def largest_difference(found: Array, expected: Array, unit: Array | float | None = None) -> float:
    """d of numbers (N, ...) in these units, or in the spread of each output."""
    if expected.size == 0:
        return 0.0
    y = np.reshape(expected, (len(expected), -1)).astype(np.float64)
    other = np.reshape(found, y.shape).astype(np.float64)
    units = spread(y, expected.dtype) if unit is None else np.full(y.shape[1], unit)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where((other == y) | (np.isnan(other) & np.isnan(y)), 0.0, np.abs(other - y) / units)
    return float(np.max(np.nan_to_num(apart, nan=np.inf, posinf=np.inf)))


def spread(y: Array, dtype: Any = np.float64) -> Array:
    """The standard deviation of each column; of one that is constant to rounding its size, or another's if it is 0.

    A single row has no spread: the largest of its numbers stands for it.
    """
    finite = np.where(np.isfinite(y), y, np.nan)
    size = np.nanmax(np.abs(np.nan_to_num(finite)), axis=0, initial=0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.nan_to_num(finite) / np.where(size > 0, size, 1)  # whose squares do not overflow
        deviation = scaled.std(axis=0) * size
    kind = np.dtype(dtype)
    noise = 64 * (np.finfo(kind).eps if kind.kind == "f" else np.finfo(np.float64).eps)
    units = np.where(deviation > noise * size, deviation, size)
    units = np.full(len(size), size.max(initial=0.0)) if len(y) == 1 else units
    return np.where(units > 0, units, units.max(initial=0.0) or 1.0)
