"""What is known of a column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..columns import Words

NUMBER, CATEGORY, FLAG, DATE, TEXT, ID, CONSTANT, DROP = KINDS = (
    "number", "category", "flag", "date", "text", "id", "constant", "drop",
)  # fmt: skip
COMPACT = "yyyymmdd"
INTEGER = "integer"  # the form of an id that may be a number after all


@dataclass(frozen=True)
class Facts:
    """The kind of a column and why; how many values are missing and how many are different; one of them."""

    kind: str
    missing: int
    distinct: int
    example: str
    why: str
    form: str = ""

    def left_out(self, why: str, kind: str = "") -> Facts:
        """The facts of a column that is no input."""
        return replace(self, kind=kind or self.kind, why=f"left out: {why}")

    def of_one(self) -> Facts:
        """The facts of a column that holds one value, or none."""
        if not self.distinct:
            return self.left_out("no value", CONSTANT)
        if self.missing:
            return replace(self, kind=FLAG, why="one value, or none")
        return self.left_out("the same everywhere", CONSTANT)


def used_words(column: Words) -> list[str]:
    """The words that come at least once, as a part of a table may lack some."""
    return [word for word, count in zip(column.words, column.counts(), strict=True) if count]


def gaps(column: Words, present: Collection[str]) -> int:
    """The cells without a value, where ``present`` are the words that are one."""
    known = set(present)
    said = sum(int(count) for word, count in zip(column.words, column.counts(), strict=True) if word not in known)
    return int((column.codes < 0).sum()) + said


def first_of(present: Sequence[str]) -> str:
    """An example."""
    return present[0] if present else ""
