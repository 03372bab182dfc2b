"""Words for a missing value, and words for true and false."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

_GAPS = ("NA", "N/A", "#N/A", "#NA", "N.A.", "NaN", "NaT", "null", "None", "<NA>", "nil")
_ERRORS = ("#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")  # of spreadsheets
_SAYINGS = ("missing", "unknown", "undefined", "not available", "not applicable", "no data", "n.d.", "blank", "void")

#: Words for a missing value in any column.
MISSING = frozenset(("", "?", "-", ".", "\\N", "\\n", *_ERRORS)) | {
    spelled for word in _GAPS for spelled in (word, word.lower(), word.upper(), word.capitalize())
}
#: Further words, which mean it only among numbers; compared in lower case.
MISSING_AMONG_NUMBERS = frozenset((*_SAYINGS, "--", "---", "..", "...", "n/a", "n.a."))

#: Pairs of words for false and true.
_PAIRS = (
    ("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"), ("0", "1"), ("off", "on"), ("nein", "ja"), ("n", "j"),
    ("nee", "ja"), ("nej", "ja"), ("non", "oui"), ("no", "si"), ("no", "sí"), ("não", "sim"), ("ne", "ano"),
    ("нет", "да"),
)  # fmt: skip
_FALSE, _TRUE = (frozenset(words) for words in zip(*_PAIRS, strict=True))
_LONG = frozenset(("yes", "no", "true", "false"))  # unambiguous, so other spellings beside them count too


def is_missing(word: str, also: Collection[str] = ()) -> bool:
    """Whether a cell of text is missing; ``also`` are the user's words for it."""
    return word in MISSING or word in also


def is_missing_number(word: str, also: Collection[str] = ()) -> bool:
    """Whether a cell among numbers is missing, where ``missing`` or ``--`` cannot be a value."""
    return is_missing(word, also) or word.lower() in MISSING_AMONG_NUMBERS


def missing_between_numbers(also: Collection[str] = ()) -> list[str]:
    """Return all words that ``is_missing_number`` knows, in their usual spellings."""
    spelled = {word for said in MISSING_AMONG_NUMBERS for word in (said, said.capitalize(), said.upper())}
    return sorted(spelled | MISSING | set(also))


def truth(word: str) -> bool | None:
    """Return the truth value of a word in any spelling; None if it is neither true nor false."""
    lower = word.lower()
    return True if lower in _TRUE else False if lower in _FALSE else None


def spellings() -> list[str]:
    """Return all words that ``truth`` knows, in every mixture of lower and upper case."""
    letters = ([{letter, letter.upper()} for letter in word] for word in _FALSE | _TRUE)
    return sorted({"".join(word) for mixed in letters for word in product(*mixed)})


def are_truths(words: Collection[str]) -> bool:
    """Whether words form a flag: a pair such as yes and no, or several spellings of both.

    ``f`` and ``y`` are not a pair.
    """
    if len(words) > 2 * len(_PAIRS) or {truth(word) for word in words} != {True, False}:
        return False
    lower = {word.lower() for word in words}
    return any(lower == set(pair) for pair in _PAIRS) or not lower.isdisjoint(_LONG)
