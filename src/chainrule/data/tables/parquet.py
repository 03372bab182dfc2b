"""Parquet, through pyarrow: the file states the kind of each column."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, require, sentence
from .numbers import refuse_written_numbers
from .table import Table, choose_columns

_WHO = "read_table"


def read_parquet(path: Path, columns: Collection[str] | None, text: Collection[str]) -> Table:
    """The table in a Parquet file, rows counted from 1."""
    parquet = require("pyarrow.parquet", "tabular", _WHO)
    arrow = require("pyarrow", "tabular", _WHO)
    with path.open("rb") as stream:
        try:
            file = parquet.ParquetFile(stream)
            names = choose_columns(path, _names(file.schema_arrow, columns), columns, text)
            table = file.read(columns=names)
        except (arrow.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(sentence(_WHO, f"{path} to be a Parquet file", reason, "copy or save it again")) from None
    if table.num_rows == 0:
        raise ValueError(sentence(_WHO, f"rows in {path}", "none"))
    return Table({name: _from_arrow(path, arrow, name, table[name], name in text) for name in names}, source=str(path))


def _names(schema: Any, columns: Collection[str] | None) -> list[str]:
    """The names of the columns without those that pandas wrote for its index, unless they are asked for."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])  # a plain range of rows is a dict there
    return [name for name in schema.names if name not in index or name in (columns or ())]


def _from_arrow(path: Path, arrow: Any, name: str, column: Any, as_text: bool) -> Array:
    """A Parquet column as numbers or text; nulls become NaN or None, which ``Table`` refuses."""
    types = arrow.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = types.is_string(column.type) or types.is_large_string(column.type)
    if text or types.is_boolean(column.type) or types.is_null(column.type):
        cells = column.to_pylist()
        if text and not as_text and None not in cells:
            refuse_written_numbers(f"column {name!r} of {path}", cells, range(1, len(cells) + 1), "row")
        return np.array(cells, dtype=object)
    number = types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)
    if number and as_text:
        return np.array(column.cast(arrow.string()).to_pylist(), dtype=object)
    if number:
        values: Array = column.cast(arrow.float64(), safe=False).to_numpy()
        return values
    remedy = "turn it into one of them, or leave it out"
    raise ValueError(sentence(_WHO, f"numbers or text in column {name!r} of {path}", str(column.type), remedy))
