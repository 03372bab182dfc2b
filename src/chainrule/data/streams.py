"""Data larger than memory: rows in groups, of which training reads one window at a time.

An epoch is a sequence of all rows that is never in memory as a whole:

    groups in a random order, one after another  →  cut into windows of whole batches  →  rows permuted in each window

The order of groups is stratified: of as many neighbours as there are windows, each goes to another window, at random.
A window therefore holds groups from all over the source, even if this is sorted, and reads them in ascending order. The
smaller the groups, the nearer this comes to a full shuffle. The seed of the epoch determines all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from .._support.checks import Array, is_sparse, sentence
from .._support.strangers import as_array

METHOD = "return (x, y) or (x, y, weight) from read(group, start, stop)"
MOST_ROWS = 2**62


class Source(Protocol):
    """Rows in groups that can each be read on their own; ``read`` runs in a background thread.

    Attributes
    ----------
    lengths : array of int (G,)
        Rows of each group.
    """

    lengths: Array

    def read(self, group: int, start: int, stop: int) -> tuple[Array, ...]:
        """Read the rows from ``start`` to before ``stop`` of a group: x, y and, if there are any, their weights."""
        ...


class Piece(NamedTuple):
    """Rows of one group."""

    group: int
    start: int
    stop: int


def lengths_of(who: str, source: Source) -> Array:
    """Return the rows of each group, checked."""
    lengths: Array = as_array(source.lengths)
    if lengths.ndim != 1 or (lengths.size and (lengths.dtype.kind not in "iu" or (lengths < 0).any())):
        got = f"dtype {lengths.dtype}, shape {lengths.shape}"
        raise TypeError(sentence(who, "a source whose lengths are the rows of each group", got))
    if not lengths.any():
        raise ValueError(sentence(who, "a source with at least one row", "none"))
    if (rows := lengths.sum(dtype=np.float64)) > MOST_ROWS:
        raise ValueError(sentence(who, "a source whose rows can be counted", f"{rows:g}"))
    return lengths.astype(np.int64)


class Windows:
    """The windows of an epoch of ``size`` rows a batch.

    Attributes
    ----------
    rows : int
        Rows of an epoch; fewer than all if ``drop_last`` leaves out a short batch.
    each : int
        Steps of a window; the last one may have fewer.
    """

    def __init__(self, lengths: Array, size: int, drop_last: bool, most_rows: int) -> None:
        rows = int(lengths.sum())
        self.lengths, self.size = lengths, min(size, rows)
        self._steps = rows // self.size if drop_last else -(-rows // self.size)
        self.rows = min(rows, self._steps * self.size)
        self.count = -(-self._steps // max(1, most_rows // self.size))
        self.each = -(-self._steps // self.count)
        self.count = -(-self._steps // self.each)
        self._drawn: tuple[int | None, Array, Array] | None = None

    def __len__(self) -> int:
        return self._steps

    def pieces(self, seed: int | None, window: int) -> list[Piece]:
        """Return what to read for a window, if there is one; without a seed, in the order of the source."""
        if window >= self.count:
            return []
        start, stop = self._range(window)
        groups, ends = self._order(seed)
        found = []
        for place in range(int(np.searchsorted(ends, start, "right")), len(groups)):
            first = int(ends[place] - self.lengths[groups[place]])
            if first >= stop:
                break
            piece = Piece(int(groups[place]), max(start - first, 0), min(stop, int(ends[place])) - first)
            if piece.start < piece.stop:
                found.append(piece)
        return sorted(found)  # as they lie on the disk

    def _order(self, seed: int | None) -> tuple[Array, Array]:
        """Return the numbers of the groups in the order of the epoch, and where each ends."""
        seed = None if self.count == 1 else seed
        if self._drawn is None or self._drawn[0] != seed:
            groups = np.arange(len(self.lengths))
            if seed is not None:
                neighbours = np.arange(-(-len(groups) // self.count) * self.count).reshape(-1, self.count)
                rng = np.random.default_rng(seed)
                of_windows = rng.permuted(neighbours, axis=1).T
                groups = rng.permuted(of_windows, axis=1).ravel()  # what a window passes on to the next is of all kinds
                groups = groups[groups < len(self.lengths)]
            self._drawn = seed, groups, np.cumsum(self.lengths[groups])
        return self._drawn[1:]

    def order(self, seed: int, window: int) -> Array:
        """Return the order in which training takes the rows of a window, without those that are left out."""
        start, stop = self._range(window)
        return np.random.default_rng([seed, window + 1]).permutation(stop - start)[: self.used(window)]

    def used(self, window: int) -> int:
        """Return the number of rows of a window without those that are left out."""
        start, stop = self._range(window)
        return min(stop, self.rows) - start

    def _range(self, window: int) -> tuple[int, int]:
        """Return where a window begins and ends in the sequence of all rows."""
        start = window * self.each * self.size
        rows = int(self.lengths.sum())
        return start, rows if window == self.count - 1 else start + self.each * self.size


def read_pieces(
    source: Source, pieces: Iterable[Piece], convert: Callable[..., tuple[Array | None, ...]]
) -> Iterator[tuple[Piece, list[Array]]]:
    """Yield each piece, and what ``convert(piece, x, y, weight)`` makes of its arrays."""
    for piece in pieces:
        found = _read(source, piece)
        if not isinstance(found, (tuple, list)) or len(found) not in (2, 3):
            what = f"{len(found)} values" if isinstance(found, (tuple, list)) else type(found).__name__
            remedy = "name the target= of the stream" if what == "1 values" else METHOD
            raise TypeError(sentence(repr(source), "arrays of rows", what, remedy))
        x, y, weight = (*found, None)[:3]
        rows = piece.stop - piece.start
        given = (x, y) if weight is None else (x, y, weight)
        if any(_shape(array)[:1] != (rows,) for array in given) or is_sparse(x):
            shapes = " and ".join("a sparse matrix" if is_sparse(array) else str(_shape(array)) for array in given)
            expected = f"dense arrays of {rows} rows from read{tuple(piece)}"
            raise ValueError(sentence(repr(source), expected, shapes, METHOD))
        yield piece, [array for array in convert(piece, x, y, weight) if array is not None]


def _read(source: Source, piece: Piece) -> Any:
    try:
        return source.read(*piece)
    except StopIteration:  # which would end the epoch
        expected, remedy = f"rows from read{tuple(piece)}", "groups are read in every epoch, in any order"
        raise ValueError(sentence(repr(source), expected, "StopIteration", remedy)) from None


def _shape(array: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = getattr(array, "shape", None) or as_array(array).shape
    return shape


def joined(
    source: Source, parts: Iterator[tuple[Piece, list[Array]]], rows: int, like: list[Array] | None = None
) -> list[Array]:
    """Write the arrays of all pieces, one after another, into arrays of so many rows, ``like`` earlier ones."""
    room: list[Array] = []
    done = 0
    for piece, arrays in parts:
        known = like or room or arrays
        if [(array.shape[1:], array.dtype) for array in known] != [(array.shape[1:], array.dtype) for array in arrays]:
            expected = f"arrays like those before from read{tuple(piece)}, {_written(known)}"
            raise ValueError(sentence(repr(source), expected, _written(arrays)))
        room = room or [np.empty((rows, *array.shape[1:]), array.dtype) for array in arrays]
        stop = done + piece.stop - piece.start
        for array, part in zip(room, arrays, strict=True):
            array[done:stop] = part
        done = stop
    return room


def _written(arrays: list[Array]) -> str:
    return " and ".join(f"{array.dtype} rows of shape {array.shape[1:]}" for array in arrays)
