"""Process the rows of a batch in blocks: NumPy's temporaries are then small and stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .._support.checks import Array

BLOCK_BYTES = 57_344  # the largest temporary of a training step, with NumPy's overhead, stays below 64 KB


def row_blocks(array: Array) -> Iterator[slice]:
    """Slices of whole rows, at most 56 KB each; a longer row is a block of its own."""
    rows = max(BLOCK_BYTES * len(array) // max(array.nbytes, 1), 1)
    return (slice(start, start + rows) for start in range(0, len(array), rows))


def in_blocks(function: Callable[..., Array], *arrays: Array, out: Array) -> Array:
    """Call ``function(*arrays, out=out)``, which treats each row alone, on one block of rows at a time."""
    if out.nbytes <= BLOCK_BYTES:
        return function(*arrays, out=out)
    for rows in row_blocks(out):
        result = function(*[array[rows] for array in arrays], out=(part := out[rows]))
        if result is not part:
            part[...] = result
    return out
