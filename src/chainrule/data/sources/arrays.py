"""Arrays on disk as a source: groups are ranges of rows."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, sentence
from ..._support.files import in_our_words

GROUP_BYTES = 2**18  # small enough to mix hundreds of groups in a window, large enough to read quickly
AGAIN = "keep the file as it is while it is read"


class Arrays:
    """Rows of arrays with ``shape``, ``dtype`` and slices, or of the ``.npy`` files at such paths."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        names = ("x", "y", "sample_weight")
        self._arrays = [_opened(name, array) for name, array in zip(names, arrays, strict=False)]
        rows = [array.shape[0] for array in self._arrays]
        if len(set(rows)) > 1:
            got = " and ".join(map(str, rows))
            raise ValueError(sentence("stream", "x, y and weights of equal length", got))
        if rows[0] == 0:
            raise ValueError(sentence("stream", "at least one row", "none"))
        chunk = max(map(_chunk, self._arrays))
        size = sum(math.prod(array.shape[1:]) * np.dtype(array.dtype).itemsize for array in self._arrays)
        self._each = -(-max(1, GROUP_BYTES // max(size, 1)) // chunk) * chunk
        whole, rest = divmod(rows[0], self._each)
        self.lengths = np.array([self._each] * whole + [rest] * (rest > 0))
        maps = [Path(str(root.filename)) for root in map(_map_of, self._arrays) if root is not None]
        self._files = {file: file.stat().st_size for file in maps}

    def read(self, group: int, start: int, stop: int) -> tuple[Array, ...]:
        """Read rows of a group."""
        for file, size in self._files.items():  # a map of a file that shrank would end the process
            with in_our_words("stream", f"to read {file}", AGAIN):
                if file.stat().st_size < size:
                    raise OSError(f"a file that shrank from {size} to {file.stat().st_size} bytes")
        first = group * self._each
        return tuple(np.asarray(array[first + start : first + stop]) for array in self._arrays)

    def __repr__(self) -> str:
        return f"stream of {self.lengths.sum()} rows"


class FileRows:
    """Rows of numbers in a file, of which slices are read. In a map each page would be a fault: 25 MB/s, not 190."""

    def __init__(self, path: Path, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.dtype = path, shape, dtype
        self._start, self._row = start, math.prod(shape[1:]) * dtype.itemsize

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        numbers = np.empty((stop - start, *self.shape[1:]), self.dtype)
        with in_our_words("stream", f"to read {self.path}", AGAIN), self.path.open("rb", buffering=0) as file:
            file.seek(self._start + start * self._row)
            if file.readinto(numbers.data.cast("B")) < numbers.nbytes:
                raise OSError("a file that shrank")
        return numbers


def _npy(path: Path) -> FileRows:
    """Return the array of a ``.npy`` file."""
    with in_our_words("stream", f"to read {path}"), path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
            shape, by_column, dtype = read(file)
        except ValueError as error:
            raise ValueError(
                sentence("stream", f"an array in {path}", str(error), "write it with numpy.save")
            ) from None
        start, size = file.tell(), os.fstat(file.fileno()).st_size
    if by_column and len(shape) > 1:
        remedy = "write it with numpy.save(path, numpy.ascontiguousarray(x))"
        raise ValueError(sentence("stream", f"rows that lie together in {path}", "an array by columns", remedy))
    if dtype.hasobject or not shape:
        raise TypeError(sentence("stream", f"rows of numbers in {path}", f"dtype {dtype}, shape {shape}"))
    expected = start + math.prod(shape) * dtype.itemsize
    if size < expected:
        got = f"{size}: the file is truncated"
        raise ValueError(sentence("stream", f"{path} to have {expected} bytes", got, "write it again"))
    return FileRows(path, start, shape, dtype)


def _opened(name: str, array: Any) -> Any:
    if isinstance(array, (str, os.PathLike)):
        return _npy(Path(array))
    if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__") and array.shape):
        remedy = "pass a path of a .npy file, a memory map, an HDF5 data set or a Zarr array"
        raise TypeError(sentence("stream", f"{name} to be an array on disk", f"a {type(array).__name__}", remedy))
    root = _map_of(array)
    if root is None or root.mode != "r" or not array.flags.c_contiguous:
        return array
    start = root.offset + array.ctypes.data - root.ctypes.data
    return FileRows(Path(str(root.filename)), start, array.shape, array.dtype)


def _chunk(array: Any) -> int:
    """Return the rows of the blocks in which an array is stored, and perhaps compressed."""
    chunks = getattr(array, "shards", None) or getattr(array, "chunks", None)
    return int(chunks[0]) if isinstance(chunks, tuple) and chunks else 1


def _map_of(array: Any) -> np.memmap[Any, Any] | None:
    """Return the memory map of a file of which an array is a part."""
    while isinstance(array, np.ndarray) and isinstance(array.base, np.ndarray):
        array = array.base
    return array if isinstance(array, np.memmap) and array.filename is not None else None
