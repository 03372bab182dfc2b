"""The base class of rules: turn one column into features or codes, and convert to JSON and back."""

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
        """Return the features (N, I)."""

    def fill(self, out: Array, column: Column, missing: Collection[str]) -> None:
        """Write the features into ``out`` (N, I)."""
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
        """Convert to JSON values."""
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
