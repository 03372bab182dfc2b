"""Columns and targets that are too wide to learn from as they are, and the advice that follows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._support.checks import Array

MOST_ROWS = 2048  # that are looked at
WIDE = 100.0  # times as wide as others, or away from 0 in its own widths: such a column is to be scaled


def about_scale(x: Array) -> Iterator[str]:
    """Columns of x that are too wide, or too far from 0."""
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
    """Numbers to predict that are too wide."""
    if not labels and y.std(dtype=np.float64) > WIDE:
        yield f"y has a spread of {y.std(dtype=np.float64):.3g}: standardise y, or its errors outgrow every weight."
