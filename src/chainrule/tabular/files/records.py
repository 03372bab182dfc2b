"""Convert rows of Python values, from workbooks, databases and JSON, to an Arrow table in batches."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..._support.checks import require
from .sources import WHO, Source

_SPARE, _RATIO = 1 << 22, 6  # maximum number of cells in a small file, and per byte of a larger one
_TEXT_SPARE, _TEXT_RATIO = 64 << 20, 50  # the same for characters of text
_BATCH, _ROWS = 1 << 19, 256  # cells held as Python objects at a time, and the minimum number of rows


def most_cells(source: Source) -> int:
    """Return the maximum number of cells for a file of this size; more is a bomb."""
    return max(_SPARE, _RATIO * source.path.stat().st_size)


def as_table(source: Source, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Convert rows, each with a value for every name, to an Arrow table; columns of mixed types become text."""
    arrow = require("pyarrow", "tabular", WHO)
    columns: list[list[Any]] = [[] for _ in names]
    batch: list[Sequence[Any]] = []
    width, most = max(len(names), 1), most_cells(source)
    most_text = max(_TEXT_SPARE, _TEXT_RATIO * source.path.stat().st_size)
    count = text = held = 0
    for row in rows:
        batch.append(row)
        length = sum(len(value) for value in row if isinstance(value, (str, bytes)))
        count, text, held = count + width, text + length, held + width + length // 16
        if count > most or text > most_text:
            what = f"{most:,} cells" if count > most else f"{most_text:,} characters"
            source.refuse(f"at most {what} in", "more", "name fewer columns, or write it as Parquet")
        if held >= _BATCH and len(batch) >= _ROWS:
            _take(arrow, batch, columns)
            batch, held = [], 0
    _take(arrow, batch, columns)
    return arrow.table(dict(zip(names, (_joined(arrow, parts) for parts in columns), strict=True)))


def _take(arrow: Any, batch: Sequence[Sequence[Any]], columns: list[list[Any]]) -> None:
    """Append a batch of rows to the columns."""
    for parts, values in zip(columns, zip(*batch, strict=True), strict=False):
        parts.append(_array(arrow, values))


def _array(arrow: Any, values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float} and kinds != {float} and all(abs(v) < 2**63 for v in values if v is not None):
        return arrow.array(values, arrow.float64() if float in kinds else arrow.int64() if kinds else arrow.null())
    if len(kinds) == 1 and kinds <= {bool, float}:
        return arrow.array(values, arrow.bool_() if bool in kinds else arrow.float64())
    if kinds <= {datetime.datetime, datetime.date}:
        return arrow.array([_moment(value) for value in values], arrow.timestamp("us"))
    texts = [_text(value) for value in values]
    try:
        return arrow.array(texts, arrow.string())
    except UnicodeEncodeError:  # a lone surrogate
        return arrow.array([text and text.encode("utf-8", "replace").decode() for text in texts], arrow.string())


def _moment(value: Any) -> datetime.datetime | None:
    """Convert a date or moment to UTC, without a zone."""
    if value is None:
        return None
    if not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value.astimezone(datetime.UTC).replace(tzinfo=None) if value.tzinfo else value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (bool, list, dict)) else str(value)


def _joined(arrow: Any, parts: Sequence[Any]) -> Any:
    """Join the parts of a column: as numbers if all are, otherwise as text."""
    types = {part.type for part in parts} - {arrow.null()}
    if types == {arrow.int64(), arrow.float64()}:
        found = arrow.float64()
    else:
        found = next(iter(types), arrow.null()) if len(types) < 2 else arrow.string()
    return arrow.chunked_array([part.cast(found) for part in parts], found)
