"""Parquet and Arrow files as a source: their groups are row groups and record batches."""

from __future__ import annotations

import glob
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, require, sentence
from .tables import Split, not_numbers, of_all

FORMATS = {".parquet": "parquet", ".pq": "parquet", ".arrow": "ipc", ".feather": "ipc", ".ipc": "ipc"}
AGAIN = "write the file again"


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
        self._arrow = require("pyarrow", "tabular", "stream")
        dataset = require("pyarrow.dataset", "tabular", "stream")
        paths, filesystem = located("stream", files)
        self._options = dataset.ParquetFragmentScanOptions(pre_buffer=filesystem is not None)  # only a network pays it
        kind = FORMATS.get(Path(str(_first(paths))).suffix.lower(), "parquet")
        with self._reading(str(files)):
            found = dataset.dataset(paths, format=kind, partitioning="hive", filesystem=filesystem)
            fragments = sorted(found.get_fragments(), key=lambda fragment: str(fragment.path))
            if not fragments:
                raise FileNotFoundError("no files")
        self._parts: list[tuple[Any, int]] = []  # a fragment, and which record batch of it
        lengths: list[int] = []
        schemas = [found.schema]
        for fragment in fragments:
            with self._reading(fragment.path):
                schemas.append(fragment.physical_schema)
                for part, batch, rows in self._groups_of(fragment, kind):
                    self._parts.append((part, batch))
                    lengths.append(rows)
        with self._reading(str(files)):
            self.schema = self._arrow.unify_schemas(schemas, promote_options="permissive")
        self._own = {fragment.path: set(fragment.physical_schema.names) for fragment in fragments}
        self._of_folders = set(found.schema.names) - set(fragments[0].physical_schema.names)
        self.lengths = np.array(lengths, np.int64)
        self._last: tuple[int, Any] = -1, None

    def check(self, names: Sequence[str]) -> None:
        """Raise if a file lacks one of these columns."""
        for path, own in self._own.items():
            for name in set(names) - own - self._of_folders:
                raise ValueError(sentence("stream", f"a column {name!r} in every file", f"{path} without it"))

    def table(self, group: int, start: int, stop: int, columns: Sequence[str] | None = None) -> Any:
        """Read rows of a group as a pyarrow.Table; each call with the same columns."""
        last, table = self._last
        if last != group:
            fragment, batch = self._parts[group]
            with self._reading(fragment.path):
                if batch < 0:
                    options = {"fragment_scan_options": self._options, "use_threads": False}
                    table = fragment.to_table(schema=self.schema, columns=columns, **options)
                else:
                    table = self._arrow.Table.from_batches([self._opened(fragment).get_batch(batch)])
                    table = table if columns is None else table.select(list(columns))
                if table.num_rows != self.lengths[group]:
                    raise OSError(f"{table.num_rows} rows where there were {self.lengths[group]}")
            self._last = group, table
        return table.slice(start, stop - start)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_last": (-1, None), "_arrow": None}  # a module cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _arrow=require("pyarrow", "tabular", "stream"))

    def _groups_of(self, fragment: Any, kind: str) -> Iterator[tuple[Any, int, int]]:
        if kind == "parquet":
            for part in fragment.split_by_row_group():
                yield part, -1, part.row_groups[0].num_rows
        else:
            reader = self._opened(fragment)
            for batch in range(reader.num_record_batches):
                yield fragment, batch, reader.get_batch(batch).num_rows

    def _opened(self, fragment: Any) -> Any:
        ipc = importlib.import_module("pyarrow.ipc")
        return ipc.open_file(fragment.filesystem.open_input_file(fragment.path))

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        """An error of Arrow or of the system in one sentence that names the file."""
        try:
            yield
        except (self._arrow.ArrowException, OSError) as error:
            kind = type(error) if isinstance(error, OSError) else ValueError
            missing = isinstance(error, FileNotFoundError)
            got, remedy = ("no such file", "") if missing else (str(error).split("\n")[0], AGAIN)
            raise kind(sentence("stream", f"to read {path}", got, remedy)) from None


class Numbers:
    """The columns of files as arrays of numbers."""

    def __init__(self, files: ArrowFiles, split: Split) -> None:
        self._files, self._split = files, split
        self._inputs = split.inputs(files.schema.names)
        weight = [] if split.weight is None else [split.weight]
        self._names = list(dict.fromkeys([*self._inputs, *split.targets, *weight]))
        files.check(self._names)
        dtypes = {name: _dtype_of(name, files.schema.field(name).type) for name in self._names}
        self._dtype = of_all(dtypes[name] for name in self._inputs)
        self.lengths = files.lengths

    def read(self, group: int, start: int, stop: int) -> tuple[Array, ...]:
        """Read rows of a group."""
        table = self._files.table(group, start, stop, self._names)
        x, *others = self._split.batch(table.select(self._names))
        return x.astype(self._dtype, copy=False), *others

    def __repr__(self) -> str:
        return f"stream of {self.lengths.sum()} rows in {len(self.lengths)} groups"


def _dtype_of(name: str, kind: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    except NotImplementedError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise not_numbers(name, kind)
    return dtype


def _first(paths: Any) -> Any:
    """Return a file, to tell the format by its suffix."""
    if isinstance(paths, list):
        return paths[0]
    inside = (Path(folder) / name for folder, _, names in os.walk(paths) for name in names)
    return next((path for path in inside if path.suffix.lower() in FORMATS), paths)


def located(who: str, files: Any) -> tuple[Any, Any]:
    """Return the paths, patterns expanded, and their file system if it is not the local one."""
    if isinstance(files, (list, tuple)):
        return [os.fspath(file) for file in files], None
    path = os.fspath(files)
    filesystem = None
    if "://" in path:
        try:
            filesystem, path = importlib.import_module("fsspec.core").url_to_fs(path)
        except ImportError as error:
            remedy = "pip install fsspec" if error.name else str(error)  # Install s3fs to access S3
            raise ModuleNotFoundError(f"{who} needs another package to read {path}: {remedy}") from None
        except ValueError as error:
            raise ValueError(sentence(who, f"to read {path}", str(error))) from None
    if glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True) if filesystem is None else filesystem.glob(path))
        if not found:
            raise FileNotFoundError(sentence(who, f"files that match {path}", "none"))
        return found, filesystem
    return path, filesystem
