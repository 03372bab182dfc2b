"""Decide the kind of a column, with the reason: a column of numbers, moments or words; the target; what is stated."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from .._support.checks import Array, sentence
from .columns import Column, Moments, Numbers, Others, Words, as_words
from .moments import DAY_FIRST, MONTH_FIRST, NO_MOMENT, UNCLEAR, microseconds, order
from .numerals import COMMA, POINT, is_code, is_whole, numeral, style, values
from .words import are_truths, is_missing, is_missing_number, truth

NUMBER, CATEGORY, FLAG, DATE, TEXT, ID, CONSTANT, DROP = KINDS = (
    "number", "category", "flag", "date", "text", "id", "constant", "drop",
)  # fmt: skip
COMPACT = "yyyymmdd"
LARGEST, HEAVIEST = 1e100, 1e30  # numbers to predict, whose squares float64 sums; weights, which float32 holds
INTEGER = "integer"  # the form of an id that may become a number
_FEW_ROWS = 5  # too few to recognise an id


@dataclass(frozen=True)
class Facts:
    """The kind of a column and the reason; the numbers of missing and distinct values; an example."""

    kind: str
    missing: int
    distinct: int
    example: str
    why: str
    form: str = ""

    def left_out(self, why: str, kind: str = "") -> Facts:
        return replace(self, kind=kind or self.kind, why=f"left out: {why}")

    def of_one(self) -> Facts:
        """Return the facts for a column with at most one distinct value."""
        if not self.distinct:
            return self.left_out("no value", CONSTANT)
        if self.missing:
            return replace(self, kind=FLAG, why="one value, or none")
        return self.left_out("the same everywhere", CONSTANT)


def used_words(column: Words) -> list[str]:
    """Return the words that occur; a part of a table may lack some."""
    return [word for word, count in zip(column.words, column.counts(), strict=True) if count]


def gaps(column: Words, present: Collection[str]) -> int:
    """Count the missing cells; ``present`` are the words that are values."""
    known = set(present)
    said = sum(int(count) for word, count in zip(column.words, column.counts(), strict=True) if word not in known)
    return int((column.codes < 0).sum()) + said


def first_of(present: Sequence[str]) -> str:
    """Return an example."""
    return present[0] if present else ""


# --- names ----------------------------------------------------------------------------------------------------------

_PARTS = re.compile(r"[A-Z]?[a-zäöüß]+|[A-Z]+(?![a-z])|\d+")
_IDS = frozenset(("id", "ids", "uid", "uuid", "guid", "pid", "key", "pk", "idx", "index", "rowid", "rownum", "nr"))
_WHOSE = frozenset(("account", "client", "customer", "employee", "item", "member", "order", "passenger", "patient"))
_WHOSE |= {"person", "product", "student", "user"}
_POSTAL = frozenset(("zip", "zipcode", "postcode", "postalcode", "postal", "plz"))
_CODES = frozenset(("class", "subclass", "type", "code", "category"))
_TIMES = frozenset(("date", "time", "timestamp", "epoch", "unixtime", "datetime", "year", "yr", "ts"))


def parts(name: str) -> list[str]:
    """Split a name into words in lower case: ``CustomerID`` and ``customer_id`` give customer and id."""
    return [part.lower() for part in _PARTS.findall(name)]


def is_id_name(name: str) -> bool:
    """Whether a name states that a column identifies rows."""
    lower = name.lower()
    return not _IDS.isdisjoint(parts(name)) or (lower.endswith("id") and lower[:-2] in _WHOSE)


def is_postal_name(name: str) -> bool:
    """Whether a name states that integers are postcodes, of which there may be many."""
    return not _POSTAL.isdisjoint(parts(name))


def is_code_name(name: str) -> bool:
    """Whether a name states that integers are codes rather than measurements."""
    return not _CODES.isdisjoint(parts(name))


def is_time_name(name: str) -> bool:
    """Whether a name states that integers are times."""
    return not _TIMES.isdisjoint(parts(name))


# --- numbers and moments --------------------------------------------------------------------------------------------

_COLLISIONS = 5  # expected equal pairs; integers without any are then an id
_CODE_LENGTH = 8  # digits; integers that all have as many are an id
_MOST_CODES = 100  # distinct integers that a name can make codes
_FIRST_DAY, _LAST_DAY = 1900_01_01, 2100_12_31


def judge_numbers(name: str, column: Numbers) -> Facts:
    """Decide the kind of a column of numbers."""
    present = column.values[~column.missing]
    different = np.unique(present)
    facts = Facts(NUMBER, int(column.missing.sum()), len(different), example_of(present), "numbers")
    if len(different) < 2:
        return facts.of_one()
    if different.tolist() == [0, 1]:
        return replace(facts, kind=FLAG, why="0 and 1")
    if not are_whole(different):
        return facts
    if _are_days(different):
        return replace(facts, kind=DATE, why="dates as YYYYMMDD", form=COMPACT)
    if why := _why_id(name, len(present), different):
        return replace(facts, form=INTEGER).left_out(why, ID)
    if is_postal_name(name) or (is_code_name(name) and len(different) <= _MOST_CODES):
        return replace(facts, kind=CATEGORY, why="named as a code")
    return replace(facts, why="integers")


def judge_moments(column: Moments) -> Facts:
    """Decide the kind of a column of dates."""
    present = column.values[column.values != NO_MOMENT]
    example = str(present[0].astype("datetime64[us]").astype("datetime64[s]")) if len(present) else ""
    gaps = len(column) - len(present)
    facts = Facts(DATE, gaps, len(np.unique(present)), example.removesuffix("T00:00:00"), "dates")
    return facts if facts.distinct > 1 else facts.of_one()


def example_of(present: Array) -> str:
    """Return the first number as text."""
    if not len(present):
        return ""
    return f"{present[0].item():.6g}" if present.dtype.kind == "f" else str(present[0])


def are_whole(numbers: Array) -> bool:
    """Whether all numbers are finite integers."""
    return bool(np.isfinite(numbers).all() and (np.floor(numbers) == numbers).all())


def days_of(numbers: Array) -> Array:
    """Convert integers such as 20240131 to microseconds since 1970; ``NO_MOMENT`` if one is not a day."""
    different, places = np.unique(numbers, return_inverse=True)
    found: Array = microseconds([_day(int(number)) for number in different.tolist()])[places]
    return found


def _day(number: int) -> str:
    if not _FIRST_DAY <= number <= _LAST_DAY:
        return ""
    return f"{number // 10000:04d}-{number // 100 % 100:02d}-{number % 100:02d}"


def _are_days(different: Array) -> bool:
    if len(different) < 3 or different[0] < _FIRST_DAY or different[-1] > _LAST_DAY:
        return False
    return bool((days_of(different) != NO_MOMENT).all())


def _why_id(name: str, count: int, different: Array) -> str:
    """Return why integers are an id: all differ, and chance or the name exclude a measurement. Otherwise, return "".

    Among n integers drawn from r, n (n − 1) / 2 r pairs are expected to be equal.
    """
    if count < _FEW_ROWS or len(different) < count or is_time_name(name):
        return ""
    span = int(different[-1]) - int(different[0]) + 1
    if span == count:
        return "counts the rows"
    lengths = {len(str(abs(int(value)))) for value in (different[0], different[-1])}
    are_codes = len(lengths) == 1 and min(lengths) >= _CODE_LENGTH
    by_chance = count * (count - 1) / 2 / span
    return "all different" if is_id_name(name) or are_codes or by_chance > _COLLISIONS else ""


# --- words ----------------------------------------------------------------------------------------------------------

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


# --- what the user states -------------------------------------------------------------------------------------------


def judge_stated(who: str, name: str, column: Column, missing: Collection[str], kind: str, form: str) -> Facts:
    """Return the facts for a column of this kind; raise a ValueError if it cannot be of that kind."""
    if kind == NUMBER and isinstance(column, Numbers):
        there = column.values[~column.missing]
        gone = int(column.missing.sum())
        return Facts(kind, gone, len(np.unique(there)), example_of(there), "as stated", form)
    words = as_words(column)
    is_gap = is_missing_number if kind == NUMBER else is_missing
    present = [word for word in used_words(words) if not is_gap(word, missing)]
    facts = Facts(kind, gaps(words, present), len(present), first_of(present), "as stated", form)
    if isinstance(column, Others) and kind != DROP:
        raise ValueError(sentence(who, f"a {kind} in column {name!r}", column.what, "drop it"))
    if kind == NUMBER:
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


# --- the target -----------------------------------------------------------------------------------------------------

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


def judge(who: str, name: str, column: Column, missing: Collection[str], kind: str = "", form: str = "") -> Facts:
    """Decide the kind of an input, unless ``kind`` states it; ``missing`` are further words for a missing value."""
    if kind:
        return judge_stated(who, name, column, missing, kind, form)
    if isinstance(column, Others):
        return Facts(DROP, 0, 0, "", "").left_out(column.what)
    if isinstance(column, Moments):
        return judge_moments(column)
    if isinstance(column, Numbers):
        return judge_numbers(name, column)
    return judge_words(who, name, column, missing)
