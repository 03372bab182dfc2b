"""Named data sets: their rows for training, and for a model that was trained on one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..data.named import NamedData, load_named
from ..tabular.columns import Frame, Numbers
from ..tabular.reading import read_table
from .facts import Facts
from .reading import options_of
from .sources import Source


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
