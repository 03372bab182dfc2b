"""Words that stand for no value, and words for true and false."""

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
#: Further ones, which mean the same only between numbers; compared in lower case.
MISSING_AMONG_NUMBERS = frozenset((*_SAYINGS, "--", "---", "..", "...", "n/a", "n.a."))

#: What says false and what says true, each beside the other.
_PAIRS = (
    ("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"), ("0", "1"), ("off", "on"), ("nein", "ja"), ("n", "j"),
    ("nee", "ja"), ("nej", "ja"), ("non", "oui"), ("no", "si"), ("no", "sí"), ("não", "sim"), ("ne", "ano"),
    ("нет", "да"),
)  # fmt: skip
_FALSE, _TRUE = (frozenset(words) for words in zip(*_PAIRS, strict=True))
_LONG = frozenset(("yes", "no", "true", "false"))  # which leave no doubt that other spellings beside them mean the same


def is_missing(word: str, also: Collection[str] = ()) -> bool:
    """Whether a cell of text says that there is no value; ``also`` are words that the user named."""
    return word in MISSING or word in also


def is_missing_number(word: str, also: Collection[str] = ()) -> bool:
    """The same for a cell between numbers, where ``missing`` or ``--`` cannot be a value."""
    return is_missing(word, also) or word.lower() in MISSING_AMONG_NUMBERS


def missing_between_numbers(also: Collection[str] = ()) -> list[str]:
    """All words, in their usual spellings, that ``is_missing_number`` knows."""
    spelled = {word for said in MISSING_AMONG_NUMBERS for word in (said, said.capitalize(), said.upper())}
    return sorted(spelled | MISSING | set(also))


def truth(word: str) -> bool | None:
    """What a word says about a flag, in any spelling; None for a word that is neither true nor false."""
    lower = word.lower()
    return True if lower in _TRUE else False if lower in _FALSE else None


def spellings() -> list[str]:
    """All words of which ``truth`` knows what they say, small and capital letters in any mixture."""
    letters = ([{letter, letter.upper()} for letter in word] for word in _FALSE | _TRUE)
    return sorted({"".join(word) for mixed in letters for word in product(*mixed)})


def are_truths(words: Collection[str]) -> bool:
    """Whether these words are a flag: a pair such as yes and no, or several spellings of both.

    ``f`` and ``y`` are no pair.
    """
    if len(words) > 2 * len(_PAIRS) or {truth(word) for word in words} != {True, False}:
        return False
    lower = {word.lower() for word in words}
    return any(lower == set(pair) for pair in _PAIRS) or not lower.isdisjoint(_LONG)
