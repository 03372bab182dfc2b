"""Decide the kind of what the user names: the target, a number or a class; and a column whose kind is stated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from ..._support.checks import sentence
from ..columns import Column, Moments, Numbers, Others, Words, as_words
from ..moments import DAY_FIRST, NO_MOMENT, microseconds
from ..numerals import COMMA, POINT, is_whole, style, values
from ..words import is_missing, is_missing_number
from .rules import (
    CATEGORY,
    COMPACT,
    DATE,
    DROP,
    FLAG,
    NUMBER,
    Facts,
    are_whole,
    date_form,
    days_of,
    example_of,
    first_of,
    gaps,
    numbers_in,
    used_words,
)


def judge_stated(who: str, name: str, column: Column, missing: Collection[str], kind: str, form: str) -> Facts:
    """Return the facts for a column of this kind; raise a ValueError if it cannot be of that kind."""
    words = as_words(column)
    is_gap = is_missing_number if kind == NUMBER else is_missing
    present = [word for word in used_words(words) if not is_gap(word, missing)]
    facts = Facts(kind, gaps(words, present), len(present), first_of(present), "as stated", form)
    if isinstance(column, Others) and kind != DROP:
        raise ValueError(sentence(who, f"a {kind} in column {name!r}", column.what, "drop it"))
    if kind == NUMBER and not isinstance(column, Numbers):
        return replace(facts, form=check_numbers(who, name, present, form))
    if kind == DATE and not isinstance(column, Moments):
        return replace(facts, form=_date_form(who, name, present, form))
    return facts


def check_numbers(who: str, name: str, present: Sequence[str], form: str = "") -> str:
    """Return the form of numbers in texts; raise a ValueError if one is not a number."""
    mark = form or style(present).decimal or POINT
    for word, number in zip(present, values(present, mark), strict=True):
        if number is None:
            _refuse(who, "numbers", name, word, "correct it, call it missing, or make the column a category")
    return mark if mark == COMMA else ""


def _date_form(who: str, name: str, present: Sequence[str], form: str) -> str:
    if present and all(map(is_whole, present)):
        found, moments = COMPACT, days_of(np.array([int(word) for word in present], np.float64))
    else:
        found = form or date_form(who, name, present) or ""
        moments = microseconds(present, found or DAY_FIRST)
    if (moments == NO_MOMENT).any():
        _refuse(who, "dates", name, present[int(np.argmax(moments == NO_MOMENT))], "write them as 2024-01-31")
    return found


def _refuse(who: str, what: str, name: str, word: str, remedy: str) -> NoReturn:
    raise ValueError(sentence(who, f"{what} in column {name!r}", repr(word), remedy))


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
