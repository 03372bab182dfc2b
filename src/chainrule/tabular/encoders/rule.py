"""What a rule is: how one column becomes features or codes, as it was fitted, in JSON and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..._support.checks import Array, sentence
from ..columns import Column, Others
from .program import ColumnProgram
from .scaling import Scales

WHO = "TableEncoder"


@dataclass(frozen=True)
class Rule(ABC):
    """The rule of a column: its name, and the scales of its I features."""

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
        """What each feature is: number, missing, one-hot, flag, date or text."""

    @abstractmethod
    def encode(self, column: Column, missing: Collection[str]) -> Array:
        """The features (N, I)."""

    def fill(self, out: Array, column: Column, missing: Collection[str]) -> None:
        """Write the features into ``out`` (N, I)."""
        out[:] = self.encode(column, missing)

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """What the rule knows besides name and scales, as JSON values."""

    @staticmethod
    @abstractmethod
    def from_dict(name: str, entry: dict[str, Any]) -> Rule:
        """The rule that ``to_dict`` described."""

    @abstractmethod
    def program(self) -> ColumnProgram:
        """What it computes, in primitives."""

    @property
    def size(self) -> int:
        """The number of codes of a column for an embedding; 0 for one that has features."""
        return 0

    def unseen(self, column: Column, missing: Collection[str]) -> tuple[int, list[str]]:
        """The number of rows whose value is none that training saw, and some of these values."""
        return 0, []

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"name": self.name, "kind": self.kind, "scales": self.scales.to_dict(), **self.details()}


def refuse_others(name: str, column: Column, expected: str) -> None:
    """Raise for a column of what no network takes."""
    if isinstance(column, Others):
        raise ValueError(sentence(WHO, f"{expected} in column {name!r}", column.what))


def is_missing_name(name: str) -> str:
    """The name of the feature that says that a value is missing."""
    return f"{name} is missing"


def indicator(gaps: Array) -> Array:
    """The feature (N, 1) that says where a value is missing."""
    return gaps.astype(np.float64)[:, None]
