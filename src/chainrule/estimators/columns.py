"""Statistics of the training columns, from which rows to test an exported file are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._support.checks import Array

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
