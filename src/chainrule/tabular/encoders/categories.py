"""Categories: one feature per value, or a code for an embedding if there are many values.

Missing is a category of its own if training had missing values. Rare values count as unseen: 0 in all features, or code
0. So the network learns in training what to do with unseen values.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._support.checks import Array
from ..columns import Column, Words, as_words
from ..words import is_missing
from . import facts
from .program import WORDS, ColumnProgram, Source, lookup
from .rule import Rule, is_missing_name, refuse_others
from .scaling import Scales, fit_lookup, joined, unscaled

_OFF_ON = np.array([[0.0], [1.0]])
_FEW = 5  # values that ``unseen`` lists


@dataclass(frozen=True)
class CategoryRule(Rule):
    """Words in order; code 0 is an unseen value, 1 the first word, and the last code is missing, if training had it."""

    words: tuple[str, ...]
    has_missing: bool
    is_embedded: bool

    kind = "category"

    @staticmethod
    def fit(name: str, column: Column, missing: Collection[str], how: str, limits: Limits) -> CategoryRule:
        """Fit the rule to a column of training rows."""
        refuse_others(name, column, "categories")
        found = as_words(column)
        counts = dict(zip(found.words, found.counts().tolist(), strict=True))
        present = {word: count for word, count in counts.items() if count and not is_missing(word, missing)}
        often = [word for word in present if present[word] >= limits.least]
        often = sorted(often, key=lambda word: (-present[word], word))[: limits.most]
        words = tuple(sorted(often, key=_natural))
        has_missing = sum(present.values()) < len(found)
        is_embedded = limits.one_hot is not None and len(words) > limits.one_hot
        rule = CategoryRule(name, unscaled(0), words, has_missing, is_embedded)
        if is_embedded:
            return rule
        seen = np.bincount(rule.codes(column, missing), minlength=1 + len(words) + has_missing)
        return CategoryRule(name, rule._fit_scales(seen, how), words, has_missing, is_embedded)

    def _fit_scales(self, seen: Array, how: str) -> Scales:
        """Fit the scales of the features to the counts of the codes."""
        if self._is_one_hot:
            return joined([fit_lookup(_OFF_ON, np.array([seen.sum() - count, count]), how) for count in seen[1:]])
        return fit_lookup(self._table(), seen, how)

    @property
    def size(self) -> int:
        """Number of codes for an embedding; otherwise 0."""
        return 1 + len(self.words) + self.has_missing if self.is_embedded else 0

    @property
    def features(self) -> list[str]:
        """``kind=oak`` for each value; for two values, one feature: 1 for the first and −1 for the second."""
        if self.is_embedded:
            return []
        words = self.words[:1] if len(self.words) == 2 else self.words
        return [f"{self.name}={word}" for word in words] + [is_missing_name(self.name)] * self._says_missing

    @property
    def roles(self) -> list[str]:
        """One-hot, and an indicator."""
        count = len(self.features)
        return ["one-hot"] * (count - self._says_missing) + ["missing"] * self._says_missing if count else []

    @property
    def _says_missing(self) -> bool:
        """Whether missing has a feature; a value or missing is one feature, like two values."""
        return self.has_missing and len(self.words) != 1 and not self.is_embedded

    def codes(self, column: Column, missing: Collection[str]) -> Array:
        """Return the code of each cell (N,)."""
        refuse_others(self.name, column, "categories")
        found = as_words(column)
        index = {word: code for code, word in enumerate(self.words, 1)}
        gap = len(self.words) + 1 if self.has_missing else 0
        codes = [gap if is_missing(word, missing) else index.get(word, 0) for word in found.words]
        return np.array([*codes, gap], np.int64)[found.codes]

    def encode(self, column: Column, missing: Collection[str]) -> Array:
        """Return the features (N, I)."""
        codes = self.codes(column, missing)
        if not self._is_one_hot:
            encoded: Array = self.scales.apply(self._table())[codes]
            return encoded
        off, on = (self.scales.apply(np.full((1, len(self.scales)), value))[0] for value in (0.0, 1.0))
        encoded = np.tile(off, (len(codes), 1))
        rows = np.flatnonzero(codes)
        encoded[rows, codes[rows] - 1] = on[codes[rows] - 1]
        return encoded

    def unseen(self, column: Column, missing: Collection[str]) -> tuple[int, list[str]]:
        """Count the rows with a rare or new value, and list some of these values."""
        codes = self.codes(column, missing)
        found: Words = as_words(column)
        places = np.unique(found.codes[(codes == 0) & (found.codes >= 0)])
        return int((codes == 0).sum()), [found.words[at] for at in places[:_FEW]]

    @property
    def _is_one_hot(self) -> bool:
        """Whether each code except 0 has its own feature."""
        return len(self.words) not in (1, 2)

    def _table(self) -> Array:
        """Return the unscaled features of each code (K, I), for one or two values."""
        gap = int(self.has_missing)
        if len(self.words) == 1:
            return np.array([[0.0], [1.0], [-1.0]][: 2 + gap])
        return np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])[: 3 + gap, : 1 + gap]

    def program(self) -> ColumnProgram:
        """Return the program: the features of each code, or the code itself."""
        gap = len(self.words) + 1 if self.has_missing else 0
        labels = ["other", *self.words, *["missing"] * self.has_missing]
        table = None if self._is_one_hot or self.is_embedded else self._table()
        scales = unscaled(1) if self.is_embedded else self.scales
        codes, source = np.arange(len(self.words)) + 1, Source(self.name, WORDS)
        return lookup(source, self.words, codes, labels, scales, gap=gap, table=table, is_code=self.is_embedded)

    def details(self) -> dict[str, Any]:
        """Return the words and how they are encoded."""
        return {"words": list(self.words), "has_missing": self.has_missing, "is_embedded": self.is_embedded}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> CategoryRule:
        """Read a rule from its description."""
        words, has_missing = facts.words(entry, "words"), facts.get(entry, "has_missing", bool)
        rule = CategoryRule(name, unscaled(0), words, has_missing, facts.get(entry, "is_embedded", bool))
        scales = Scales.from_dict(facts.get(entry, "scales", dict), len(rule.features))
        return CategoryRule(name, scales, words, has_missing, rule.is_embedded)


@dataclass(frozen=True)
class Limits:
    """Maximum number of values as features (None: all) and of known values, and how often a known value must occur."""

    one_hot: int | None
    most: int
    least: int


def _natural(word: str) -> tuple[int, int, str]:
    """Sort key: integers by size, before other words."""
    digits = word.removeprefix("-")
    is_whole = digits.isdecimal() and digits.isascii() and len(digits) < 300
    return (0, int(word), word) if is_whole else (1, 0, word)
