"""Parquet: the same table as in CSV, and the same refusals."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from chainrule.data.tables import read_table

from .conftest import as_lists


@pytest.mark.parametrize("prepare", ["filtered", "indexed"])
def test_the_index_of_pandas_is_no_column(tmp_path: Path, prepare: str) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]}, index=[3, 4, 5])
    frame = frame[frame.a > 1] if prepare == "filtered" else frame.rename_axis("key")
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_table(tmp_path / "t.parquet")) == ["a", "b"]
    if prepare == "indexed":
        assert list(read_table(tmp_path / "t.parquet", columns=["a", "key"])) == ["a", "key"]


def test_text_of_parquet_is_held_to_the_same_rule(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"a": ["1", "2,5"], "b": ["1", "2"]}), path)
    with pytest.raises(ValueError, match=r"got '2,5' on row 2; write 2\.5, or"):
        read_table(path)
    assert as_lists(read_table(path, text=["a"])) == {"a": ["1", "2,5"], "b": ["1", "2"]}


def test_parquet_reads_as_the_same_table_in_csv(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    columns = {
        "whole": pa.array([1, 2, 3], pa.int32()),
        "real": pa.array([0.5, 1.5, -2.0], pa.float32()),
        "decimal": pa.array([1, 2, 3]).cast(pa.decimal128(21, 2)),
        "text": pa.array(["x", "y", "z"], pa.large_string()),
        "group": pa.array(["g", "h", "g"]).dictionary_encode(),
        "flag": pa.array([True, False, True]),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert as_lists(table) == {
        "whole": [1, 2, 3],
        "real": [0.5, 1.5, -2],
        "decimal": [1, 2, 3],
        "text": ["x", "y", "z"],
        "group": ["g", "h", "g"],
        "flag": ["True", "False", "True"],
    }
    assert table.place(0) == f"row 1 of {tmp_path / 't.parquet'}"
    picked = read_table(tmp_path / "t.parquet", columns=["whole", "text"], text=["whole"])
    assert as_lists(picked) == {"whole": ["1", "2", "3"], "text": ["x", "y", "z"]}


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda pa: pa.array([1, None]), r"missing values in 1 of 2 rows \(row 2\), in 'a'"),
        (lambda pa: pa.array([0.5, float("nan")]), r"missing values in 1 of 2 rows \(row 2\), in 'a'"),
        (lambda pa: pa.array([None, "x"]), r"\(row 1\)"),
        (lambda pa: pa.nulls(2), "missing values in 2 of 2 rows"),
        (lambda pa: pa.array([[1], [2]]), r"numbers or text in column 'a' of .*, got list<"),
        (lambda pa: pa.array([], pa.int64()), r"rows in .*t\.parquet, got none"),
        (lambda pa: pa.array(["x", None]).dictionary_encode(), r"\(row 2\), in 'a'"),
        (lambda pa: pa.array(["x", ""]), r"\(row 2\), in 'a'"),
        (lambda pa: pa.array([True, None]), r"\(row 2\), in 'a'"),
        (lambda pa: pa.array([0.5, float("inf")]), r"finite numbers in column 'a', got inf at row 2"),
        (lambda pa: pa.array([{"b": 1}]), r"numbers or text in column 'a' of .*, got struct<.*; drop the column"),
        (lambda pa: pa.array([b"x"]), r"numbers or text in column 'a' of .*, got binary; drop the column"),
        (lambda pa: pa.array([1, 2**53 + 1]), r"float64 can hold in column 'a' of .*, got 9007199254740993, which"),
        (lambda pa: pa.array([1, 2**64 - 1], pa.uint64()), "got 18446744073709551615, which it rounds to"),
        (lambda pa: pa.array([Decimal(10**20 + 1)]), "got 100000000000000000001, which it rounds to"),
        (lambda pa: pa.array([0, 1]).cast(pa.timestamp("us")), r"got timestamp\[us\]; drop the column .* declare the"),
        (lambda pa: pa.array([0, 1], pa.int32()).cast(pa.date32()), r"got date32\[day\]; drop the column"),
        (lambda pa: pa.array([0, 1]).cast(pa.duration("s")), r"got duration\[s\]; drop the column"),
        (lambda pa: pa.array(["1.5", "None", "2.5"]), "numbers in column 'a' of .*, got 'None' on row 2; correct it"),
        (
            lambda pa: pa.array(["2024-01-31", "2024-02-01"]),
            "not dates, in column 'a' of .*, got '2024-01-31' on row 1",
        ),
        (lambda pa: pa.array(["1 234", "900"]).dictionary_encode(), "got '1 234' on row 1; write 1234, or declare"),
    ],
)
def test_parquet_refusals(tmp_path: Path, build, message: str) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"a": build(pa)}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.parquet")


def test_a_truncated_parquet_file_and_an_unknown_column(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    with pytest.raises(ValueError, match="did you mean 'a'"):
        read_table(path, columns=["A"])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="to be a Parquet file"):
        read_table(path)


@pytest.mark.parametrize(
    ("build", "cells"),
    [
        (lambda pa: pa.array([1, 2**53 + 1]), ["1", "9007199254740993"]),
        (lambda pa: pa.array([0, 1], pa.int32()).cast(pa.date32()), ["1970-01-01", "1970-01-02"]),
        (lambda pa: pa.array(["1.5", "None"]), ["1.5", "None"]),
        (lambda pa: pa.array(["NA", "EU"]).dictionary_encode(), ["NA", "EU"]),
    ],
)
def test_what_is_declared_as_text_is_read_as_it_is(tmp_path: Path, build, cells: list[str]) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"a": build(pa)}), tmp_path / "t.parquet")
    assert as_lists(read_table(tmp_path / "t.parquet", text=["a"])) == {"a": cells}


def test_numbers_that_float64_holds_are_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    columns = {
        "a": pa.array([1, 2**60]),
        "b": pa.array([1, 2**63], pa.uint64()),
        "c": pa.array([0.5, 2], pa.float32()),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert as_lists(read_table(tmp_path / "t.parquet")) == {"a": [1, 2**60], "b": [1, 2**63], "c": [0.5, 2]}


def test_a_small_file_of_endless_rows_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("chainrule.data.tables.parquet._SPARE", 10 << 20)  # of two gigabytes
    zeros = pa.array(np.zeros(1_000_000, np.int8))
    pq.write_table(pa.table({"a": zeros, "b": zeros}), tmp_path / "t.parquet")
    with pytest.raises(
        ValueError, match=r"of a size that can be read, got 1,000,000 rows of 2 columns in .* bytes; drop"
    ):
        read_table(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", columns=["a"]).row_count == 1_000_000


def test_equal_names_are_refused_unless_left_out(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.Table.from_arrays([pa.array([i]) for i in range(4)], ["a", "b", "a", ""]), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="got no name for column 4"):
        read_table(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="got 'a' twice"):
        read_table(tmp_path / "t.parquet", columns=["a"])
    assert as_lists(read_table(tmp_path / "t.parquet", columns=["b"])) == {"b": [1]}
