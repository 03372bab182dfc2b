"""What an estimator remembers of the columns it was trained on, so that an exported file is tried on rows like them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._support.checks import Array

ROWS = 1000  # evenly spread over the table, from which mean and deviation are estimated


def typical_columns(X: Any) -> tuple[Array, Array]:
    """The mean and the deviation of each column (I,), in float64."""
    some = X[:: max(1, X.shape[0] // ROWS)]
    with np.errstate(over="ignore", invalid="ignore"):
        if issparse(some):  # which is never made dense
            some = some.astype(np.float64)
            mean = np.asarray(some.mean(axis=0)).ravel()
            square = np.asarray(some.multiply(some).mean(axis=0)).ravel()
            return mean, np.sqrt(np.maximum(square - mean**2, 0))
        dense: Array = np.asarray(some, np.float64)
        return dense.mean(axis=0), dense.std(axis=0)
