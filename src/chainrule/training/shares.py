"""Which rows of a window each rank reads: one part after another, of which it has its share of every batch.

window   part of rank 0 | part of rank 1 | ... | a last batch of fewer rows than ranks, which all read
batch    share of rank 0, share of rank 1, ...          each the next rows of its part, which is permuted
"""

from __future__ import annotations

import numpy as np

from .._support.checks import Array
from ..data.streams import Piece
from ..distributed.serial import Serial
from .inputs import Data


class Shares:
    """The parts of a window of so many ``rows``, in batches of ``size`` rows, at least one for each rank."""

    def __init__(self, communicator: Serial, rows: int, size: int) -> None:
        self._communicator, self._rows = communicator, rows
        ranks = np.arange(communicator.size + 1)
        self._batches, last = divmod(rows, size)
        self._common = last if last < communicator.size else 0
        self._each = np.diff(size * ranks // communicator.size)
        counts = self._batches * self._each + np.diff((last - self._common) * ranks // communicator.size)
        self._starts = np.append(0, np.cumsum(counts))

    def order(self, seed: int, window: int) -> Array:
        """Return the order in which all ranks together take the rows."""
        full, last = [], []
        for rank, (start, stop) in enumerate(zip(self._starts, self._starts[1:], strict=False)):
            part = start + np.random.default_rng([seed, window + 1, rank]).permutation(stop - start)
            many = self._batches * self._each[rank]
            full.append(part[:many].reshape(self._batches, -1))
            last.append(part[many:])
        return np.concatenate([np.hstack(full).ravel(), *last, np.arange(self._starts[-1], self._rows)])

    def pieces(self, window: list[Piece]) -> list[Piece]:
        """Return what this rank reads of the pieces of the window."""
        return [piece for start, stop in self._ranges() for piece in _within(window, start, stop)]

    def whole(self, own: Data, rows: int) -> Data:
        """Put the rows of this rank in their places: elsewhere x has zeros, y and the weights those of others."""
        arrays: list[Array | None] = []
        for given in own:
            array = None if given is None else np.zeros((rows, *given.shape[1:]), given.dtype)
            if array is not None and given is not None:
                (start, stop), common = self._ranges()
                array[start:stop] = given[: stop - start]
                if arrays:
                    self._communicator.allreduce(array)
                array[slice(*common)] = given[stop - start :]
            arrays.append(array)
        x, y, weight = arrays
        return x, y, weight  # type: ignore[return-value]  # x and y are arrays

    def _ranges(self) -> list[tuple[int, int]]:
        rank, end = self._communicator.rank, int(self._starts[-1])
        return [(int(self._starts[rank]), int(self._starts[rank + 1])), (end, end + self._common)]


def _within(pieces: list[Piece], start: int, stop: int) -> list[Piece]:
    """Return the pieces of the rows from ``start`` to before ``stop`` among these."""
    found, first = [], 0
    for piece in pieces:
        low, high = max(start - first, 0), min(stop - first, piece.stop - piece.start)
        if low < high:
            found.append(Piece(piece.group, piece.start + low, piece.start + high))
        first += piece.stop - piece.start
    return found
