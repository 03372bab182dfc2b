"""What can be read only once, copied to temporary files that can be read anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np

from ..._support.checks import Array, as_numeric, sentence
from ..._support.files import in_our_words
from .arrays import NAMES, Arrays, check_width

ROOM = "set the environment variable TMPDIR to a folder on a larger disk"


def spooled(batches: Iterable[Sequence[Any]]) -> Arrays:
    """Return batches (x, y) or (x, y, weight) as a source over temporary files, which end with it or the process."""
    files: list[BinaryIO] = []
    try:
        return _spooled(batches, files)
    finally:
        for file in files:
            with suppress(OSError):  # a full disk refuses what is left of a batch a second time
                file.close()


@contextmanager
def _room() -> Iterator[None]:
    """Say of an error that there is no room, not even to find a folder."""
    with in_our_words("stream", f"room for a copy of the rows in {tempfile.tempdir or 'a temporary folder'}", ROOM):
        yield


def _spooled(batches: Iterable[Sequence[Any]], files: list[BinaryIO]) -> Arrays:
    kinds: list[Array] = []  # an empty array of each
    rows = 0
    for index, batch in enumerate(batches):
        arrays = _checked(index, batch)
        kinds = kinds or [array[:0].copy() for array in arrays]
        with _room():
            files += [] if files else [tempfile.TemporaryFile() for _ in arrays]  # noqa: SIM115
        if len(arrays) != len(kinds) or not all(map(_fits, arrays, kinds)):
            got = f"{_written(arrays)} in batch {index}"
            raise ValueError(sentence("stream", f"batches like the first, {_written(kinds)}", got))
        with _room():
            for file, array, kind in zip(files, arrays, kinds, strict=True):
                file.write(np.ascontiguousarray(array, kind.dtype).data)
        rows += len(arrays[0])
    if rows == 0:
        raise ValueError(sentence("stream", "at least one row", "none"))
    with _room():
        for file in files:
            file.flush()
    maps = [
        np.memmap(file, kind.dtype, "r", shape=(rows, *kind.shape[1:])) for file, kind in zip(files, kinds, strict=True)
    ]
    return Arrays(maps)


def _checked(index: int, batch: Any) -> list[Array]:
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        got = f"a {type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, (tuple, list)) else "")
        expected = "batches (x, y) or (x, y, sample_weight), or tables and their target="
        raise TypeError(sentence("stream", expected, got))
    arrays = [as_numeric("stream", name, array) for name, array in zip(NAMES, batch, strict=False)]
    if len({array.shape[:1] for array in arrays}) > 1 or not all(array.shape for array in arrays):
        got = f"{_written(arrays)} in batch {index}"
        raise ValueError(sentence("stream", "x, y and weights of equal length", got))
    for name, array in zip(NAMES, arrays, strict=False):
        check_width(name, array)
    return arrays


def _fits(array: Array, like: Array) -> bool:
    return array.shape[1:] == like.shape[1:] and np.can_cast(array.dtype, like.dtype)


def _written(arrays: list[Array]) -> str:
    return " and ".join(f"{array.dtype} {array.shape}" for array in arrays)
