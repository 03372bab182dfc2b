"""SOURCE: a table that can be read, or the name of a data set; the rows of a data set for a model trained on one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, check_name, nearest, sentence
from .._support.files import as_path
from ..data.named import NAMES, NamedData, load_named
from ..tabular.columns import Frame, Numbers
from ..tabular.reading import read_table
from .models import Facts
from .reading import options_of

STDIN = "-"


@dataclass(frozen=True)
class Source:
    """The user's text, and whether it is a table; the file if it can be read repeatedly."""

    text: str
    is_table: bool
    file: Path | None = None

    @property
    def name(self) -> str:
        """The name without folders."""
        return "standard input" if self.text == STDIN else Path(self.text).name


def is_file(source: str) -> bool:
    """Whether a source can be read repeatedly."""
    return source != STDIN and (Path(source).is_file() or Path(source).is_dir() or "::" in source)


def resolve(who: str, source: str) -> Source:
    """Resolve a table or the name of a data set; an existing file takes precedence."""
    if source == STDIN:
        return Source(source, is_table=True)
    path = as_path(who, source)
    if path.exists() and not (path.is_dir() and source in NAMES):
        if path.is_dir() and not any(path.rglob("*.parquet")):
            raise IsADirectoryError(sentence(who, "a table", f"the folder {source}", "name a file in it"))
        return Source(source, is_table=True, file=path if path.is_file() else None)  # a pipe counts as a file
    head, found, _ = source.rpartition("::")
    if found and Path(head).is_file():
        return Source(source, is_table=True, file=Path(head))
    if path.suffix or os.sep in source:
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        got = f"no such file{nearest(path.name, others)}"
        raise FileNotFoundError(sentence(who, f"a table at {source}", got))
    return Source(check_name(who, "a data set, or an existing file", source, NAMES), is_table=False)


def test_set(who: str, facts: Facts, found: Source) -> NamedData:
    """Load the data set whose test set is used, for a model trained on images of this kind."""
    if facts.image_shape is None or found.is_table:
        kind = "named data set" if facts.image_shape is not None else "table"
        raise ValueError(sentence(who, f"a {kind} for a model trained on {facts.source}", found.text))
    data = load_named(found.text)
    if data.image_shape != facts.image_shape or data.class_names != facts.class_names:
        raise ValueError(sentence(who, f"a data set like {facts.source} for this model", found.text))
    return data


def pixels(who: str, facts: Facts, source: str, given: dict[str, Any]) -> Array:
    """Read images from a table with one column per pixel."""
    table = Frame(who, read_table(source, **options_of(given)))
    columns = [column for name in table.names if isinstance(column := table.column(name), Numbers)]
    if len(columns) != len(table.names) or len(columns) != facts.inputs:
        got = f"{len(table.names)} columns, {len(columns)} of them numeric, in {source}"
        expected = f"{facts.inputs} numeric columns, one per pixel, for a model trained on {facts.source}"
        raise ValueError(sentence(who, expected, got, f"or pass {facts.source} to predict its test set"))
    x = np.stack([np.where(column.missing, np.nan, column.values.astype(float)) for column in columns], axis=1)
    if not (x.min() >= 0 and x.max() <= 1):
        got = f"{x.min():g} to {x.max():g} in {source}"
        remedy = "divide by the largest possible value first"
        raise ValueError(sentence(who, f"pixels from 0 to 1, as in {facts.source}", got, remedy))
    return x
