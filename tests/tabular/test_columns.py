"""Columns of any frame: the same numbers, words and moments, whatever the frame is."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from chainrule.tabular.columns import Frame, Moments, Numbers, Others, Words, as_column, as_words
from chainrule.tabular.moments import NO_MOMENT

from .frames import FRAMES

UTC = datetime.UTC
NOON = datetime.datetime(2020, 7, 1, 12)
TABLE: dict[str, list[Any]] = {
    "integer": [1, 2**53 + 1, 3],
    "gap": [1, None, 3],
    "decimal": [1.5, None, 2.5],
    "word": ["a", None, "b"],
    "flag": [True, None, False],
    "moment": [NOON, None, NOON],
    "day": [datetime.date(2020, 7, 1), None, datetime.date(2020, 7, 2)],
    "zone": [NOON.replace(tzinfo=ZoneInfo("Europe/Berlin")), None, NOON.replace(tzinfo=UTC)],
    "length": [datetime.timedelta(days=1), None, datetime.timedelta(seconds=1)],
    "time": [datetime.time(5, 3), None, datetime.time(6)],
}
MICRO = 1_000_000
START = int(NOON.replace(tzinfo=UTC).timestamp()) * MICRO


def values(column: Any) -> list[Any]:
    """A column as plain values, with None where one is missing."""
    if isinstance(column, Numbers):
        return [None if gap else value for value, gap in zip(column.values.tolist(), column.missing, strict=True)]
    if isinstance(column, Words):
        return [None if code < 0 else column.words[code] for code in column.codes]
    return [None if value == NO_MOMENT else value for value in column.values.tolist()]


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same_columns(kind: str) -> None:
    table = {name: cells for name, cells in TABLE.items() if name != "zone" or kind == "dict"}
    frame = Frame("test", FRAMES[kind](table))
    found = {name: values(frame.column(name)) for name in frame.names}
    assert frame.rows == 3
    assert found.pop("zone", [START - 2 * 3600 * MICRO, None, START]) == [START - 2 * 3600 * MICRO, None, START]
    assert found == {
        "integer": [1, 2**53 + 1, 3],
        "gap": [1, None, 3],
        "decimal": [1.5, None, 2.5],
        "word": ["a", None, "b"],
        "flag": ["true", None, "false"],
        "moment": [START, None, START],
        "day": [START - 12 * 3600 * MICRO, None, START + 12 * 3600 * MICRO],
        "length": [86400, None, 1],
        "time": ["05:03:00", None, "06:00:00"],
    }


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda table: pa.table(table)])
def test_moments_with_a_zone_are_in_utc(make) -> None:
    zone = ZoneInfo("Europe/Berlin")
    frame = Frame("test", make({"t": [NOON.replace(tzinfo=zone), None]}))
    assert values(frame.column("t")) == [START - 2 * 3600 * MICRO, None]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a", 1, 2.0, True, None, b"x"], ["a", "1", "2", "true", None, "x"]),
        ([2**70, 1, None], [str(2**70), "1", None]),
        ([Decimal("1.5"), 2, None], [1.5, 2, None]),
        ([1, 2.5, float("nan")], [1, 2.5, None]),
        ([None, None], [None, None]),
        ([np.float32(0.5), np.int8(3)], [0.5, 3]),
        ([pd.NA, "x", pd.NaT], [None, "x", None]),
        (np.array(["x", "y"]), ["x", "y"]),
        (np.array([1, 2], np.uint64) + np.uint64(2**63), [2**63 + 1, 2**63 + 2]),
        (np.ma.array([1, 2, 3], mask=[0, 1, 0]), [1, None, 3]),
        (np.array([[1], [2]]), [1, 2]),
        (np.array([1, "NaT"], "M8[h]"), [3600 * MICRO, None]),
        (np.array([5, "NaT"], "m8[ms]"), [0.005, None]),
        (np.array([True, False]), ["true", "false"]),
        (pd.Categorical(["b", None, "a"]), ["b", None, "a"]),
        (pd.Series([1, 2]), [1, 2]),
    ],
)
def test_lists_and_arrays(cells, expected: list[Any]) -> None:
    assert values(as_column(cells)) == expected


def test_dates_beyond_64_bits_of_microseconds_are_the_largest_or_smallest() -> None:
    column = as_column(np.array([10**17, 5, -(10**17)], "M8[D]"))
    assert isinstance(column, Moments)
    assert column.values.tolist() == [2**63 - 1, 5 * 86400 * MICRO, -(2**63) + 1]
    first = as_column(np.array([-(2**63) + 1, -(2**63)], "M8[ns]"))  # and NaT
    assert values(first) == [-(2**63) // 1000, None]


@pytest.mark.parametrize("cells", [[[1], [2, 3]], [1j, 2], [{"a": 1}, None], np.zeros((2, 3)), np.zeros(2, complex)])
def test_what_no_network_takes_is_told_apart(cells) -> None:
    assert isinstance(as_column(cells), Others)


def test_a_number_has_one_text_whatever_its_type() -> None:
    texts = [as_words(as_column(np.array([3, 1, 3], kind))) for kind in ("i1", "u8", "f4", "f8")]
    texts.append(as_words(as_column(["3", "1", "3"])))
    assert {tuple(values(column)) for column in texts} == {("3", "1", "3")}
    assert values(as_words(as_column([0.1, 1e300, np.inf]))) == ["0.1", "1e+300", "inf"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "a table with columns"),
        ({"a": [1, 2], "b": [1]}, "2 values in column 'b'"),
        (np.zeros(3), r"a table or a matrix \(N, I\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "a different name for each column"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "a different name for each column"),
    ],
)
def test_what_is_no_table_is_refused(table, said: str) -> None:
    with pytest.raises(ValueError, match=f"^test expects {said}"):
        Frame("test", table)


@pytest.mark.parametrize(
    ("table", "said"), [(pl.LazyFrame({"a": [1]}), r"call collect\(\) first"), (5, "builtins int")]
)
def test_another_type_is_refused(table, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Frame("test", table)


def test_a_missing_column_is_told_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'height'"):
        Frame("test", {"height": [1], "kind": ["x"]}).column("hight")


def test_a_matrix_and_columns_called_by_numbers_have_names() -> None:
    assert Frame("test", np.eye(2)).names == ["x0", "x1"]
    frame = Frame("test", pd.DataFrame(np.eye(2)))
    assert frame.names == ["0", "1"]
    assert values(frame.column("1")) == [0, 1]


def test_a_column_of_pandas_may_be_called_frame() -> None:
    assert Frame("test", pd.DataFrame({"frame": [1, 2]})).names == ["frame"]
