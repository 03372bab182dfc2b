"""Pack nested values into arrays and JSON facts, and rows into one array per column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from .._support.checks import Array, sentence

ARRAY = "$array"  # stands for an array in the facts, with its name
KINDS = "biuf"  # of the numbers that a file holds


def refer(value: Any, name: str, arrays: dict[str, Array]) -> Any:
    """Convert the value to JSON types; its arrays go into ``arrays``, under names that begin with ``name``."""
    if isinstance(value, np.ndarray) and value.dtype.kind in KINDS:
        arrays[name] = value
        return {ARRAY: name}
    if isinstance(value, dict):
        return {key: refer(item, f"{name}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [refer(item, f"{name}/{index}", arrays) for index, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def unpack(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Restore the value from :func:`refer`, with lists for tuples and Python numbers for NumPy's."""
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return arrays[value[ARRAY]]
        return {key: unpack(item, arrays) for key, item in value.items()}
    return [unpack(item, arrays) for item in value] if isinstance(value, list) else value


def columns_of(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the number of rows and each column: its name, its values, and the rows that have one if not all do."""
    found: dict[str, tuple[list[float], list[int]]] = {}
    for index, row in enumerate(rows):
        for name, value in row.items():
            values, places = found.setdefault(name, ([], []))
            values.append(value)
            places.append(index)
    columns = []
    for name, (values, places) in found.items():
        array = np.array(values)
        if array.dtype.kind not in KINDS or array.ndim != 1:
            got = f"a value like {values[0]!r} in column {name!r}"
            raise TypeError(sentence("Checkpoint", "numbers in the rows of the history", got))
        columns.append([name, array, None if len(places) == len(rows) else np.array(places)])
    return {"count": len(rows), "columns": columns}


def rows_of(history: Mapping[str, Any]) -> list[dict[str, float]]:
    """Restore the rows from :func:`columns_of`."""
    count, columns = history["count"], history["columns"]
    if count > sum(len(values) for _, values, _ in columns):
        raise ValueError(f"{count} rows of fewer numbers")
    rows: list[dict[str, float]] = [{} for _ in range(count)]
    for name, values, places in columns:
        chosen = rows if places is None else [rows[place] for place in places.tolist()]
        for row, value in zip(chosen, values.tolist(), strict=True):
            isfinite(value)  # raises unless it is a number
            row[name] = value
    return rows
