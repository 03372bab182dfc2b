"""IDX files, the format of MNIST: a big-endian header (type, sizes), then the numbers."""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from .._support.checks import Array, sentence

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_MAX_DIMENSIONS = 32  # as many as every NumPy can hold


def read_idx(path: str | os.PathLike[str]) -> Array:
    """The array in an IDX file, plain or gzipped (told by content, not by name).

    The file is not trusted: never more is read than its header promises, and never more memory taken than the file
    really fills, so that neither a false header nor a gzip bomb can exhaust the machine.

    Parameters
    ----------
    path : path of the file.

    Returns
    -------
    Array
        Of the shape and type that the header states (uint8, int8, int16, int32, float32 or float64), in the byte order
        of this machine; writable.

    Raises
    ------
    ValueError
        Not an IDX file, truncated, too long, or a damaged gzip stream; the sentence names the file.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "labels-idx1-ubyte"
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1]))
    ...     cr.read_idx(path)
    array([7, 2, 1], dtype=uint8)

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    path = Path(path)
    with path.open("rb") as raw:
        compressed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        stream: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if compressed else raw
        try:
            return _read_array(stream, path)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(_refusal(path, "a whole gzip stream", f"a damaged one ({error})")) from None


def _read_array(stream: io.BufferedIOBase, path: Path) -> Array:
    dtype, shape = _read_header(stream, path)
    length = math.prod(shape) * dtype.itemsize
    body = bytearray()
    while len(body) <= length and (chunk := stream.read(min(_CHUNK, length + 1 - len(body)))):
        body += chunk
    if len(body) != length:
        got = "more" if len(body) > length else f"{len(body)}"
        raise ValueError(_refusal(path, f"{length} bytes after the header, for shape {shape} of {dtype.name}", got))
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: io.BufferedIOBase, path: Path) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
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
    return sentence("read_idx", f"{path} to hold {expected}", got, "download or copy the file again")
