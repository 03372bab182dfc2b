"""What a cell of text says: a plain number, a number written for people, a date, nothing, or a word."""

from __future__ import annotations

import re
import unicodedata

# Words that stand for a missing value wherever they are met. Others that may be a value elsewhere (None, -, missing)
# are refused in a column of numbers as every other word is.
MISSING = frozenset(
    ("", "?", "NA", "N/A", "n/a", "N.A.", "n.a.", "<NA>", "NaN", "nan", "NAN", "NaT", "null", "Null", "NULL", "\\N")
) | frozenset(  # and the errors of spreadsheets
    ("#N/A", "#NA", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")
)

_SPACES, _APOSTROPHES, _MINUS = " \u00a0\u2007\u2009\u202f", "'\u2019", "\u2212\u2013\u2012"
_SIGN = f"[-+{_MINUS}]"
_CODES = "AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|INR|JPY|MXN|NOK|NZD|PLN|SEK|SGD|USD|ZAR"
_MONEY = rf"(?:[A-Z]{{0,3}}[$€£¥¢₩₪₫₱₴₹₺₽₿]|{_CODES}|[Kk]r\.?|Rs\.?|S?Fr\.?|zł|Kč|Ft)"
_GROUPED = rf"\d{{1,3}}(?P<mark>[,.{_SPACES}{_APOSTROPHES}])\d{{3}}(?:(?P=mark)\d{{3}})*|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}"
_DIGITS = rf"(?:{_GROUPED}|\d+(?:_\d+)*)(?:[.,]\d*)?|[.,]\d+"
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_WRITTEN = re.compile(
    rf"=?[\"']?(?P<paren>\()?\s?(?P<sign>{_SIGN})?\s?{_MONEY}?\s?(?P<second>{_SIGN})?(?P<digits>{_DIGITS})(?P<exponent>{_EXPONENT})"
    rf"(?:\s?(?:{_MONEY}|[%‰]))?(?P<last>[-{_MINUS}])?\s?(?(paren)\))[\"']?"
)
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
_NUMBER_AND_MORE = re.compile(rf"{_SIGN}?\s?(?:{_DIGITS}){_EXPONENT}\s?(?P<more>\S.{{0,15}})")

_TIME = r"\d{1,3}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?[AaPp]\.?[Mm]\.?)?(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = (
    r"\d{4}(?P<a>[-/.])\d{1,2}(?:(?P=a)\d{1,2})?|\d{1,2}(?P<b>[-/.])\d{1,2}(?P=b)(?:\d{4}|\d\d)|\d{4}-?W\d\d(?:-?\d)?"
    rf"|(?=.*\d)(?:\d{{1,4}}(?:st|nd|rd|th)?[\s-]*)?{_MONTH}(?:[\s-]*\d{{1,4}}(?:st|nd|rd|th)?)?(?:[\s,-]+\d{{2,4}})?"
)
_DATE = re.compile(rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s)?(?:{_DAY})(?:[T\s,]\s?{_TIME})?|{_TIME}", re.I)


def number(cell: str) -> float | None:
    """The number that a cell holds, or None; ``1_000`` is a number to Python, but not in a table."""
    try:
        return None if "_" in cell or not cell.isascii() else float(cell)
    except ValueError:
        return None


def is_written_number(cell: str) -> bool:
    """Whether this is a number, but not a plain one: ``1,5``, ``1 234``, ``$10``, ``12 %``, ``(3)``, ``0x1F``."""
    return bool(_WRITTEN.fullmatch(cell) or _HEXADECIMAL.fullmatch(cell))


def is_date(cell: str) -> bool:
    """Whether this is a date, a time, or both: ``2024-01-31``, ``31.1.24``, ``Jan 31, 2024``, ``10:30``."""
    return _DATE.fullmatch(cell) is not None


def behind_number(cell: str) -> str | None:
    """What follows a number at the beginning, without more digits: ``kg`` of ``12 kg``, ``-`` of ``10-20``."""
    found = _NUMBER_AND_MORE.fullmatch(cell)
    return re.sub(r"[\d.,\s]+", "", found["more"]) if found else None


def plain(cell: str) -> str:
    """The written number as a plain one; both readings of ``1,234``."""
    if _HEXADECIMAL.fullmatch(cell):
        return str(int(cell, 16))
    found = _WRITTEN.fullmatch(cell)
    if found is None:
        return cell
    digits = "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in found["digits"])
    signs = [found[name] for name in ("sign", "second", "last") if found[name]]
    sign = "-" if found["paren"] or any(mark != "+" for mark in signs) else ""
    readings = _readings(re.sub("[^0-9.,]", "", digits))
    return " or ".join(f"{sign}{reading}{found['exponent']}" for reading in readings)


def _readings(digits: str) -> list[str]:
    """What digits with commas and points may mean."""
    if "." in digits and "," in digits:
        point = max(digits.rfind("."), digits.rfind(","))
        return [re.sub("[.,]", "", digits[:point]) + "." + digits[point + 1 :]]
    if digits.count(".") > 1 or digits.count(",") > 1:
        return [re.sub("[.,]", "", digits)]
    whole, comma, decimals = digits.partition(",")
    if comma and whole and len(decimals) == 3:
        return [whole + decimals, f"{whole}.{decimals}"]
    return [digits.replace(",", ".")]
