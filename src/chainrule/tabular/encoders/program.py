"""A rule turns one column into features or codes: the program that states it in primitives, and the base class.

ONNX and C are generated from the program, which reads a column as numbers (float64), words (text) or moments (int64
microseconds since 1970 in UTC); a missing value is NaN, an empty word, or the smallest integer. One call computes raw
features, which :class:`.Scales` then scales:

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

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..._support.checks import Array, sentence
from ...layers.program import Call
from ..columns import Column, Others
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


WHO = "TableEncoder"


@dataclass(frozen=True)
class Rule(ABC):
    """The rule of a column: its name and the scales of its I features."""

    name: str
    scales: Scales

    kind: ClassVar[str]

    @property
    @abstractmethod
    def features(self) -> list[str]:
        """Names of the I features."""

    @property
    @abstractmethod
    def roles(self) -> list[str]:
        """Role of each feature: number, missing, one-hot, flag, date or text."""

    @abstractmethod
    def encode(self, column: Column, missing: Collection[str]) -> Array:
        """Return the features (N, I), or the code (N, 1)."""

    def fill(self, out: Array, column: Column, missing: Collection[str]) -> None:
        out[:] = self.encode(column, missing)

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """Return everything but name and scales, as JSON values."""

    @staticmethod
    @abstractmethod
    def from_dict(name: str, entry: dict[str, Any]) -> Rule:
        """Read a rule that ``to_dict`` described."""

    @abstractmethod
    def program(self) -> ColumnProgram:
        """Return the computation in primitives."""

    @property
    def size(self) -> int:
        """Number of codes for an embedding; 0 for a column with features."""
        return 0

    def unseen(self, column: Column, missing: Collection[str]) -> tuple[int, list[str]]:
        """Count the rows with a value that training did not have, and list some of these values."""
        return 0, []

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "scales": self.scales.to_dict(), **self.details()}


def refuse_others(name: str, column: Column, expected: str) -> None:
    """Raise a ValueError for a column that no network accepts."""
    if isinstance(column, Others):
        raise ValueError(sentence(WHO, f"{expected} in column {name!r}", column.what))


def is_missing_name(name: str) -> str:
    """Return the name of the feature that marks missing values."""
    return f"{name} is missing"


def indicator(gaps: Array) -> Array:
    """Return the feature (N, 1) that marks missing values."""
    return gaps.astype(np.float64)[:, None]
