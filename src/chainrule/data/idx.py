"""Read IDX files, the format of MNIST: a big-endian header (type, sizes), then the numbers."""

from __future__ import annotations

import math
import os
import struct
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .._support.checks import Array, sentence
from .._support.files import as_path, opened, read_up_to

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_WHO = "read_idx"
_MAX_DIMENSIONS = 32  # the limit of older NumPy versions


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read the array in an IDX file, plain or gzipped (by content, not by name).

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    array
        Writable, of the shape and type in the header (uint8, int8, int16, int32, float32 or float64), in native byte
        order.

    Raises
    ------
    ValueError
        If it is not an IDX file, is truncated or too long, or its gzip stream is damaged.
    OSError
        If the file cannot be opened.

    Notes
    -----
    The file is not trusted. The reader reads no more than the header promises, allocates no more than the file fills,
    and refuses to unpack a file to more than 50 times its size (beyond 16 MB): neither a false header nor a gzip bomb
    can exhaust the machine.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "labels-idx1-ubyte"
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1]))
    ...     cr.data.read_idx(path)
    array([7, 2, 1], dtype=uint8)

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    path = as_path(_WHO, path)
    with opened(_WHO, path, "file") as (stream, most):
        return _read_array(stream, most, path)


def _read_array(stream: BinaryIO, most: int, path: Path) -> Array:
    dtype, shape = _read_header(stream, path)
    length = math.prod(shape) * dtype.itemsize
    if length > most:
        got = f"shape {shape} of {dtype.name}, {length:,} bytes"
        raise ValueError(_refusal(path, f"an array of at most {most:,} bytes, as a file of its size may", got))
    body = read_up_to(stream, length + 1)
    if len(body) != length:
        got = "more" if len(body) > length else f"{len(body)}"
        raise ValueError(_refusal(path, f"{length} bytes after the header, for shape {shape} of {dtype.name}", got))
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: BinaryIO, path: Path) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_DTYPES:
        raise ValueError(_refusal(path, "an IDX header (two zero bytes, a type code, a rank)", f"bytes {magic!r}"))
    dtype, rank = np.dtype(IDX_DTYPES[magic[2]]), magic[3]
    if not 1 <= rank <= _MAX_DIMENSIONS:
        raise ValueError(_refusal(path, f"1 to {_MAX_DIMENSIONS} dimensions in the header", f"{rank}"))
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(_refusal(path, f"{rank} sizes in the header", f"{len(sizes)} bytes of them"))
    shape = struct.unpack(f">{rank}I", sizes)
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > sys.maxsize:
        raise ValueError(_refusal(path, "a size that memory can address", f"shape {shape}"))
    return dtype, shape


def _refusal(path: Path, expected: str, got: str) -> str:
    return sentence(_WHO, f"{path} to hold {expected}", got, "download or copy the file again")
