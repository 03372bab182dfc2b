"""Parquet and Arrow files as a source: their groups are row groups and record batches."""

from __future__ import annotations

import glob
import importlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, require, sentence
from ..._support.files import as_path
from .files import KEEP, Stamp, is_bomb, reading, rows_of_batches
from .tables import Split, not_numbers, of_all

FORMATS = {".parquet": "parquet", ".pq": "parquet", ".arrow": "ipc", ".feather": "ipc", ".ipc": "ipc"}
WHOLE = "pass whole Parquet or Arrow files alone, as '*.parquet' does, or pandas.read_csv(path, chunksize=...)"


class ArrowFiles:
    """The rows of files: a path, a pattern, a folder, a list, or a URL for fsspec.

    Attributes
    ----------
    lengths : array of int
        Rows of each row group of Parquet, or of each record batch of Arrow files.
    schema : pyarrow.Schema
        The columns of all files, those in the names of folders included.
    """

    def __init__(self, files: Any) -> None:
        self._arrow, dataset = (require(name, "tabular", "stream") for name in ("pyarrow", "pyarrow.dataset"))
        with reading(files, WHOLE):
            paths, filesystem = located("stream", files)
            kind = FORMATS.get(_suffix(_first(paths)), "parquet")
            found = dataset.dataset(paths, format=kind, partitioning="hive", filesystem=filesystem)
            fragments = sorted(found.get_fragments(), key=lambda fragment: str(fragment.path))
        if not fragments:
            raise FileNotFoundError(sentence("stream", f"files in {files}", "none"))
        # only a network pays a buffer
        self._options = dataset.ParquetFragmentScanOptions(pre_buffer=filesystem is not None)
        self._parts: list[tuple[Any, int, int]] = []  # fragment, record batch, bytes of a row group
        self._own: dict[str, set[str]] = {}
        self._stamps: dict[str, Stamp] = {}  # of local files
        self._sizes: dict[str, int] = {}
        self._of_folders: dict[str, dict[str, Any]] = {}
        self.schema, lengths, places = found.schema, list[int](), dict[str, str]()
        for fragment in fragments:
            path = fragment.path
            with reading(path, WHOLE):
                if filesystem is None:
                    self._stamps[path] = Stamp.of(Path(path))
                    if (same := places.setdefault(os.path.realpath(path), path)) != path:
                        raise ValueError(
                            sentence("stream", "each file once", f"{same} and a link, {path}", "remove it")
                        )
                self._sizes[path] = fragment.filesystem.get_file_info(path).size or 0
                own = fragment.physical_schema
                self.schema = self._arrow.unify_schemas([self.schema, own], promote_options="permissive")
                self._own[path] = set(own.names)
                self._of_folders[path] = dataset.get_partition_keys(fragment.partition_expression)
                for *part, rows in self._groups_of(fragment, kind):
                    self._parts.append(tuple(part))
                    lengths.append(rows)
        self.lengths = np.array(lengths, np.int64)
        self._last: tuple[int, Any] = -1, None

    def check(self, names: Sequence[str]) -> None:
        """Raise if a file lacks one of these columns, or a row group of them would not fit into memory."""
        for path, own in self._own.items():
            for name in names:
                if name not in own and name not in self._of_folders[path]:
                    raise ValueError(sentence("stream", f"a column {name!r} in every file", f"{path} without it"))
        for (part, _, size), rows in zip(self._parts, self.lengths.tolist(), strict=True):
            unpacked, packed = max(8 * rows * len(names), size), self._sizes[part.path]
            if is_bomb(unpacked, packed):
                got = f"one of {rows:,} rows, {unpacked:,} bytes, in {packed:,}"
                raise ValueError(
                    sentence("stream", f"row groups that fit into memory in {part.path}", got, "write smaller ones")
                )

    def table(self, group: int, start: int, stop: int, columns: Sequence[str]) -> Any:
        """Read rows of a group as a pyarrow.Table; each call with the same columns."""
        last, table = self._last
        if last != group:
            fragment, batch, _ = self._parts[group]
            with reading(fragment.path, KEEP):
                if fragment.path in self._stamps:
                    self._stamps[fragment.path].check(Path(fragment.path))
                if batch < 0:
                    options = {"fragment_scan_options": self._options, "use_threads": False}
                    table = fragment.to_table(schema=self.schema, columns=columns, **options)
                else:
                    table = self._batch(fragment, batch, columns)
                if table.num_rows != self.lengths[group]:
                    raise OSError(f"{table.num_rows} rows where there were {self.lengths[group]}")
                table.validate(full=True)
            self._last = group, table
        return table.slice(start, stop - start)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_last": (-1, None), "_arrow": None}  # a module cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _arrow=require("pyarrow", "tabular", "stream"))

    def _groups_of(self, fragment: Any, kind: str) -> Iterator[tuple[Any, int, int, int]]:
        if kind == "parquet":
            for part in fragment.split_by_row_group():
                (group,) = part.row_groups
                yield part, -1, group.total_byte_size, group.num_rows
        else:
            with self._opened(fragment) as file:
                for batch, rows in enumerate(rows_of_batches(file)):
                    yield fragment, batch, 0, rows

    def _batch(self, fragment: Any, batch: int, columns: Sequence[str]) -> Any:
        schema = self._arrow.schema([self.schema.field(name) for name in columns])
        with self._opened(fragment) as file:
            rows = importlib.import_module("pyarrow.ipc").open_file(file).get_batch(batch)
            table = self._arrow.Table.from_batches([rows])
        for name, value in self._of_folders[fragment.path].items():
            if name in schema.names:
                cells = self._arrow.repeat(self._arrow.scalar(value, schema.field(name).type), table.num_rows)
                table = table.append_column(name, cells)
        return table.select(schema.names).cast(schema)

    def _opened(self, fragment: Any) -> Any:
        return fragment.filesystem.open_input_file(fragment.path)


