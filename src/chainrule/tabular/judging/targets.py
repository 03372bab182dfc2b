"""Decide whether the target is a number or a class."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from ..._support.checks import sentence
from ..columns import Column, Moments, Numbers, Others, Words
from ..numerals import COMMA
from ..words import is_missing, is_missing_number
from .facts import CATEGORY, FLAG, NUMBER, Facts, first_of, gaps, used_words
from .numbers import are_whole, example_of
from .stated import check_numbers
from .texts import numbers_in

MOST_CLASSES = 20  # maximum number of distinct integers that are classes
_CLASSES = frozenset(("None", "none", "NONE", "nil", "NIL", "Nil", "-", "."))  # missing values in other columns
_WHY = "the target"


def is_no_class(word: str, missing: Collection[str]) -> bool:
    """Whether a word in the target is a missing value."""
    return word not in _CLASSES and is_missing(word, missing)


def judge_target(
    who: str, name: str, column: Column, missing: Collection[str], kind: str = "", form: str = ""
) -> Facts:
    """Decide: a category if it is text, two values or few repeated integers; otherwise a number; or what is stated."""
    if isinstance(column, (Others, Moments)):
        what = column.what if isinstance(column, Others) else "dates"
        raise ValueError(sentence(who, f"numbers or words in the target {name!r}", what, "turn it into one of them"))
    if kind not in ("", NUMBER, CATEGORY, FLAG):
        raise ValueError(sentence(who, f"the target {name!r} to be a number or a category", repr(kind)))
    if isinstance(column, Words):
        return _of_words(who, name, column, missing, kind, form)
    return _of_numbers(column, kind)


def _of_numbers(column: Numbers, kind: str) -> Facts:
    present = column.values[~column.missing]
    different = np.unique(present)
    count = len(different)
    facts = Facts(kind or NUMBER, int(column.missing.sum()), count, example_of(present), _WHY)
    few = count <= min(MOST_CLASSES, len(present) // 2) and are_whole(different)
    if kind or not (count <= 2 or few):
        return facts
    return replace(facts, kind=CATEGORY, why=f"{_WHY}: {count} classes")


def _of_words(who: str, name: str, column: Words, missing: Collection[str], kind: str, form: str) -> Facts:
    used = used_words(column)
    numbers = [word for word in used if not is_missing_number(word, missing)]
    if kind == NUMBER:
        mark = check_numbers(who, name, numbers, form)
        return Facts(NUMBER, gaps(column, numbers), len(numbers), first_of(numbers), _WHY, mark)
    if not kind and (found := numbers_in(who, name, column, numbers)) is not None:
        form = found.form if found.form == COMMA else ""
        return replace(found, kind=NUMBER, why=f"{_WHY}: numbers, as text", form=form)
    present = [word for word in used if not is_no_class(word, missing)]
    return Facts(CATEGORY, gaps(column, present), len(present), first_of(present), f"{_WHY}: {len(present)} classes")
