"""Parse numbers as people write them: ``1,5``, ``1 234``, ``1.234,50 €``, ``12 %``, ``(3)``, ``−7``.

A comma or a point separates decimals or thousands. The other numbers of the column often decide which: in ``1.234,5``
the last mark is the decimal mark, and ``0,123`` has no thousands. ``1,234`` alone is ambiguous, and is never guessed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

POINT, COMMA = ".", ","
MOST_DIGITS = 300  # of an integer that stays exact
BLANKS = " \u00a0\u2007\u2009\u202f"
APOSTROPHES = "'\u2019"
_MINUS = "\u2212\u2013\u2012"
_SIGN = f"[-+{_MINUS}]"
_CODES = "AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|INR|JPY|MXN|NOK|NZD|PLN|SEK|SGD|USD|ZAR"
_MONEY = rf"(?:[A-Z]{{0,3}}[$€£¥¢₩₪₫₱₴₹₺₽₿]|{_CODES}|[Kk]r\.?|Rs\.?|S?Fr\.?|zł|Kč|Ft)"
_GROUPED = rf"\d{{1,3}}(?P<mark>[,.{BLANKS}{APOSTROPHES}])\d{{3}}(?:(?P=mark)\d{{3}})*|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}"
_DIGITS = rf"(?:{_GROUPED}|\d+)(?:[.,]\d*)?|[.,]\d+"
_WRITTEN = re.compile(
    rf"=?[\"']?(?P<open>\()?\s?(?P<sign>{_SIGN})?\s?(?P<before>{_MONEY})?\s?(?P<second>{_SIGN})?(?P<digits>{_DIGITS})"
    rf"(?P<exponent>[eE][+-]?\d+)?(?:\s?(?P<after>{_MONEY}|[%‰]))?(?P<last>[-{_MINUS}])?\s?(?(open)\))[\"']?"
)
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PLAIN_COMMA = re.compile(r"[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_CODE = re.compile(r"[+-]?0[0-9]+")
_SET_OFF = str.maketrans("", "", BLANKS + APOSTROPHES)


class Numeral(NamedTuple):
    """A number as written: sign, digits with commas and points, exponent, and unit.

    ``grouped`` states that blanks or apostrophes separated thousands; ``digits`` no longer contains them.
    """

    negative: bool
    digits: str
    exponent: str
    unit: str
    grouped: bool


@dataclass(frozen=True)
class Style:
    """How the numbers of a column are written, as far as they show it.

    ``decimal`` is the decimal mark, or empty if no number shows one; ``doubtful`` are the ambiguous numbers, such as
    ``1,234``; ``mixed`` states that some show a point and others a comma; ``grouped`` that some certainly have
    separated thousands.
    """

    decimal: str
    doubtful: tuple[str, ...]
    mixed: bool
    grouped: bool
    units: frozenset[str]


def is_plain(word: str, decimal: str = POINT) -> bool:
    """Whether a word is a number as programs write it, with this decimal mark."""
    return (_PLAIN if decimal == POINT else _PLAIN_COMMA).fullmatch(word) is not None


def is_whole(word: str) -> bool:
    """Whether a word is an integer as programs write it."""
    return _WHOLE.fullmatch(word) is not None


def is_code(word: str) -> bool:
    """Whether a word is digits with a leading zero, such as ``007``, which a number would lose."""
    return _CODE.fullmatch(word) is not None


def numeral(word: str) -> Numeral | None:
    """Parse a written number; None if the word is not a number."""
    if _PLAIN.fullmatch(word):
        mantissa, _, exponent = word.lower().partition("e")
        return Numeral(word[0] == "-", mantissa.lstrip("+-"), f"e{exponent}" if exponent else "", "", False)
    found = _WRITTEN.fullmatch(word)
    if found is None:
        return None
    digits = found["digits"].translate(_SET_OFF)
    if not digits.isascii():
        digits = "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in digits)
    signs = [found[name] for name in ("open", "sign", "second", "last") if found[name]]
    if len(signs) > 1:
        return None
    negative = bool(signs) and signs[0] != "+"
    unit = found["before"] or found["after"] or ""
    return Numeral(negative, digits, found["exponent"] or "", unit, len(digits) < len(found["digits"]))


def shows(digits: str, exponent: str = "") -> str:
    """Return the decimal mark that digits show: point, comma or nothing; with ``?`` if it may separate thousands."""
    point, comma = digits.count(POINT), digits.count(COMMA)
    if not point and not comma:
        return ""
    if point and comma:
        return POINT if digits.rfind(POINT) > digits.rfind(COMMA) else COMMA
    mark, other = (POINT, COMMA) if point else (COMMA, POINT)
    if point + comma > 1:
        return other
    whole, _, decimals = digits.partition(mark)
    grouped = len(decimals) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0" and not exponent
    return mark + "?" if grouped else mark


def style(words: Iterable[str]) -> Style:
    """Determine how the numbers among the words are written."""
    seen: dict[str, list[str]] = {POINT: [], COMMA: []}
    doubtful: dict[str, list[str]] = {POINT: [], COMMA: []}
    units, grouped = set(), False
    for word in words:
        found = numeral(word)
        if found is None:
            continue
        units.add(found.unit)
        grouped = grouped or found.grouped or found.digits.count(POINT) + found.digits.count(COMMA) > 1
        mark = shows(found.digits, found.exponent)
        if mark:
            (doubtful if mark.endswith("?") else seen)[mark[0]].append(word)
    decimal = next((mark for mark in (POINT, COMMA) if seen[mark]), "")
    return Style(
        decimal,
        tuple(doubtful[COMMA] + doubtful[POINT]),
        bool(seen[POINT] and seen[COMMA]),
        grouped,
        frozenset(units - {""}),
    )


def value(word: str, decimal: str = POINT) -> int | float | None:
    """Return the number that a word states, with this decimal mark; None if it is not a number that float64 can hold.

    Integers are exact, however long.
    """
    found = numeral(word)
    if found is None:
        return None
    thousands = COMMA if decimal == POINT else POINT
    whole, mark, decimals = found.digits.partition(decimal)
    if decimal in decimals or thousands in decimals or not _is_grouped(whole, thousands):
        return None
    whole = whole.replace(thousands, "")
    if not mark and not found.exponent and len(whole) <= MOST_DIGITS:
        return -int(whole) if found.negative else int(whole)
    number = float(f"{whole or 0}.{decimals or 0}{found.exponent}")
    if not math.isfinite(number):
        return None
    return -number if found.negative else number


def _is_grouped(whole: str, mark: str) -> bool:
    """Whether the marks group digits in threes; or, as in India, in twos before the last three."""
    if mark not in whole:
        return True
    first, *groups = whole.split(mark)
    sizes = {len(group) for group in groups[:-1]}
    begins = 1 <= len(first) <= 3 and first[0] != "0"
    return begins and len(groups[-1]) == 3 and (sizes <= {3} or (sizes == {2} and mark == COMMA))


def values(words: Sequence[str], decimal: str = POINT) -> list[int | float | None]:
    """Return the number that each word states, or None."""
    return [value(word, decimal) for word in words]
