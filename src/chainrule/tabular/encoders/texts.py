"""Free text: counts of three-letter pieces, summed in a few buckets by a hash.

The text is converted to lower case (A to Z), with a space before and after it. For three consecutive characters a, b
and c, where characters that training did not have are 0:

    h = 48271 ((a p² + b p + c) mod q) mod q,   p = 1000003,  q = 2³¹ − 1
    bucket h mod B,   sign + if ⌊h / B⌋ is odd, otherwise −

The sums are divided by the length of their vector, standardised, and clipped smoothly. Before that, all numbers are
integers below 2⁶³, as ONNX and C have them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._support.checks import Array
from ...layers.program import Call
from ..columns import Column, Words, as_words
from ..words import is_missing
from . import facts
from .program import WORDS, ColumnProgram, Rule, Source, indicator, is_missing_name, refuse_others
from .quantities import indicator_scales
from .scaling import STANDARD, Scales, fit_scales, joined

P, Q, MIX = 1_000_003, 2**31 - 1, 48_271
MOST_CHARACTERS, MOST_ALPHABET, MOST_BUCKETS = 1_000, 4_096, 4_096  # of a text, of a column
_AT_ONCE, _ROWS = 1 << 20, 1 << 15  # characters, rows
_UPPER, _LOWER, _LETTERS, _BLANK = ord("A"), ord("a"), 26, ord(" ")


@dataclass(frozen=True)
class TextRule(Rule):
    """A column of texts: the characters of the training rows, in order, and the number of buckets."""

    has_missing: bool
    alphabet: str
    buckets: int

    kind = "text"

    @staticmethod
    def fit(name: str, column: Column, missing: Collection[str], how: str, buckets: int) -> TextRule:
        refuse_others(name, column, "texts")
        words = as_words(column)
        alphabet = _alphabet(words.words)
        rows = np.linspace(0, len(words) - 1, min(len(words), _ROWS)).astype(np.intp)
        sums, _ = _sums(Words(words.words, words.codes[rows]), missing, alphabet, buckets)
        gaps = _gone(words, missing)[words.codes]
        scales = [fit_scales(values, STANDARD, smooth=True) for values in sums.T]
        scales += [indicator_scales(gaps, how)] * bool(gaps.any())
        return TextRule(name, joined(scales), bool(gaps.any()), alphabet, buckets)

    @property
    def features(self) -> list[str]:
        """``review (hash 0)``, and so on."""
        names = [f"{self.name} (hash {at})" for at in range(self.buckets)]
        return names + [is_missing_name(self.name)] * self.has_missing

    @property
    def roles(self) -> list[str]:
        return ["text"] * self.buckets + ["missing"] * self.has_missing

    def encode(self, column: Column, missing: Collection[str]) -> Array:
        refuse_others(self.name, column, "texts")
        sums, gaps = _sums(as_words(column), missing, self.alphabet, self.buckets)
        return self.scales.apply(np.hstack([sums, indicator(gaps)]) if self.has_missing else sums)

    def fill(self, out: Array, column: Column, missing: Collection[str]) -> None:
        """Write the features in blocks of rows."""
        words = as_words(column)
        for start in range(0, len(words), _ROWS):
            rows = slice(start, start + _ROWS)
            out[rows] = self.encode(Words(words.words, words.codes[rows]), missing)

    def program(self) -> ColumnProgram:
        arrays = {"alphabet": np.array(list(map(ord, self.alphabet)), np.int64)}
        call = Call("pieces", arrays, {"buckets": self.buckets, "says": self.has_missing})
        return ColumnProgram(Source(self.name, WORDS), call, self.scales)

    def details(self) -> dict[str, Any]:
        return {"has_missing": self.has_missing, "alphabet": self.alphabet, "buckets": self.buckets}

    @staticmethod
    def from_dict(name: str, entry: dict[str, Any]) -> TextRule:
        has_missing, alphabet = facts.get(entry, "has_missing", bool), facts.get(entry, "alphabet", str)
        if len(alphabet) > MOST_ALPHABET or sorted(set(alphabet)) != list(alphabet):
            raise ValueError("an alphabet that is not in order")
        buckets = facts.integer(entry, "buckets", 1, MOST_BUCKETS)
        scales = Scales.from_dict(facts.get(entry, "scales", dict), buckets + has_missing)
        return TextRule(name, scales, has_missing, alphabet, buckets)


def _alphabet(words: Sequence[str]) -> str:
    """Return the characters that occur; the most frequent ones if there are too many."""
    counts: dict[int, int] = {}
    for codes in _code_points(words):
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            counts[int(code)] = counts.get(int(code), 0) + int(count)
    counts.pop(0, None)
    chosen = sorted(counts, key=lambda code: (-counts[code], code))[:MOST_ALPHABET]
    return "".join(map(chr, sorted(chosen)))


def _code_points(words: Sequence[str]) -> list[Array]:
    """Return the lower-case code points of texts (n, L) in parts: a space before and after, then zeros."""
    longest = max((min(len(word), MOST_CHARACTERS) for word in words), default=0)
    step = max(_AT_ONCE // (longest + 2), 1)
    parts = []
    for start in range(0, len(words), step):
        texts = [f" {word[:MOST_CHARACTERS]} ".replace("\0", " ") for word in words[start : start + step]]
        codes = np.array(texts, f"U{longest + 2}").view(np.uint32).reshape(len(texts), longest + 2).astype(np.int64)
        upper = (codes >= _UPPER) & (codes < _UPPER + _LETTERS)
        parts.append(codes + (_LOWER - _UPPER) * upper)
    return parts


def hashed(words: Sequence[str], alphabet: str, buckets: int) -> Array:
    """Return the sums (n, B) of n texts, each vector of length 1, or 0 if the text is empty."""
    known = np.array([ord(character) for character in alphabet], np.int64)
    sums = [np.zeros((0, buckets))]
    for codes in _code_points(words):
        seen = np.where(np.isin(codes, known), codes, 0)
        h = (seen[:, :-2] * P**2 + seen[:, 1:-1] * P + seen[:, 2:]) % Q * MIX % Q
        sign = np.where((codes[:, 2:] != 0), h // buckets % 2 * 2 - 1, 0)
        rows = np.arange(len(codes))[:, None] * buckets
        part = np.bincount((rows + h % buckets).ravel(), sign.ravel(), len(codes) * buckets).reshape(-1, buckets)
        length = np.sqrt((part**2).sum(axis=1, keepdims=True))
        sums.append(part / np.where(length == 0, 1, length))
    return np.concatenate(sums)


def _gone(words: Words, missing: Collection[str]) -> Array:
    """Return which words mean a missing text; the last entry is for missing cells."""
    return np.array([*(is_missing(word, missing) for word in words.words), True])


def _sums(words: Words, missing: Collection[str], alphabet: str, buckets: int) -> tuple[Array, Array]:
    """Return the sums of each cell (N, B), and where a text is missing (N,)."""
    used, places = np.unique(words.codes, return_inverse=True)
    texts = ["" if code < 0 or is_missing(words.words[code], missing) else words.words[code] for code in used]
    gaps = np.array([text == "" for text in texts], bool)
    sums = hashed(texts, alphabet, buckets)
    sums[gaps] = 0
    return sums[places], gaps[places]
