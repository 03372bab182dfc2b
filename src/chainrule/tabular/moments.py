"""Parse dates and times to microseconds since 1970 in UTC.

A moment without a time zone is UTC. ``3/4/2024`` is 3 April in one country and March 4 in another: the rest of the
column decides (``13/4/2024`` has no thirteenth month), and ambiguity raises an error.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence

import numpy as np

from .._support.checks import Array

#: What stands for no moment among int64 microseconds; NumPy's NaT.
NO_MOMENT = np.iinfo(np.int64).min
DAY = 86_400_000_000  # microseconds
DAY_FIRST, MONTH_FIRST = "dmy", "mdy"
UNCLEAR = "?"
MOST = 60  # characters

_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?:\s?(?P<zone>Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?P<name>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
_AFTER = rf"(?:[T\s,]\s*{_TIME})?"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+)?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?:(?P=mark)(?P<day>\d{{1,2}}))?{_AFTER}",
        rf"(?P<one>\d{{1,2}})(?P<mark>[-/.])(?P<two>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d\d){_AFTER}",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?P<zone>Z)?",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s.-]*{_MONTH}[\s.,-]*(?P<year>\d{{4}}|\d\d){_AFTER}",
        rf"{_WEEKDAY}{_MONTH}\.?[\s-]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s+(?P<year>\d{{4}}){_AFTER}",
        rf"{_MONTH}\.?[\s,-]*(?P<year>\d{{4}})",
        _TIME,
    )
)
_PLAIN = re.compile(r"(?!0000)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?", re.ASCII)
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_CENTURY = 69  # two-digit years from here on are in the twentieth century, as in POSIX


def is_moment(word: str) -> bool:
    """Whether a word is a date, a time of day, or both."""
    return len(word) <= MOST and any(_microseconds(word, first) is not None for first in (DAY_FIRST, MONTH_FIRST))


def order(words: Iterable[str]) -> str:
    """Decide whether the day or the month comes first in dates such as ``3/4/2024``.

    Returns
    -------
    str
        ``dmy`` or ``mdy``; empty if there is no such date, or if day and month are equal in all; ``?`` if both are
        possible.
    """
    firsts, seconds, marks = {0}, {0}, set()
    for word in words:
        if (found := _FORMS[1].fullmatch(word)) and found["one"] != found["two"]:
            firsts.add(int(found["one"]))
            seconds.add(int(found["two"]))
            marks.add(found["mark"])
    if not marks or max(firsts) > 12:
        return DAY_FIRST if marks else ""
    if max(seconds) > 12:
        return MONTH_FIRST
    return DAY_FIRST if marks == {"."} else UNCLEAR


def microseconds(words: Sequence[str], first: str = DAY_FIRST) -> Array:
    """Parse words to int64 microseconds since 1970 in UTC; ``NO_MOMENT`` if one is not a moment."""
    if words and all(map(_PLAIN.fullmatch, words)):
        try:
            return np.array(words, "datetime64[us]").astype(np.int64)
        except ValueError:
            pass  # the 31st of February
    found = (_microseconds(word, first) for word in words)
    return np.fromiter((NO_MOMENT if at is None else at for at in found), np.int64, len(words))


def _microseconds(word: str, first: str) -> int | None:
    for form in _FORMS:
        if found := form.fullmatch(word):
            parts = found.groupdict()
            day = _day(parts, first)
            time = _time(parts)
            return None if day is None or time is None else day * DAY + time
    return None


def _day(parts: dict[str, str | None], first: str) -> int | None:
    """Return days since 1970; 0 for a time of day without a date."""
    if (text := parts.get("year")) is None:
        return 0
    year = int(text) if len(text) == 4 else int(text) + (1900 if int(text) >= _CENTURY else 2000)
    month, day = parts.get("month"), parts.get("day")
    if parts.get("one"):
        day, month = (parts["one"], parts["two"])[:: 1 if first == DAY_FIRST else -1]
    number = _MONTHS.index(str(parts["name"])[:3].lower()) + 1 if parts.get("name") else int(month or 1)
    try:
        return datetime.date(year, number, int(day or 1)).toordinal() - _EPOCH
    except ValueError:
        return None


def _time(parts: dict[str, str | None]) -> int | None:
    """Return microseconds since midnight in UTC, possibly negative; 0 for a date without a time."""
    if parts.get("hour") is None:
        return 0
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    fraction = int(((parts.get("fraction") or "") + "000000")[:6])
    return ((hour * 60 + minute - _zone(parts.get("zone") or "")) * 60 + second) * 1_000_000 + fraction


def _zone(text: str) -> int:
    """Return minutes ahead of UTC."""
    if text[:1] not in ("+", "-"):
        return 0
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return -minutes if text[0] == "-" else minutes
