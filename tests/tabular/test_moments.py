"""Dates as people and programs write them."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.tabular.moments import NO_MOMENT, is_moment, microseconds, order

EPOCH = datetime.datetime(1970, 1, 1)
SECOND = datetime.timedelta(seconds=1)


def said(word: str, first: str = "dmy") -> str:
    return str(microseconds([word], first).astype("datetime64[us]")[0])[:19]


@pytest.mark.parametrize(
    ("word", "moment"),
    [
        ("2024-01-31", "2024-01-31T00:00:00"),
        ("2024/1/31", "2024-01-31T00:00:00"),
        ("2024-01", "2024-01-01T00:00:00"),
        ("2024-01-31 05:30", "2024-01-31T05:30:00"),
        ("2024-01-31T05:30:15.25+02:00", "2024-01-31T03:30:15"),
        ("2024-01-31T23:30:00-0130", "2024-02-01T01:00:00"),
        ("2024-01-31T05:30:15Z", "2024-01-31T05:30:15"),
        ("20141013T000000", "2014-10-13T00:00:00"),
        ("31.1.24", "2024-01-31T00:00:00"),
        ("31.1.69", "1969-01-31T00:00:00"),
        ("31 Jan 2024", "2024-01-31T00:00:00"),
        ("31-Jan-24", "2024-01-31T00:00:00"),
        ("1st February 2024", "2024-02-01T00:00:00"),
        ("Jan 31, 2024 5:30 PM", "2024-01-31T17:30:00"),
        ("Jan 31, 2024 12:05 am", "2024-01-31T00:05:00"),
        ("January 2024", "2024-01-01T00:00:00"),
        ("Mon, 02 Jan 2006 15:04:05 -0700", "2006-01-02T22:04:05"),
        ("10:30", "1970-01-01T10:30:00"),
        ("2024-02-29", "2024-02-29T00:00:00"),
    ],
)
def test_a_moment(word: str, moment: str) -> None:
    assert is_moment(word)
    assert said(word) == moment


@pytest.mark.parametrize(
    "word",
    ["", "may", "12", "1.5", "sunday", "25:00", "2023-02-29", "13/13/2024", "2024-13-01", "0000-01-01", "10:75",
     "13:00 PM", "now", "today", "NaT", "1.2.3.4", "2024-01-31 and more", "x" * 100],
)  # fmt: skip
def test_what_is_no_moment(word: str) -> None:
    assert not is_moment(word)
    assert microseconds([word])[0] == NO_MOMENT


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["3/4/2024", "13/4/2024"], "dmy"),
        (["3/4/2024", "4/13/2024"], "mdy"),
        (["3/4/2024"], "?"),
        (["3.4.2024"], "dmy"),
        (["4/4/2024"], ""),
        (["2024-01-02", "x"], ""),
    ],
)
def test_whether_the_day_or_the_month_comes_first(words: list[str], first: str) -> None:
    assert order(words) == first


def test_the_order_decides_what_a_date_says() -> None:
    assert said("3/4/2024", "dmy") == "2024-04-03T00:00:00"
    assert said("3/4/2024", "mdy") == "2024-03-04T00:00:00"
    assert microseconds(["13/4/2024"], "mdy")[0] == NO_MOMENT


def test_a_column_of_plain_dates_with_a_wrong_one_keeps_the_others() -> None:
    found = microseconds(["2024-02-28", "2024-02-30"])
    assert found.tolist() == [1709078400000000, NO_MOMENT]


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
def test_iso_moments_are_read_to_the_microsecond(moment: datetime.datetime) -> None:
    exact = (moment - EPOCH) // datetime.timedelta(microseconds=1)
    for word in (moment.isoformat(), moment.isoformat(" ") + "Z", moment.isoformat() + "+00:00"):
        assert microseconds([word]).tolist() == [exact]
    day = f"{moment.day}.{moment.month}.{moment.year:04d}"
    assert microseconds([day, day])[0] == exact - exact % 86_400_000_000


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_none(word: str) -> None:
    assert microseconds([word]).dtype == np.int64
