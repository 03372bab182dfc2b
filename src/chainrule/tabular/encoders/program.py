"""What an encoder computes from a column, in primitives: the description from which ONNX and C are generated.

A column is numbers (float64), words (text) or moments (int64 microseconds since 1970 in UTC); a missing value is NaN,
an empty word, or the smallest integer. One call computes raw features, which :class:`.Scales` then scales:

    op         takes     gives                                                  arrays                     numbers
    impute     numbers   x, where it is missing the value; says: 1 where it is  value (1,)                 says
    lookup     words,    row k of the table for the k that the word has in      words, codes, labels,      other, gap
               numbers   codes, gap if it is missing, other for all others      table (K, I) if there is
                         one; otherwise 1 in feature k − 1, or k itself
    calendar   moments   the parts; where it is missing those of the median,    parts, median (1,)         says
                         on circles 0; says: 1 where it is
    pieces     words     the sums of hashed pieces of three; says: 1 where it   alphabet (code points)     buckets, says
                         is missing

``labels`` (K,) name the codes. The words for missing values belong to the whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..._support.checks import Array
from ...layers.program import Call
from .scaling import Scales

NUMBERS, WORDS, MOMENTS = ("numbers", "words", "moments")


@dataclass(frozen=True)
class Source:
    """An input column: its name, its type, and how numbers or dates in texts are written."""

    name: str
    takes: str
    form: str = ""


@dataclass(frozen=True)
class ColumnProgram:
    """A column, the call that computes its raw features, and their scales.

    ``is_code`` states that the one feature is the code k for an embedding; codes follow all other features.
    """

    source: Source
    call: Call
    scales: Scales
    is_code: bool = False


def lookup(
    source: Source,
    words: Sequence[str],
    codes: Sequence[int] | Array,
    labels: Sequence[str],
    scales: Scales,
    *,
    gap: int,
    other: int = 0,
    table: Array | None = None,
    is_code: bool = False,
) -> ColumnProgram:
    """Build the program of a column of words."""
    arrays = {"words": np.array([*words], object), "codes": np.array(codes, np.int64)}
    arrays |= {"labels": np.array([*labels], object)} | ({} if table is None else {"table": table})
    return ColumnProgram(source, Call("lookup", arrays, {"other": other, "gap": gap}), scales, is_code)
