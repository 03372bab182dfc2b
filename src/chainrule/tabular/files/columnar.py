"""Read Parquet, folders of Parquet files, and Arrow files, which state the types of their columns.

Arrow allocates as many bytes as the prefix of a compressed buffer claims. So these prefixes are added up first: the
metadata of a message is a FlatBuffer, of which only the path to these numbers is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..._support.checks import require
from .sources import WHO, Options, Source, choose

_RATIO, _SPARE = 50, 1 << 30  # maximum bytes in memory per byte of the file; constant columns are tiny in the file
BLOCK = 1 << 16  # rows of a part
_AGAIN = "copy or save it again"


def read_columnar(source: Source, kind: str, options: Options) -> tuple[Any, list[str]]:
    """Read a file of this kind, without the index that pandas stores, unless the index has a name."""
    arrow = require("pyarrow", "tabular", WHO)
    read = {"parquet": _parquet, "folder": _folder, "arrow": _arrow, "arrow stream": _arrow}[kind]
    try:
        table = read(source, options)
        table.validate(full=True)  # offsets outside their buffer would crash the process later
    except (arrow.ArrowException, OSError) as error:
        source.refuse(f"a whole {kind} file in" if kind != "folder" else "Parquet files in", _first_line(error), _AGAIN)
    if not table.num_rows:
        source.refuse("rows in", "none")
    return table, []


def columnar_blocks(source: Source, options: Options) -> Iterator[Any]:
    """Read Parquet, or a folder of Parquet files, in blocks of rows."""
    arrow, dataset = require("pyarrow", "tabular", WHO), require("pyarrow.dataset", "tabular", WHO)
    try:
        if source.path.is_dir():
            whole = _dataset(source)
        else:
            whole = dataset.dataset(str(source.path), format="parquet")
        names = _names(source, whole.schema, options)
        few = {"batch_size": BLOCK, "batch_readahead": 1, "fragment_readahead": 1}
        for batch in whole.to_batches(columns=names, **few):
            batch.validate(full=True)
            if batch.num_rows:
                yield arrow.Table.from_batches([batch])
    except (arrow.ArrowException, OSError) as error:
        source.refuse("whole Parquet files in", _first_line(error), _AGAIN)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _parquet(source: Source, options: Options) -> Any:
    parquet = require("pyarrow.parquet", "tabular", WHO)
    with source.path.open("rb") as stream:
        schema = parquet.ParquetFile(stream).schema_arrow
        names = _names(source, schema, options)
        texts = [name for name in names if str(schema.field(name).type) in ("string", "large_string")]
        file = parquet.ParquetFile(stream, read_dictionary=texts)
        _refuse_bomb(source, file.metadata, source.path.stat().st_size, len(names))
        return file.read(columns=names)


def _folder(source: Source, options: Options) -> Any:
    parquet = require("pyarrow.parquet", "tabular", WHO)
    whole = _dataset(source)
    names = _names(source, whole.schema, options)
    for path in map(Path, whole.files):
        _refuse_bomb(source, parquet.read_metadata(path), path.stat().st_size, len(names))
    return whole.to_table(columns=names)


def _dataset(source: Source) -> Any:
    dataset = require("pyarrow.dataset", "tabular", WHO)
    files = sorted(map(str, source.path.rglob("*.parquet")))
    if not files:
        source.refuse("Parquet files in", "none", "name a file in it")
    return dataset.dataset(files, format="parquet", partitioning="hive", partition_base_dir=str(source.path))


def _arrow(source: Source, options: Options) -> Any:
    arrow, ipc = require("pyarrow", "tabular", WHO), require("pyarrow.ipc", "tabular", WHO)
    content = source.path.read_bytes()  # not mapped: a later change of the file would crash the process
    check_buffers(source, content)
    opens = ipc.open_file if content.startswith(MAGIC) else ipc.open_stream
    table = opens(arrow.py_buffer(content)).read_all()
    return table.select(_names(source, table.schema, options))


def _names(source: Source, schema: Any, options: Options) -> list[str]:
    """Return the names of the columns to read; an index that pandas wrote only if requested."""
    index = [name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)]
    hidden = {name for name in index if name.startswith("__index_level_")} - set(options.columns or ())
    names = ["" if name in hidden else name for name in schema.names]
    if len(set(schema.names)) < len(schema.names):
        source.refuse("a different name for each column of", "one that comes twice", "rename it")
    return [names[at] for at in choose(source, names, options)]


def _refuse_bomb(source: Source, metadata: Any, size: int, columns: int) -> None:
    """Raise a ValueError if a small file claims to hold too much data for memory."""
    unpacked = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    if max(8 * metadata.num_rows * columns, unpacked) > max(_SPARE, _RATIO * size):
        got = f"{metadata.num_rows:,} rows of {columns} columns in {size:,} bytes"
        source.refuse("a size that can be read of", got, "read fewer columns with columns=[...]")


# --- the sizes that an Arrow file claims ----------------------------------------------------------------------------

MAGIC, _BEFORE = b"ARROW1", 8  # the first bytes of a file, and the offset of its first message
_KIND, _HEADER, _DICTIONARY = 1, 2, 2  # fields of a message, and the kind of a dictionary message
_DATA, _BUFFERS, _COMPRESSION = 1, 2, 3  # fields of a dictionary and of a batch


def check_buffers(source: Source, content: bytes) -> None:
    """Raise a ValueError if the compressed buffers of an Arrow file or stream claim to be much larger than the file."""
    arrow, ipc = require("pyarrow", "tabular", WHO), require("pyarrow.ipc", "tabular", WHO)
    start = _BEFORE if content.startswith(MAGIC) else 0
    most, claimed = max(_SPARE, _RATIO * len(content)), 0
    for message in ipc.MessageReader.open_stream(arrow.py_buffer(content).slice(start)):
        if message.type in ("record batch", "dictionary"):
            claimed += _claimed(source, message)
        if claimed > most:
            got = f"{claimed:,} bytes in {len(content):,}"
            source.refuse("a size that can be read of", got, "write it uncompressed")


def _claimed(source: Source, message: Any) -> int:
    """Return the uncompressed size of the buffers of a message."""
    metadata, body = message.metadata.to_pybytes(), message.body
    total = 0
    try:
        root = _Table(metadata, struct.unpack_from("<I", metadata)[0])
        batch = root.table(_HEADER)
        if batch is not None and root.byte(_KIND) == _DICTIONARY:
            batch = batch.table(_DATA)
        if batch is None or batch.field(_COMPRESSION) is None:
            return 0
        for offset, length in batch.pairs(_BUFFERS):
            if length >= 8:
                (size,) = struct.unpack("<q", body.slice(offset, 8).to_pybytes())
                total += length if size < 0 else size
    except (struct.error, IndexError, ValueError):
        source.refuse("a whole Arrow file in", "a damaged message", "copy or save it again")
    return total


class _Table:
    """A table of a FlatBuffer: fields by number."""

    def __init__(self, content: bytes, at: int) -> None:
        self.content, self.at = content, at
        self._fields = at - struct.unpack_from("<i", content, at)[0]

    def field(self, number: int) -> int | None:
        """Return the offset of a field; None if it is absent."""
        size, offset = struct.unpack_from("<H", self.content, self._fields)[0], 4 + 2 * number
        found = struct.unpack_from("<H", self.content, self._fields + offset)[0] if offset < size else 0
        return self.at + found if found else None

    def byte(self, number: int) -> int:
        at = self.field(number)
        return 0 if at is None else self.content[at]

    def _follow(self, number: int) -> int | None:
        at = self.field(number)
        return None if at is None else at + int(struct.unpack_from("<I", self.content, at)[0])

    def table(self, number: int) -> _Table | None:
        at = self._follow(number)
        return None if at is None else _Table(self.content, at)

    def pairs(self, number: int) -> list[tuple[int, int]]:
        """Read a vector of pairs of 64-bit integers."""
        at = self._follow(number)
        if at is None:
            return []
        (count,) = struct.unpack_from("<I", self.content, at)
        return [struct.unpack_from("<qq", self.content, at + 4 + 16 * place) for place in range(count)]
