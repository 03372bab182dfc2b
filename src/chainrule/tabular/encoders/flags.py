"""Flags: 1 for true and −1 for false in any spelling, 0 for anything else; a second feature marks missing values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._support.checks import Array
from ..columns import Column, as_words
from ..words import is_missing, spellings, truth
from . import facts
from .program import WORDS, ColumnProgram, Source, lookup
from .rule import Rule, is_missing_name, refuse_others
from .scaling import Scales, fit_lookup, unscaled

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
        """Fit the rule to a column of training rows."""
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
        """The name of the column, and that of the missing indicator."""
        return [self.name, is_missing_name(self.name)][: 1 + self.has_missing]

    @property
    def roles(self) -> list[str]:
        """A flag, and an indicator."""
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
        """Return the features (N, 1) or (N, 2)."""
        table = self.scales.apply(_TABLE[:, : 1 + self.has_missing])
        encoded: Array = table[self.codes(column, missing)]
        return encoded

    def unseen(self, column: Column, missing: Collection[str]) -> tuple[int, list[str]]:
        """Count the rows whose word is neither yes nor no, and list some of these words."""
        found = as_words(column)
        codes = self.codes(column, missing)
        places = np.unique(found.codes[codes == _OTHER])
        return int((codes == _OTHER).sum()), [found.words[at] for at in places[:5]]

    def program(self) -> ColumnProgram:
        """Return the program: the features of yes and no."""
        said = {} if self.by_presence else {word: self._code(word, ()) for word in spellings()}
        gap, other = (_FALSE, _TRUE) if self.by_presence else (_GAP, _OTHER)
        labels = ["other", "false", "true", "missing"]
        table, source = _TABLE[:, : 1 + self.has_missing], Source(self.name, WORDS)
        codes = list(said.values())
        return lookup(source, list(said), codes, labels, self.scales, gap=gap, other=other, table=table)

    def details(self) -> dict[str, Any]:
        """Return the form of the flag, and whether training had missing values."""
        return {"has_missing": self.has_missing, "by_presence": self.by_presence}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> FlagRule:
        """Read a rule from its description."""
        has_missing = facts.get(entry, "has_missing", bool)
        scales = Scales.from_dict(facts.get(entry, "scales", dict), 1 + has_missing)
        return FlagRule(name, scales, has_missing, facts.get(entry, "by_presence", bool))
