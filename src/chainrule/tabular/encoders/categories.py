"""Categories and flags: words that become features of their own, or the codes of an embedding.

A category has one feature per value, or a code if there are many values.
Missing is a category of its own if training had missing values. Rare values count as unseen: 0 in all features, or code
0. So the network learns in training what to do with unseen values.

A flag is 1 for true and −1 for false in any spelling, 0 for anything else; a second feature marks missing values.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._support.checks import Array
from ..columns import Column, Words, as_words
from ..words import is_missing, spellings, truth
from . import facts
from .program import WORDS, ColumnProgram, Rule, Source, is_missing_name, lookup, refuse_others
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
        if self._is_one_hot:
            return joined([fit_lookup(_OFF_ON, np.array([seen.sum() - count, count]), how) for count in seen[1:]])
        return fit_lookup(self._table(), seen, how)

    @property
    def size(self) -> int:
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
        count = len(self.features)
        return ["one-hot"] * (count - self._says_missing) + ["missing"] * self._says_missing if count else []

    @property
    def _says_missing(self) -> bool:
        """Whether missing has a feature; a value or missing is one feature, like two values."""
        return self.has_missing and len(self.words) != 1 and not self.is_embedded

    def codes(self, column: Column, missing: Collection[str]) -> Array:
        refuse_others(self.name, column, "categories")
        found = as_words(column)
        index = {word: code for code, word in enumerate(self.words, 1)}
        gap = len(self.words) + 1 if self.has_missing else 0
        codes = [gap if is_missing(word, missing) else index.get(word, 0) for word in found.words]
        return np.array([*codes, gap], np.int64)[found.codes]

    def encode(self, column: Column, missing: Collection[str]) -> Array:
        codes = self.codes(column, missing)
        if self.is_embedded:
            return codes[:, None]
        if not self._is_one_hot:
            encoded: Array = self.scales.apply(self._table())[codes]
            return encoded
        off, on = (self.scales.apply(np.full((1, len(self.scales)), value))[0] for value in (0.0, 1.0))
        encoded = np.tile(off, (len(codes), 1))
        rows = np.flatnonzero(codes)
        encoded[rows, codes[rows] - 1] = on[codes[rows] - 1]
        return encoded

    def unseen(self, column: Column, missing: Collection[str]) -> tuple[int, list[str]]:
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
        gap = len(self.words) + 1 if self.has_missing else 0
        labels = ["other", *self.words, *["missing"] * self.has_missing]
        table = None if self._is_one_hot or self.is_embedded else self._table()
        scales = unscaled(1) if self.is_embedded else self.scales
        codes, source = np.arange(len(self.words)) + 1, Source(self.name, WORDS)
        return lookup(source, self.words, codes, labels, scales, gap=gap, table=table, is_code=self.is_embedded)

    def details(self) -> dict[str, Any]:
        return {"words": list(self.words), "has_missing": self.has_missing, "is_embedded": self.is_embedded}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> CategoryRule:
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


# --- flags ----------------------------------------------------------------------------------------------------------

_OTHER, _FALSE, _TRUE, _GAP = range(4)
_TABLE = np.array([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


@dataclass(frozen=True)
class FlagRule(Rule):
    """A column of two words for yes and no; or, if ``by_presence``, of one value that is present or missing."""

    has_missing: bool
    by_presence: bool

    kind = "flag"

    @staticmethod
    def fit(name: str, column: Column, missing: Collection[str], how: str) -> FlagRule:
        refuse_others(name, column, "flags")
        words = as_words(column)
        said = {truth(word) for word in words.words if not is_missing(word, missing)}
        by_presence = said != {True, False}
        rule = FlagRule(name, unscaled(0), False, by_presence)
        codes = rule.codes(column, missing)
        has_missing = not by_presence and bool((codes == _GAP).any())
        table = _TABLE[:, : 1 + has_missing]
        return FlagRule(name, fit_lookup(table, np.bincount(codes, minlength=4), how), has_missing, by_presence)

    @property
    def features(self) -> list[str]:
        return [self.name, is_missing_name(self.name)][: 1 + self.has_missing]

    @property
    def roles(self) -> list[str]:
        return ["flag", "missing"][: 1 + self.has_missing]

    def codes(self, column: Column, missing: Collection[str]) -> Array:
        """Return the row of the table for each cell."""
        refuse_others(self.name, column, "flags")
        found = as_words(column)
        codes = [self._code(word, missing) for word in found.words]
        return np.array([*codes, _FALSE if self.by_presence else _GAP], np.intp)[found.codes]

    def _code(self, word: str, missing: Collection[str]) -> int:
        if is_missing(word, missing):
            return _FALSE if self.by_presence else _GAP
        if self.by_presence:
            return _TRUE
        return {True: _TRUE, False: _FALSE, None: _OTHER}[truth(word)]

    def encode(self, column: Column, missing: Collection[str]) -> Array:
        table = self.scales.apply(_TABLE[:, : 1 + self.has_missing])
        encoded: Array = table[self.codes(column, missing)]
        return encoded

    def unseen(self, column: Column, missing: Collection[str]) -> tuple[int, list[str]]:
        found = as_words(column)
        codes = self.codes(column, missing)
        places = np.unique(found.codes[codes == _OTHER])
        return int((codes == _OTHER).sum()), [found.words[at] for at in places[:5]]

    def program(self) -> ColumnProgram:
        said = {} if self.by_presence else {word: self._code(word, ()) for word in spellings()}
        gap, other = (_FALSE, _TRUE) if self.by_presence else (_GAP, _OTHER)
        labels = ["other", "false", "true", "missing"]
        table, source = _TABLE[:, : 1 + self.has_missing], Source(self.name, WORDS)
        codes = list(said.values())
        return lookup(source, list(said), codes, labels, self.scales, gap=gap, other=other, table=table)

    def details(self) -> dict[str, Any]:
        return {"has_missing": self.has_missing, "by_presence": self.by_presence}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> FlagRule:
        has_missing = facts.get(entry, "has_missing", bool)
        scales = Scales.from_dict(facts.get(entry, "scales", dict), 1 + has_missing)
        return FlagRule(name, scales, has_missing, facts.get(entry, "by_presence", bool))
