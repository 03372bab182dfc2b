"""A walk along the rows of a batch in blocks, so that NumPy's temporaries are small and stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .._support.checks import Array

BLOCK_BYTES = 57_344  # with all that NumPy adds, the largest temporary of a training step stays below 64 KB


def row_blocks(array: Array) -> Iterator[slice]:
    """Whole rows of the array, at most 56 KB of them at a time; a longer row is a block by itself."""
    rows = max(BLOCK_BYTES * len(array) // max(array.nbytes, 1), 1)
    return (slice(start, start + rows) for start in range(0, len(array), rows))


def in_blocks(function: Callable[..., Array], *arrays: Array, out: Array) -> Array:
    """``function(*arrays, out=out)`` for a function of each row, block by block: its temporaries are no larger."""
    if out.nbytes <= BLOCK_BYTES:
        return function(*arrays, out=out)
    for rows in row_blocks(out):
        result = function(*[array[rows] for array in arrays], out=(part := out[rows]))
        if result is not part:
            part[...] = result
    return out
