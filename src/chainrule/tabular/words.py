"""Words that stand for no value, and words for true and false."""

from __future__ import annotations

from collections.abc import Collection

_GAPS = ("NA", "N/A", "#N/A", "#NA", "N.A.", "NaN", "NaT", "null", "None", "<NA>", "nil")
_ERRORS = ("#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")  # of spreadsheets
_SAYINGS = ("missing", "unknown", "undefined", "not available", "not applicable", "no data", "n.d.", "blank", "void")

#: Words for a missing value in any column.
MISSING = frozenset(("", "?", "-", ".", "\\N", "\\n", *_ERRORS)) | {
    spelled for word in _GAPS for spelled in (word, word.lower(), word.upper(), word.capitalize())
}
#: Further ones, which mean the same only between numbers; compared in lower case.
MISSING_AMONG_NUMBERS = frozenset((*_SAYINGS, "--", "---", "..", "...", "n/a", "n.a."))

FALSE = frozenset(("false", "f", "no", "n", "off", "0", "nein", "non", "nee", "não", "nej", "ne", "нет"))
TRUE = frozenset(("true", "t", "yes", "y", "on", "1", "ja", "j", "oui", "o", "si", "sí", "s", "sim", "ano", "да"))


def is_missing(word: str, also: Collection[str] = ()) -> bool:
    """Whether a cell of text says that there is no value; ``also`` are words that the user named."""
    return word in MISSING or word in also


def is_missing_number(word: str, also: Collection[str] = ()) -> bool:
    """The same for a cell between numbers, where ``missing`` or ``--`` cannot be a value."""
    return is_missing(word, also) or word.lower() in MISSING_AMONG_NUMBERS


def truth(word: str) -> bool | None:
    """What a word says about a flag, in any spelling; None for a word that is neither true nor false."""
    lower = word.lower()
    return True if lower in TRUE else False if lower in FALSE else None


def are_truths(words: Collection[str]) -> bool:
    """Whether these words are a flag: some mean true, the others false, and there are both."""
    return len(words) <= len(TRUE) + len(FALSE) and {truth(word) for word in words} == {True, False}
