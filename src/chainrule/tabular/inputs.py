"""Convert the columns of a frame to the inputs of an exported encoder, without the encoder itself.

Numbers become float64, words become text, and moments become int64 microseconds since 1970 in UTC. A missing value is
NaN, ``""`` or the smallest integer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from .._support.checks import Array
from .columns import Frame, as_words
from .encoders.program import MOMENTS, NUMBERS, WHO, Source, refuse_others
from .encoders.quantities import read_moments, read_numbers
from .moments import NO_MOMENT
from .numerals import POINT
from .words import MISSING


def inputs_of(who: str, frame: Any, sources: Iterable[Source], missing: Collection[str]) -> dict[str, Array]:
    """Return the columns (N,) by name, as float64, text objects, or int64 microseconds."""
    table = Frame(who, frame, trims=MISSING.issubset(missing))  # as an encoder does; a pipeline only knows ""
    try:
        return {source.name: _values(table, source, missing) for source in sources}
    except ValueError as error:  # of an encoder, which its user does not know
        raise ValueError(str(error).replace(WHO, who, 1)) from None


def _values(table: Frame, source: Source, missing: Collection[str]) -> Array:
    column = table.column(source.name)
    if source.takes == NUMBERS:
        return read_numbers(source.name, column, missing, source.form or POINT)
    if source.takes == MOMENTS:
        return read_moments(source.name, column, missing, source.form)
    refuse_others(source.name, column, "texts")
    found = as_words(column)
    return np.array([*found.words, ""], object)[found.codes]


def as_frame(columns: dict[str, Array]) -> dict[str, Array]:
    """Return the columns as a frame holds them, moments as datetime64."""
    return {name: x.astype("datetime64[us]") if x.dtype == np.int64 else x for name, x in columns.items()}


def gap_of(column: Array) -> Any:
    """Return the missing value of a column."""
    return "" if column.dtype == object else NO_MOMENT if column.dtype == np.int64 else np.nan
