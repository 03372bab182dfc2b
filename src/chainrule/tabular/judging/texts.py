"""Decide the kind of a column of words: number or date in texts, flag, category, free text, or id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ..._support.checks import sentence
from ..columns import Numbers, Words
from ..moments import DAY_FIRST, MONTH_FIRST, NO_MOMENT, UNCLEAR, microseconds, order
from ..numerals import COMMA, POINT, is_code, is_whole, numeral, style, values
from ..words import are_truths, is_missing, is_missing_number, truth
from .facts import CATEGORY, DATE, FLAG, ID, NUMBER, TEXT, Facts, first_of, gaps, used_words
from .numbers import judge_numbers

_FEW_ROWS = 5  # too few to recognise an id
_NEARLY = 0.95  # share of distinct texts that makes an id
_MANY = 0.3  # share of distinct texts that may be free text
_WORDS = 3  # average number of words in free text
_SOME = 50  # words that are examined for numbers or dates first


def judge_words(who: str, name: str, column: Words, missing: Collection[str]) -> Facts:
    """Decide the kind of a column of text."""
    used = used_words(column)
    if all(is_missing_number(word, missing) or numeral(word) is not None for word in used[:_SOME]):
        numbers = [word for word in used if not is_missing_number(word, missing)]
        if (found := numbers_in(who, name, column, numbers)) is not None:
            return found
    present = [word for word in used if not is_missing(word, missing)]
    facts = Facts(CATEGORY, gaps(column, present), len(present), first_of(present), "words")
    if len(present) < 2:
        return facts.of_one()
    if are_truths(present):
        by_meaning = sorted(present, key=lambda word: (truth(word) is True, word))
        return replace(facts, kind=FLAG, why=f"{by_meaning[0]} and {by_meaning[-1]}")
    if (form := date_form(who, name, present)) is not None:
        return replace(facts, kind=DATE, why="dates", form=form)
    return _judge_texts(facts, present, len(column) - facts.missing)


def _judge_texts(facts: Facts, present: Sequence[str], rows: int) -> Facts:
    """Decide the kind of words that are not numbers, flags or dates."""
    lengths = [len(word.split()) for word in present[:1000]]
    if facts.distinct >= max(_MANY * rows, _FEW_ROWS) and sum(lengths) >= _WORDS * len(lengths):
        return replace(facts, kind=TEXT, why="different texts")
    if rows >= _FEW_ROWS and facts.distinct >= _NEARLY * rows:
        return facts.left_out("all different" if facts.distinct == rows else "nearly all different", ID)
    return replace(facts, why="codes") if all(map(is_whole, present)) else facts


def numbers_in(who: str, name: str, column: Words, present: Sequence[str]) -> Facts | None:
    """Return the facts for a column whose words are all numbers and not codes; otherwise None."""
    if not present or any(numeral(word) is None for word in present[:_SOME]):
        return None
    if any(map(is_code, present)) and all(map(is_whole, present)):
        return None
    how = style(present)
    found = dict(zip(present, values(present, how.decimal or POINT), strict=True))
    if any(number is None or (isinstance(number, int) and abs(number) >= 2**63) for number in found.values()):
        return None
    if not how.decimal and any(COMMA in word for word in how.doubtful):
        word = next(word for word in how.doubtful if COMMA in word)
        remedy = f"pass columns={{{name!r}: 'number:.'}} or 'number:,' for the decimal mark"
        raise ValueError(sentence(who, f"unambiguous numbers in column {name!r}", repr(word), remedy))
    numbers = np.array([found.get(word, np.nan) for word in column.words] + [np.nan], np.float64)[column.codes]
    facts = judge_numbers(name, Numbers(numbers, np.isnan(numbers)))
    if facts.kind == FLAG and not are_truths(present):
        facts = replace(facts, kind=NUMBER, why="numbers")
    if facts.kind != NUMBER:
        return facts
    return replace(facts, why=f"{facts.why}, as text", form=COMMA if how.decimal == COMMA else "")


def date_form(who: str, name: str, present: Sequence[str]) -> str | None:
    """Return how dates are written; None if the words are not dates."""
    if not any((microseconds(present[:_SOME], first) != NO_MOMENT).all() for first in (DAY_FIRST, MONTH_FIRST)):
        return None
    form = order(present)
    if (microseconds(present, form if form == MONTH_FIRST else DAY_FIRST) == NO_MOMENT).any():
        return None
    if form == UNCLEAR:
        remedy = f"pass columns={{{name!r}: 'date:dmy'}} if the day comes first, otherwise 'date:mdy'"
        expected = f"dates with an unambiguous order of day and month in column {name!r}"
        raise ValueError(sentence(who, expected, repr(present[0]), remedy))
    return form
