"""Rows that an estimator has encoded already, for whoever asks for predictions of almost the same rows many times."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..._support.checks import Array


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """x (N, I + J) as the network takes it, and the column of the table from which each of its columns comes."""

    x: Array
    columns: tuple[str, ...]

    def exchanged(self, names: Collection[str], rows: Array) -> EncodedRows:
        """The same with these columns of the table taken from other rows; a column is encoded without the others."""
        which = np.flatnonzero([name in names for name in self.columns])
        x = self.x.copy()
        x[:, which] = x[np.ix_(rows, which)]
        return EncodedRows(x, self.columns)
