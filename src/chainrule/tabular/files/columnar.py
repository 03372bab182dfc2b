"""Read Parquet, folders of Parquet files, and Arrow files, which state the types of their columns.

All files of a folder have the same columns; integers in one and floats in another become floats.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ..._support.checks import require
from ...data.sources.files import MAGIC, is_bomb, rows_of_batches
from .sources import WHO, Options, Source, choose

BLOCK, CELLS = 1 << 16, 1 << 20  # most rows and cells of a block
_BUFFER = 1 << 16  # bytes read at once of a column of Parquet
_AGAIN = "copy or save it again"


def read_columnar(source: Source, kind: str, options: Options) -> tuple[Any, list[str]]:
    """Read a file of this kind, without the index that pandas stores, unless the index has a name."""
    arrow = require("pyarrow", "tabular", WHO)
    read = {"parquet": _parquet, "folder": _folder, "arrow": _arrow, "arrow stream": _arrow}[kind]
    try:
        table = read(source, options)
        table.validate(full=True)  # offsets outside their buffer would crash the process later
    except (arrow.ArrowException, OSError, UnicodeError) as error:  # the latter of names that are not UTF-8
        source.refuse(f"a whole {kind} file in" if kind != "folder" else "Parquet files in", _first_line(error), _AGAIN)
    if not table.num_rows:
        source.refuse("rows in", "none")
    return _without_views(table), []


def _without_views(table: Any) -> Any:
    """Turn views, which many functions of Arrow do not know, into text."""
    arrow = require("pyarrow", "tabular", WHO)
    fields = [field.with_type(arrow.string()) if str(field.type) == "string_view" else field for field in table.schema]
    return table if fields == list(table.schema) else table.cast(arrow.schema(fields, table.schema.metadata))


def columnar_blocks(source: Source, kind: str, options: Options) -> Iterator[tuple[str, Any]]:
    """Read Parquet, a folder, a dataset or an Arrow file in blocks of rows; yield the file of each block, too."""
    arrow = require("pyarrow", "tabular", WHO)
    with refusing(source, source.name):
        whole = None if kind.startswith("arrow") else open_dataset(source)
        schema = _arrow_schema(source) if whole is None else whole.schema
        names = _names(source, schema, options)
        parts = [None] if whole is None or source.dataset is not None else whole.get_fragments()
    size = min(BLOCK, max(CELLS // len(names), 1))
    for part in parts:
        name = source.name if part is None or not source.several else str(part.path)
        with refusing(source, name):
            if whole is None:
                batches = _arrow_batches(source, names)
            elif part is None:
                batches = whole.to_batches(columns=names, batch_size=size, use_threads=False)
            else:
                batches = _parquet_batches(part, arrow.schema([schema.field(name) for name in names]), size)
            for batch in batches:
                batch.validate(full=True)
                if batch.num_rows:
                    yield name, _without_views(arrow.Table.from_batches([batch]))


def _parquet_batches(part: Any, schema: Any, size: int) -> Iterator[Any]:
    """Read a file page by page: a dataset would read whole row groups ahead."""
    arrow, parquet = require("pyarrow", "tabular", WHO), require("pyarrow.parquet", "tabular", WHO)
    of_folders = require("pyarrow.dataset", "tabular", WHO).get_partition_keys(part.partition_expression)
    with parquet.ParquetFile(part.path, buffer_size=_BUFFER, pre_buffer=False) as file:
        own = [name for name in schema.names if name not in of_folders]
        for batch in file.iter_batches(size, columns=own or file.schema_arrow.names[:1]):
            cells = [
                batch[column.name].cast(column.type)
                if column.name in own
                else arrow.repeat(arrow.scalar(of_folders[column.name], column.type), batch.num_rows)
                for column in schema
            ]
            yield arrow.record_batch(cells, schema=schema)


@contextmanager
def refusing(source: Source, name: str) -> Iterator[None]:
    """Reword what Arrow says of a damaged file."""
    try:
        yield
    except (require("pyarrow", "tabular", WHO).ArrowException, OSError, UnicodeError) as error:
        replace(source, name=name).refuse("a whole file in", _first_line(error), _AGAIN)


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
    whole = open_dataset(source)
    names = _names(source, whole.schema, options)
    for path in () if source.dataset is not None else map(Path, whole.files):
        _refuse_bomb(source, parquet.read_metadata(path), path.stat().st_size, len(names))
    return whole.to_table(columns=names)


def open_dataset(source: Source) -> Any:
    """Open Parquet files as one dataset whose schema fits them all."""
    if source.dataset is not None:
        return source.dataset
    dataset = require("pyarrow.dataset", "tabular", WHO)
    is_folder = source.path.is_dir()
    files = [*map(str, source.files)] or (parquet_in(source.path) if is_folder else [str(source.path)])
    if not files:
        source.refuse("Parquet files in", "none", "name a file in it")
    how: dict[str, Any] = {"format": "parquet"}
    if source.several:
        how |= {"partitioning": "hive", "partition_base_dir": str(source.path) if is_folder else None}
    first = dataset.dataset(files, **how)
    schema = agreed(source, [(part.path, part.physical_schema) for part in first.get_fragments()])
    for column in first.schema:
        if column.name not in schema.names:  # a partition
            schema = schema.append(column)
    return dataset.dataset(files, schema=schema, **how)


def parquet_in(folder: Path) -> list[str]:
    """Return the Parquet files in a folder and those in it."""
    return sorted(str(path) for path in folder.rglob("*.parquet") if not path.is_dir())


def agreed(source: Source, schemas: Sequence[tuple[str, Any]]) -> Any:
    """Return the schema that fits all files; raise a ValueError if one lacks a column, or has it of another type."""
    arrow = require("pyarrow", "tabular", WHO)
    (first, schema), *others = schemas
    for file, other in others:
        if other.equals(schema):
            continue
        for name in [*schema.names, *other.names]:
            if name not in schema.names or name not in other.names:
                lacking, having = (first, file) if name not in schema.names else (file, first)
                source.refuse(f"the column {name!r} of {having} in all files of", f"{lacking} without it")
        both = [_type_of_both(source, first, file, schema, other, name) for name in schema.names]
        schema = arrow.schema(both, schema.metadata)
    return schema


def _type_of_both(source: Source, first: str, file: str, schema: Any, other: Any, name: str) -> Any:
    """Return a column that holds the values of both files."""
    arrow = require("pyarrow", "tabular", WHO)
    types = [one.field(name).type for one in (schema, other)]
    types = [kind.value_type if arrow.types.is_dictionary(kind) else kind for kind in types]
    try:
        pair = [arrow.schema([(name, kind)]) for kind in types]
        return arrow.unify_schemas(pair, promote_options="permissive").field(0)
    except arrow.ArrowException:
        got = f"{types[0]} in {first} and {types[1]} in {file}"
        source.refuse(f"one type of column {name!r} in", got, "write it alike")


def _arrow(source: Source, options: Options) -> Any:
    arrow, ipc = require("pyarrow", "tabular", WHO), require("pyarrow.ipc", "tabular", WHO)
    content = source.path.read_bytes()  # not mapped: a later change of the file would crash the process
    _check_buffers(source, io.BytesIO(content))
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
    if is_bomb(max(8 * metadata.num_rows * columns, unpacked), size):
        got = f"{metadata.num_rows:,} rows of {columns} columns in {size:,} bytes"
        source.refuse("a size that can be read of", got, "read fewer columns with columns=[...]")


def _check_buffers(source: Source, stream: BinaryIO) -> None:
    try:
        rows_of_batches(stream)
    except require("pyarrow", "tabular", WHO).ArrowException:
        raise
    except ValueError as error:
        source.refuse("a size that can be read of", str(error), "write it uncompressed")


def _arrow_schema(source: Source) -> Any:
    """Return the schema of an Arrow file, whose buffers are checked first, message by message."""
    with source.path.open("rb") as stream:
        _check_buffers(source, stream)
        stream.seek(0)
        return _open_arrow(stream).schema


def _arrow_batches(source: Source, names: Sequence[str]) -> Iterator[Any]:
    with source.path.open("rb") as stream:
        file = _open_arrow(stream)
        count = getattr(file, "num_record_batches", None)
        for batch in file if count is None else map(file.get_batch, range(count)):
            for start in range(0, batch.num_rows, BLOCK):
                yield batch.select(list(names)).slice(start, BLOCK)


def _open_arrow(stream: Any) -> Any:
    ipc = require("pyarrow.ipc", "tabular", WHO)
    is_file = stream.read(len(MAGIC)) == MAGIC
    stream.seek(0)
    return ipc.open_file(stream) if is_file else ipc.open_stream(stream)
