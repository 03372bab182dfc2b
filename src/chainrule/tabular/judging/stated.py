"""Check a column whose kind the user states, and determine how its values are written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from ..._support.checks import sentence
from ..columns import Column, Moments, Numbers, Others, as_words
from ..moments import DAY_FIRST, NO_MOMENT, microseconds
from ..numerals import COMMA, POINT, is_whole, style, values
from ..words import is_missing, is_missing_number
from .facts import COMPACT, DATE, DROP, NUMBER, Facts, first_of, gaps, used_words
from .numbers import days_of
from .texts import date_form


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
