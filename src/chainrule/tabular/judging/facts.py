"""The facts about a column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..columns import Words

NUMBER, CATEGORY, FLAG, DATE, TEXT, ID, CONSTANT, DROP = KINDS = (
    "number", "category", "flag", "date", "text", "id", "constant", "drop",
)  # fmt: skip
COMPACT = "yyyymmdd"
INTEGER = "integer"  # the form of an id that may become a number


@dataclass(frozen=True)
class Facts:
    """The kind of a column and the reason; the numbers of missing and distinct values; an example."""

    kind: str
    missing: int
    distinct: int
    example: str
    why: str
    form: str = ""

    def left_out(self, why: str, kind: str = "") -> Facts:
        return replace(self, kind=kind or self.kind, why=f"left out: {why}")

    def of_one(self) -> Facts:
        """Return the facts for a column with at most one distinct value."""
        if not self.distinct:
            return self.left_out("no value", CONSTANT)
        if self.missing:
            return replace(self, kind=FLAG, why="one value, or none")
        return self.left_out("the same everywhere", CONSTANT)


def used_words(column: Words) -> list[str]:
    """Return the words that occur; a part of a table may lack some."""
    return [word for word, count in zip(column.words, column.counts(), strict=True) if count]


def gaps(column: Words, present: Collection[str]) -> int:
    """Count the missing cells; ``present`` are the words that are values."""
    known = set(present)
    said = sum(int(count) for word, count in zip(column.words, column.counts(), strict=True) if word not in known)
    return int((column.codes < 0).sum()) + said


def first_of(present: Sequence[str]) -> str:
    """Return an example."""
    return present[0] if present else ""
