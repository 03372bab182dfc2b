"""Parquet: the same table as in CSV, and the same refusals."""

from __future__ import annotations

from pathlib import Path

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
