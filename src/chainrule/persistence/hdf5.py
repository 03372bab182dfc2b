"""Read Keras's HDF5 files with h5py: only data inside the file, and nothing larger than expected."""

from __future__ import annotations

import io
import itertools
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import require
from .._support.files import MAX_RATIO, SPARE, check_readable, read_json, refusal

WEIGHTS, CONFIG = "model.weights.h5", "config.json"  # in a .keras archive
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # filters of HDF5
KINDS = "fiu"
#: What zipfile and h5py raise for a damaged file.
DAMAGED = (
    *(OSError, EOFError, LookupError, MemoryError, OverflowError, RuntimeError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)
MOST_SPARE = 1 << 16  # numbers that HDF5 may unpack beyond those that were asked for


@contextmanager
def opened(who: str, path: Path) -> Iterator[tuple[Any, Any]]:
    """Open the root of an HDF5 file, possibly in a ``.keras`` archive, and the model's configuration, or None."""
    check_readable(who, path, "Keras file")
    h5py = require("h5py", "keras", who)
    config, source = None, path.open("rb")
    with source:
        stream: Any = source
        try:
            if zipfile.is_zipfile(source):
                with zipfile.ZipFile(source) as archive:
                    config = _parsed(who, path, _member(who, path, archive, CONFIG))
                    stream = io.BytesIO(_member(who, path, archive, WEIGHTS))
            with h5py.File(stream, "r") as root:
                if config is None and isinstance(text := root.attrs.get("model_config"), (str, bytes)):
                    config = _parsed(who, path, text)
                yield root, config
        except DAMAGED as error:
            if str(error).startswith(f"{who} expects "):
                raise
            got = f"a damaged or different one ({type(error).__name__}: {error})"
            raise refusal(who, path, "to be a whole .keras or HDF5 file", got) from None


def _member(who: str, path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a file of the archive into memory: no name in it ever becomes a path."""
    if name not in archive.namelist():
        raise refusal(who, path, f"to be a .keras file with a {name}", "another archive")
    info = archive.getinfo(name)
    if info.file_size > MAX_RATIO * path.stat().st_size + SPARE:  # weights hardly shrink
        raise refusal(who, path, f"a {name} about as large as it is packed", f"{info.file_size:,} bytes of it")
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def _parsed(who: str, path: Path, text: str | bytes) -> Any:
    try:
        return read_json(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise refusal(who, path, "to describe its model as JSON", f"invalid JSON ({error})") from None


def child(who: str, path: Path, group: Any, name: str) -> Any:
    """Return a group or dataset in a group, if it is in this file and not a link; None if there is none."""
    import h5py

    here = group
    for part in name.split("/"):
        if not isinstance(here, h5py.Group) or part not in here:
            return None
        if not isinstance(here.get(part, getlink=True), h5py.HardLink):
            raise refusal(who, path, f"{name!r} in the file itself", "a link to another place")
        here = here[part]
    return here


def numbers(who: str, path: Path, dataset: Any) -> Any:
    """Return the dataset, unread; raise a ValueError unless it holds numbers in the file itself."""
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in KINDS or dataset.shape is None:
        raise refusal(who, path, "numbers where its weights should be", repr(dataset))
    if dataset.is_virtual or dataset.external:
        raise refusal(who, path, f"the numbers of {dataset.name} in the file itself", "a link to another file")
    if dataset.chunks and math.prod(dataset.chunks) > max(dataset.size, MOST_SPARE):
        raise refusal(who, path, f"{dataset.name} in pieces no larger than itself", f"pieces of {dataset.chunks}")
    if dataset.attrs.get("dtype") == "bfloat16":
        raise refusal(who, path, "numbers that NumPy has", f"bfloat16 in {dataset.name}", "save the model in float32")
    return dataset


def check_unpacks(who: str, path: Path, dataset: Any) -> None:
    """Raise, before HDF5 unpacks it, if a chunk of a compressed dataset would become larger than it claims."""
    if getattr(dataset, "chunks", None) is None:
        return
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(place)[0] for place in range(plan.get_nfilters())]
    if not filters:
        return
    if not set(filters) <= {DEFLATE, SHUFFLE, FLETCHER32} or len(set(filters)) < len(filters):
        got = f"filters {', '.join(map(str, filters))}"
        raise refusal(who, path, f"{dataset.name} packed by gzip, if at all", got, "save it without compression")
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    for place in range(dataset.id.get_num_chunks()):
        skipped, packed = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(place).chunk_offset)
        is_packed = DEFLATE in filters and not skipped >> filters.index(DEFLATE) & 1
        if is_packed and len(zlib.decompressobj().decompress(packed, size + 1)) > size:
            raise refusal(who, path, f"pieces of {dataset.name} of {size:,} bytes", "one that becomes larger")


def texts(group: Any, name: str) -> list[str] | None:
    """Read a list of names from the attributes, or None; a long list is split into ``name0``, ``name1``, ..."""
    pieces = itertools.takewhile(group.attrs.__contains__, (f"{name}{index}" for index in itertools.count()))
    names = [name] if name in group.attrs else list(pieces)
    if not names:
        return None
    values = [value for piece in names for value in np.asarray(group.attrs[piece]).reshape(-1).tolist()]
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]


def is_hdf5(start: bytes) -> bool:
    """Whether a file begins as HDF5 does."""
    return start.startswith(b"\x89HDF\r\n\x1a\n")
