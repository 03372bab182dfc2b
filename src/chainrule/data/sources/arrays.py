"""Arrays on disk as a source: groups are ranges of rows."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, is_masked, is_sparse, sentence
from ..._support.files import as_path
from .files import KEEP, SPARE, Stamp, reading

GROUP_BYTES = 2**18  # small enough to mix hundreds of groups in a window, large enough to read quickly
NAMES = ("x", "y", "sample_weight")


class Arrays:
    """Rows of arrays with ``shape``, ``dtype`` and slices, or of the ``.npy`` files at such paths."""

    columns: list[str] | None = None  # names of those of x, if known

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays = [_opened(name, array) for name, array in zip(NAMES, arrays, strict=False)]
        rows = [array.shape[0] for array in self._arrays]
        if len(set(rows)) > 1:
            got = " and ".join(map(str, rows))
            raise ValueError(sentence("stream", "x, y and weights of equal length", got))
        if rows[0] == 0:
            raise ValueError(sentence("stream", "at least one row", "none"))
        chunk = max(map(_chunk, NAMES, self._arrays))
        size = sum(math.prod(array.shape[1:]) * np.dtype(array.dtype).itemsize for array in self._arrays)
        self._each = -(-max(1, GROUP_BYTES // max(size, 1)) // chunk) * chunk
        whole, rest = divmod(rows[0], self._each)
        self.lengths = np.array([self._each] * whole + [rest] * (rest > 0))
        self._files = {file: Stamp.of(file) for file in map(_file_of, self._arrays) if file is not None}

    def read(self, group: int, start: int, stop: int) -> tuple[Array, ...]:
        """Read rows of a group."""
        for file, stamp in self._files.items():
            with reading(file, KEEP):
                stamp.check(file, may_be_written=True)
        first = group * self._each
        return tuple(_rows(*one, first + start, first + stop) for one in zip(NAMES, self._arrays, strict=False))

    def __repr__(self) -> str:
        return f"stream of {self.lengths.sum()} rows"


class FileRows:
    """Rows of numbers in a file, of which slices are read.

    In a map each page would be a fault: 25 MB/s, not 190; and one of a file that shrinks would end the process.
    """

    def __init__(self, path: Path, start: int, shape: tuple[int, ...], dtype: Any, *, may_be_written: bool) -> None:
        self.shape, self.dtype = shape, dtype
        self._path, self._start, self._may_be_written = path, start, may_be_written
        self._row = math.prod(shape[1:])
        with reading(path):
            self._stamp = Stamp.of(path)
        expected = start + shape[0] * self._row * dtype.itemsize
        if self._stamp.size < expected:
            got = f"{self._stamp.size}: the file is truncated"
            raise ValueError(sentence("stream", f"{path} to have {expected} bytes", got, "write it again"))

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        found = np.empty((stop - start, *self.shape[1:]), self.dtype)
        left = found.reshape(-1).view(np.uint8).data
        with reading(self._path, KEEP), open(self._path, "rb", buffering=0) as file:
            self._stamp.check(file.fileno(), may_be_written=self._may_be_written)
            file.seek(self._start + start * self._row * self.dtype.itemsize)
            while left:
                if not (count := file.readinto(left)):
                    raise OSError("a file that shrank")
                left = left[count:]
        return found


def _of_npy(path: Path) -> FileRows:
    with reading(path):
        if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait
            raise OSError("a folder or a device")
        with path.open("rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
                shape, by_column, dtype = read(file)
            except Exception as error:  # of the parsers of Python
                remedy = "write it with numpy.save"
                raise ValueError(sentence("stream", f"an array in {path}", str(error), remedy)) from None
            start = file.tell()
    if by_column and len(shape) > 1:
        remedy = "save numpy.ascontiguousarray(x)"
        raise ValueError(sentence("stream", f"rows that lie together in {path}", "an array by columns", remedy))
    if dtype.hasobject or not shape:
        raise TypeError(sentence("stream", f"rows of numbers in {path}", f"dtype {dtype}, shape {shape}"))
    return FileRows(path, start, shape, dtype, may_be_written=False)


def _of_map(array: Any) -> Any:
    """Return the rows of a memory map as those of its file, if they lie together there."""
    whole = _map_under(array)
    if whole is None or whole.mode == "c" or not array.flags.c_contiguous or not array.size:
        return array
    if whole.mode != "r" and os.name == "nt":  # the file may lag behind
        return array
    start = whole.offset + array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return FileRows(Path(whole.filename), start, array.shape, array.dtype, may_be_written=True)


def _rows(name: str, array: Any, start: int, stop: int) -> Any:
    with reading(f"rows {start} to {stop} of {name}", KEEP):
        rows = array[start:stop]
        return rows if is_masked(rows) else np.asarray(rows)  # what is masked is no number


def _opened(name: str, array: Any) -> Any:
    if isinstance(array, (str, os.PathLike)):
        array = _of_npy(as_path("stream", array))
    array = _of_map(np.asarray(array) if hasattr(array, "iloc") else array)  # a Series has an index
    if is_sparse(array):
        raise TypeError(sentence("stream", f"{name} to be dense", "a sparse matrix", "pass it to fit as it is"))
    remedy = "pass a path of a .npy file, a memory map, an HDF5 data set or a Zarr array"
    if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__") and array.shape):
        raise TypeError(sentence("stream", f"{name} to be an array on disk", f"a {type(array).__name__}", remedy))
    try:
        np.dtype(array.dtype)
    except TypeError:
        got = f"a {type(array).__name__} of dtype {array.dtype}"
        raise TypeError(sentence("stream", f"{name} to be an array that NumPy can read", got, remedy)) from None
    if not all(isinstance(length, (int, np.integer)) and length >= 0 for length in array.shape):
        raise ValueError(sentence("stream", f"{name} of a known shape", f"{tuple(array.shape)}"))
    check_width(name, array)
    return array


def check_width(name: str, array: Any) -> None:
    """Raise unless there is a number in each row."""
    if 0 in array.shape[1:]:
        raise ValueError(
            sentence("stream", f"at least one number in each row of {name}", f"shape {tuple(array.shape)}")
        )


def _chunk(name: str, array: Any) -> int:
    """Return the rows of the blocks in which an array is stored, and perhaps compressed."""
    chunks = getattr(array, "chunks", None)
    if not (isinstance(chunks, tuple) and chunks and isinstance(chunks[0], int)):
        return 1
    size = math.prod(chunks) * np.dtype(array.dtype).itemsize
    if size > SPARE:  # which is unpacked as a whole
        got = f"{chunks} of {size:,} bytes"
        raise ValueError(sentence("stream", f"chunks of {name} that fit into memory", got, "write smaller ones"))
    return int((getattr(array, "shards", None) or chunks)[0])


def _map_under(array: Any) -> Any:
    """Return the memory map of which an array is a view, if its file has a name."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and not isinstance(array.base, np.ndarray):
            return array if array.filename is not None and Path(array.filename).exists() else None
        array = array.base
    return None


def _file_of(array: Any) -> Path | None:
    """Return the file of a memory map or of an HDF5 data set, which gives zeros if it shrinks."""
    if (whole := _map_under(array)) is not None:
        return Path(whole.filename)
    file = getattr(array, "file", None)
    name = getattr(file, "filename", None) if getattr(file, "mode", None) == "r" else None
    return Path(name) if isinstance(name, str) and os.path.exists(name) else None
