"""Write predictions block by block to a file or the screen, as CSV or Parquet; and the figures of ``train``."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .. import plots
from .._support.checks import Array, require
from .._support.files import replacing
from ..tabular.columns import text_of
from ..training.callbacks import History
from .models import Facts

PARQUET = (".parquet", ".pq")
_PROBABILITY = "probability_"


def write_predictions(who: str, path: Path | None, parts: Iterable[Mapping[str, Any]]) -> int:
    """Write the blocks and return the number of rows; a file is written atomically."""
    found = iter(parts)
    first = next(found)  # errors in reading are raised before anything is written
    every = chain([first], found)
    if path is None:
        return _write_csv(sys.stdout, every)
    with replacing(who, path) as stream:
        if path.suffix.lower() in PARQUET:
            return _write_parquet(stream, every)
        with _as_text(stream) as text:
            return _write_csv(text, every)


@contextmanager
def _as_text(stream: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """Wrap a stream as UTF-8 without translating line ends; it stays open."""
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="")
    try:
        yield text
    finally:
        text.flush()
        text.detach()


def _write_csv(file: Any, parts: Iterable[Mapping[str, Any]]) -> int:
    writer, count = csv.writer(file, lineterminator="\n"), 0
    for part in parts:
        if not count:
            writer.writerow(part)
        columns = [list(_cells(name, values)) for name, values in part.items()]
        writer.writerows(zip(*columns, strict=True))
        count += len(columns[0])
    return count


def _cells(name: str, values: Any) -> Iterator[str]:
    if name.startswith(_PROBABILITY) and isinstance(values, np.ndarray):
        return (f"{value:.6g}" for value in values.tolist())
    plain = values.tolist() if isinstance(values, np.ndarray) else values.to_list()
    return ("" if value is None else text_of(value) for value in plain)


def _write_parquet(stream: BinaryIO, parts: Iterable[Mapping[str, Any]]) -> int:
    arrow, parquet = (
        require("pyarrow", "tabular", "predict"),
        require("pyarrow.parquet", "tabular", "predict to Parquet"),
    )
    writer, count = None, 0
    for part in parts:
        table = arrow.table({name: _as_arrow(arrow, values) for name, values in part.items()})
        if writer is None:
            writer = parquet.ParquetWriter(stream, table.schema)
        writer.write_table(table.cast(writer.schema))
        count += table.num_rows
    if writer is not None:
        writer.close()
    return count


def _as_arrow(arrow: Any, values: Any) -> Any:
    return arrow.array(values.tolist()) if isinstance(values, np.ndarray) else values.to_native()


DOTS_PER_INCH = 150


def draw_figures(out: Path, facts: Facts, history: History, said: Array, true: Array) -> list[str]:
    """Save the figures and return the names of the files; without Matplotlib, print a note instead."""
    try:
        return write_figures(out, facts, history, said, true)
    except ImportError as error:
        print(f"note: no figures written: {error}", file=sys.stderr)
        return []


def write_figures(out: Path, facts: Facts, history: History, said: Array, true: Array) -> list[str]:
    """Save the learning curves and the test results; y are class indices or numbers (N,)."""
    figures = {"curves.png": plots.curves(history)} if len(history) else {}
    if facts.class_names:
        known = true >= 0
        figures["confusion.png"] = plots.confusion(true[known], said[known], facts.class_names)
    else:
        figures["predictions.png"] = plots.predictions(true, said, facts.target)
    for name, figure in figures.items():
        with replacing("train", out / name) as stream:
            figure.savefig(stream, format="png", dpi=DOTS_PER_INCH)
    return list(figures)
