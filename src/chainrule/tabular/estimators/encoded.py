"""Rows that an estimator has already encoded, for repeated predictions of almost the same rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..._support.checks import Array


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """x (N, I + J) as the network takes it, and the column of the table from which each of its columns comes."""

    x: Array
    columns: tuple[str, ...]

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, name in enumerate(self.columns):
            found.setdefault(name, []).append(place)
        return found

    def exchanged(self, names: Collection[str], rows: Array) -> EncodedRows:
        """The same with these columns of the table taken from other rows; a column is encoded without the others."""
        which = [place for name in names for place in self._places.get(name, ())]
        x = self.x.copy()
        x[:, which] = x[np.ix_(rows, np.array(which, np.intp))]
        return EncodedRows(x, self.columns)
