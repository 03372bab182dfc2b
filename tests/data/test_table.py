"""A table in memory: named columns of numbers and text, none of them with a gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.data.tables import Table, read_table

from .conftest import as_lists, written


def test_table_from_arrays() -> None:
    table = Table({"a": [1, 2], "b": np.array(["x", "y"]), "c": np.array([True, False]), "d": [np.int8(3), 4.5]})
    assert as_lists(table) == {"a": [1, 2], "b": ["x", "y"], "c": ["True", "False"], "d": [3, 4.5]}
    assert "b" in table
    assert "z" not in table
    assert table.place(1) == "row 2 of the table"


def test_numbers_may_come_as_objects() -> None:
    assert Table({"a": np.array([1, 2.5, np.float32(3)], dtype=object)})["a"].dtype == np.float64


def test_text_is_kept_to_the_last_character() -> None:
    assert Table({"a": ["x\0", "x", "\0"]})["a"].tolist() == ["x\0", "x", "\0"]


def test_take_keeps_the_line_numbers(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b\n1,x\n2,y\n3,z\n"))
    taken = table.take([2, 0])
    assert as_lists(taken) == {"a": [3, 1], "b": ["z", "x"]}
    assert taken.place(0) == f"line 4 of {table.source}"
    assert table.take(table["a"] > 1.5).lines.tolist() == [3, 4]


@pytest.mark.parametrize(
    "columns, error, message",
    [
        ({}, ValueError, "at least one column and one row"),
        ({"a": []}, ValueError, "at least one column and one row"),
        ({"a": [1, 2], "b": [1]}, ValueError, "2 values in column 'b' of the table, as in 'a', got 1"),
        ({"a": [1, float("nan"), 2]}, ValueError, r"missing values in 1 of 3 rows \(row 2\), in 'a'"),
        ({"a": ["x", None]}, ValueError, r"missing values in 1 of 2 rows \(row 2\)"),
        ({"a": ["x", ""]}, ValueError, r"missing values in 1 of 2 rows \(row 2\)"),
        ({"a": [1, None]}, ValueError, r"missing values in 1 of 2 rows \(row 2\)"),
        ({"a": [None, None]}, ValueError, "missing values in 2 of 2 rows"),
        ({"a": [1, np.inf]}, ValueError, "finite numbers in column 'a', got inf at row 2"),
        ({"a": np.array([1, "x"], dtype=object)}, TypeError, "one list of numbers or of text, got object"),
        ({"a": np.array([1, True], dtype=object)}, TypeError, "one list of numbers or of text, got object"),
        ({"a": ["x", 1]}, TypeError, "one list of numbers or of text, got object"),
        ({"a": [[1, 2], [3, 4]]}, TypeError, r"got int64 values of shape \(2, 2\)"),
        ({"a": [[1], [2, 3]]}, TypeError, "one list of numbers or of text"),
        ({"a": np.array([1j])}, TypeError, "got complex128"),
    ],
)
def test_table_refuses(columns: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Table(columns)


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**64 - 1, 10**30 + 1])
def test_whole_numbers_that_float64_would_round_are_refused(value: int) -> None:
    for values in ([1, value], [-1, value], [0.5, value], np.array([1, value], dtype=object)):
        with pytest.raises(
            ValueError, match=f"that float64 can hold in column 'a' of the table, got {value}, which it ro"
        ):
            Table({"a": values})
    assert Table({"a": [1, 2**53, -(2**53), 2**60]})["a"].tolist() == [1, 2**53, -(2**53), 2**60]


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[s]"])
def test_dates_of_numpy_are_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=r"one list of numbers or of text, got .*; turn its dates into numbers first"):
        Table({"a": np.array([1, 2], dtype="int64").astype(kind)})


def test_gaps_of_pandas_are_gaps() -> None:
    pd = pytest.importorskip("pandas")
    for values in (pd.array([1, None], dtype="Int64"), pd.array(["x", None], dtype="string"), [pd.NaT, "x"]):
        with pytest.raises(ValueError, match=r"missing values in 1 of 2 rows \(row [12]\), in 'a'"):
            Table({"a": values})
    with pytest.raises(TypeError, match="one list of numbers or of text"):
        Table({"a": pd.to_datetime(["2024-01-31", "2024-02-01"])})
