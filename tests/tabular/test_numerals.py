"""Numbers as people write them: what they say, what leaves a doubt, and what is no number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.tabular.numerals import is_code, is_plain, numeral, style, value


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("12", 12), ("-12", -12), ("+3", 3), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e5", 1e5), ("1.5E-3", 1.5e-3),
        ("1 234", 1234), ("1\u00a0234", 1234), ("1\u202f234", 1234), ("1'234.5", 1234.5), ("1\u2019234", 1234),
        ("1,234.5", 1234.5), ("1,234,567", 1234567), ("1,00,000", 100000), ("1 234 567.8", 1234567.8),
        ("\u22127.5", -7.5), ("(3)", -3), ("5-", -5), ("$10", 10), ("-$5", -5), ("$-5", -5), ("12 %", 12), ("3‰", 3),
        ("1,234.50 €", 1234.5), ("USD 7", 7), ("US$ 7", 7), ("7 kr.", 7), ("٣٤", 34), ('="007"', 7),
        (str(2**70), 2**70),
    ],
)  # fmt: skip
def test_a_number_with_a_decimal_point(word: str, said: float) -> None:
    found = value(word)
    assert found == said
    assert type(found) is type(said)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("1,5", 1.5),
        ("1.234,5", 1234.5),
        ("1.234.567", 1234567),
        ("0,123", 0.123),
        ("1 234,5 €", 1234.5),
        ("1,5e3", 1500),
    ],
)
def test_a_number_with_a_decimal_comma(word: str, said: float) -> None:
    assert value(word, ",") == said


@pytest.mark.parametrize(
    "word",
    ["", "-", "%", "$", "abc", "1__0", "1.2.3", "12,34,5", "10-20", "--3", "(-3)", "12 kg", "1,23", "0,123", "00,123",
     "1e999", "9" * 5000, "0x1F", "1:30", "2024-01-31", "NaN", "inf", "½"],
)  # fmt: skip
def test_what_is_no_number_with_a_decimal_point(word: str) -> None:
    assert value(word) is None


@pytest.mark.parametrize(
    ("words", "decimal", "doubtful", "mixed"),
    [
        (["12", "7"], "", (), False),
        (["1.5", "7"], ".", (), False),
        (["1,5", "1.234"], ",", ("1.234",), False),
        (["1,234"], "", ("1,234",), False),
        (["1.234"], "", ("1.234",), False),
        (["0,123"], ",", (), False),
        (["1.234.567"], ",", (), False),
        (["1,234,567"], ".", (), False),
        (["1,234.5", "1,5"], ".", (), True),
    ],
)
def test_what_a_column_shows_of_its_decimal_mark(words, decimal: str, doubtful: tuple[str, ...], mixed: bool) -> None:
    found = style(words)
    assert (found.decimal, found.doubtful, found.mixed) == (decimal, doubtful, mixed)


def test_units_and_thousands_are_told() -> None:
    found = style(["$10", "€1", "5 %", "1 234"])
    assert found.units == {"$", "€", "%"}
    assert found.grouped
    assert not style(["12 %", "1.5"]).grouped


def test_digits_with_a_leading_zero_are_a_code() -> None:
    assert [word for word in ("007", "-01", "0", "0.5", "10", "00") if is_code(word)] == ["007", "-01", "00"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_read_back_to_the_bit(number: float) -> None:
    found = value(repr(number))
    assert found is not None
    assert float(found) == number
    assert math.copysign(1, found) == math.copysign(1, number) or found == 0
    assert is_plain(repr(number))


@given(st.integers(-(10**12), 10**12), st.sampled_from([",", ".", " ", "\u00a0", "'", "\u2019"]))
def test_integers_in_groups_of_three_are_read_back(number: int, mark: str) -> None:
    assert value(f"{number:,}".replace(",", mark), "," if mark == "." else ".") == number


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_none(word: str) -> None:
    assert (value(word) is None) or (numeral(word) is not None and math.isfinite(value(word) or 0))