class Numbers:
    """The columns of files as arrays of numbers; ``columns`` are the names of the inputs."""

    def __init__(self, files: ArrowFiles, split: Split) -> None:
        self._files, self._split = files, split
        self.columns = split.inputs(files.schema.names)
        weight = [] if split.weight is None else [split.weight]
        self._names = list(dict.fromkeys([*self.columns, *split.targets, *weight]))
        files.check(self._names)
        dtypes = {name: _dtype_of(name, files.schema.field(name).type) for name in self._names}
        self._dtype = of_all(dtypes[name] for name in self.columns)
        self.lengths = files.lengths

    def read(self, group: int, start: int, stop: int) -> tuple[Array, ...]:
        """Read rows of a group."""
        table = self._files.table(group, start, stop, self._names)
        x, *others = self._split.batch(table)
        return x.astype(self._dtype, copy=False), *others

    def __repr__(self) -> str:
        return f"stream of {self.lengths.sum()} rows in {len(self.lengths)} groups"


def _dtype_of(name: str, kind: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    except (NotImplementedError, TypeError):
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise not_numbers(name, kind)
    return dtype


def _suffix(path: Any) -> str:
    return os.path.splitext(str(path))[1].lower()


def _first(paths: Any) -> Any:
    """Return a file, to tell the format by its suffix; raise for a link to no file."""
    if isinstance(paths, list):
        return paths[0]
    inside = [os.path.join(folder, name) for folder, _, names in os.walk(paths) for name in names]
    known = sorted(path for path in inside if _suffix(path) in FORMATS)
    for path in known:
        if os.path.islink(path) and not os.path.exists(path):  # Arrow leaves it out
            raise FileNotFoundError(sentence("stream", f"to read {path}", "a link to no file", "remove it"))
    return known[0] if known else paths


def located(who: str, files: Any) -> tuple[Any, Any]:
    """Return the paths, patterns expanded, and their file system if it is not the local one."""
    if isinstance(files, (list, tuple)):
        return [str(as_path(who, file)) for file in files], None
    path, filesystem = os.fspath(files), None
    if "://" in path:
        try:
            filesystem, path = importlib.import_module("fsspec.core").url_to_fs(path)
        except ImportError as error:
            remedy = "pip install fsspec" if error.name else str(error)  # Install s3fs to access S3
            raise ModuleNotFoundError(f"{who} needs another package to read {path}: {remedy}") from None
        except ValueError as error:
            raise ValueError(sentence(who, f"to read {path}", str(error))) from None
    else:
        path = str(as_path(who, path))
    if glob.has_magic(path) and not (filesystem is None and os.path.exists(path)):
        matched = sorted(glob.glob(path, recursive=True) if filesystem is None else filesystem.glob(path))
        if not (matched := [one for one in matched if filesystem is not None or os.path.isfile(one)]):
            raise FileNotFoundError(sentence(who, f"files that match {path}", "none"))
        return matched, filesystem
    return path, filesystem
