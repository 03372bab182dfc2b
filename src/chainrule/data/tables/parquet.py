"""Parquet, through pyarrow: the file states the kind of each column."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, require, sentence
from .columns import WHO, Column, refuse_doubtful
from .table import AS_TEXT, LEAVE_OUT, Table, choose_columns

_RATIO, _SPARE = 50, 2 << 30  # bytes in memory for one of the file; constant columns take hardly any space in it


def read_parquet(path: Path, columns: Collection[str] | None, text: Collection[str]) -> Table:
    """The table in a Parquet file, rows counted from 1."""
    parquet = require("pyarrow.parquet", "tabular", WHO)
    arrow = require("pyarrow", "tabular", WHO)
    with path.open("rb") as stream:
        try:
            file = parquet.ParquetFile(stream)
            names = choose_columns(path, _names(file.schema_arrow, columns), columns, text)
            _refuse_bomb(path, file.metadata.num_rows, len(names))
            table = file.read(columns=names)
        except (arrow.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(sentence(WHO, f"{path} to be a Parquet file", reason, "copy or save it again")) from None
    if table.num_rows == 0:
        raise ValueError(sentence(WHO, f"rows in {path}", "none"))
    return Table({name: _from_arrow(path, arrow, name, table[name], name in text) for name in names}, source=str(path))


def _refuse_bomb(path: Path, rows: int, columns: int) -> None:
    """Raise if a small file says that it holds more numbers than the memory may have room for."""
    if 8 * rows * columns > max(_SPARE, _RATIO * path.stat().st_size):
        got = f"{rows:,} rows of {columns} columns in {path.stat().st_size:,} bytes"
        raise ValueError(sentence(WHO, f"{path} to be of a size that can be read", got, LEAVE_OUT))


def _names(schema: Any, columns: Collection[str] | None) -> list[str]:
    """The names of the columns without those that pandas wrote for its index, unless they are asked for."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])  # a plain range of rows is a dict there
    return [name for name in schema.names if name not in index or name in (columns or ())]


def _from_arrow(path: Path, arrow: Any, name: str, column: Any, as_text: bool) -> Array:
    """A Parquet column as numbers or text; nulls become NaN or None, which ``Table`` refuses."""
    types = arrow.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    words = types.is_string(kind) or types.is_large_string(kind)
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if as_text and (number or types.is_temporal(kind)):
        column, words = column.cast(arrow.string()), True
    if words or types.is_boolean(kind) or types.is_null(kind):
        cells = column.to_pylist()
        if words and not as_text and None not in cells:
            refuse_doubtful(Column(name, str(path), cells, range(1, len(cells) + 1), "row"))
        return np.array(cells, dtype=object)
    if number:
        return _numbers(arrow, column)
    remedy = f"{LEAVE_OUT}, or {AS_TEXT}" if types.is_temporal(kind) else LEAVE_OUT
    raise ValueError(sentence(WHO, f"numbers or text in column {name!r} of {path}", str(kind), remedy))


def _numbers(arrow: Any, column: Any) -> Array:
    """Whole numbers as they are, so that ``Table`` sees whether float64 holds them; the others as float64."""
    if not column.null_count:
        if arrow.types.is_integer(column.type):
            return np.asarray(column.to_numpy())
        if arrow.types.is_decimal(column.type) and column.type.scale <= 0:
            return np.array([int(value) for value in column.to_pylist()], dtype=object)
    return np.asarray(column.cast(arrow.float64(), safe=False).to_numpy())
