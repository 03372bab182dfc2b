"""Dates as features: held against Python's calendar, and safe however far out of range they are."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.tabular.encoders.quantities import year_and_month
from chainrule.tabular.encoding import TableEncoder

DAYS = [datetime.datetime(2011, 1, 1, 7) + datetime.timedelta(hours=31 * at) for at in range(400)]


def features(cells: Any, new: Any, **options: Any) -> dict[str, list[float]]:
    encoder = TableEncoder(dtype="float64", **options).fit({"t": cells}, columns={"t": "date"})
    return dict(zip(encoder.feature_names, encoder.transform({"t": new}).numbers.T.tolist(), strict=True))


@given(st.integers(-(2**31), 2**31))
def test_the_calendar_is_that_of_python(day: int) -> None:
    year, month = year_and_month(np.array([day]))
    ordinal = day + datetime.date(1970, 1, 1).toordinal()
    cycle = (ordinal - 1) % 146_097 + 1  # 400 years, after which the calendar comes again
    expected = datetime.date.fromordinal(cycle)
    assert (int(year[0]), int(month[0])) == (expected.year + 400 * ((ordinal - cycle) // 146_097), expected.month)


def test_the_parts_of_a_moment() -> None:
    moments = [datetime.datetime(2012, 2, 29, 6), datetime.datetime(2011, 12, 31, 18, 30)]
    found = features(DAYS, moments)
    assert list(found) == [
        "t (time)", "t (year)", "t (month, sin)", "t (month, cos)", "t (weekday, sin)", "t (weekday, cos)",
        "t (hour, sin)", "t (hour, cos)",
    ]  # fmt: skip
    for at, moment in enumerate(moments):
        parts = {
            "month": (moment.month - 1) / 12,
            "weekday": moment.weekday() / 7,
            "hour": (moment.hour + moment.minute / 60) / 24,
        }
        for part, turn in parts.items():
            assert found[f"t ({part}, sin)"][at] == pytest.approx(math.sin(2 * math.pi * turn), abs=1e-12)
            assert found[f"t ({part}, cos)"][at] == pytest.approx(math.cos(2 * math.pi * turn), abs=1e-12)
    times = np.array([moment.timestamp() for moment in DAYS])
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75])
    z = (moments[0].timestamp() - median) / (high - low)
    assert found["t (time)"][0] == pytest.approx(z / math.sqrt(1 + (z / 3) ** 2), rel=1e-9)


def test_parts_that_are_the_same_in_training_are_left_out() -> None:
    days = [datetime.date(2024, 3, 1 + at) for at in range(20)]
    assert list(features(days, days)) == ["t (time)", "t (weekday, sin)", "t (weekday, cos)"]


@pytest.mark.parametrize("scaling", ["robust", "standard"])
def test_dates_far_out_of_range_are_safe(scaling: str) -> None:
    far = np.array([-(2**63) + 1, 2**63 - 1, 0], "M8[us]")
    found = np.array(list(features(DAYS, far, scaling=scaling).values()))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 3


def test_a_missing_date_is_the_median_and_in_the_middle_of_the_circles() -> None:
    found = features([*DAYS, None], [None, DAYS[0]], scaling="standard")
    assert found["t is missing"] == [1, 0]
    assert found["t (month, sin)"][0] == found["t (hour, cos)"][0] == 0
    assert abs(found["t (time)"][0]) < 0.02
    assert features(DAYS, [None])["t (hour, sin)"] == [0]


def test_zones_and_spellings_of_a_moment_give_the_same() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2011, 5, 4, 3, 2, 1)
    aware = (moment + datetime.timedelta(hours=2)).replace(tzinfo=zone)
    spelled = [
        [moment], [aware], np.array([moment], "M8[ns]"), ["2011-05-04 03:02:01"], ["2011-05-04T05:02:01+02:00"],
        ["4 May 2011, 03:02:01"], ["4.5.2011 03:02:01"], pl.Series([aware]).to_list(),
    ]  # fmt: skip
    found = [features(DAYS, cells) for cells in spelled]
    assert all(one == found[0] for one in found)


def test_the_order_of_day_and_month_is_that_of_training() -> None:
    american = [f"{at % 12 + 1}/{at % 28 + 1}/2024" for at in range(100)]
    encoder = TableEncoder(dtype="float64").fit({"t": american})
    other = TableEncoder(dtype="float64").fit({"t": american}, columns={"t": "date:mdy"})
    assert encoder.to_dict() == other.to_dict()
    a, b = encoder.transform({"t": ["3/4/2024", "2024-03-04"]}).numbers
    assert np.array_equal(a, b)


def test_integers_as_days() -> None:
    days = [20240131, 20240229, 20231201, 20240315] * 5
    encoder = TableEncoder(dtype="float64").fit({"t": days})
    assert encoder.feature_roles == ["date"] * len(encoder.feature_names)
    assert np.array_equal(*encoder.transform({"t": ["20240229", 20240229]}).numbers)
    with pytest.raises(ValueError, match="dates in column 't', got '20240230' at row 1"):
        encoder.transform({"t": [20240229, 20240230]})


@pytest.mark.parametrize(("cells", "said"), [(["31.2.2024"], "'31.2.2024' at row 0"), ([5], "numbers"), (["x"], "'x'")])
def test_what_is_no_date_is_refused(cells: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^TableEncoder expects dates in column 't', got {said}"):
        features(DAYS, cells)
