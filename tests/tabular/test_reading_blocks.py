"""A table in parts is the table: the same cells, whatever its kind, and never more of it in memory than a part."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from chainrule.tabular.files import columnar, engine
from chainrule.tabular.reading import read_blocks, read_table

from .written import ASKED, written

ROWS = 5000


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is 4,096 bytes of text, or 700 rows."""
    monkeypatch.setattr(engine, "LEAST_BLOCK", 1 << 12)
    monkeypatch.setattr(engine, "BLOCK", 1 << 12)
    monkeypatch.setattr(columnar, "BLOCK", 700)


def text(cell: str = "1.5", mark: str = ",", word: str = "oak") -> str:
    """Rows of which the last ones differ from all before."""
    rows = [mark.join((str(row), cell if row > ROWS - 3 else "2.5", word)) for row in range(ROWS)]
    return "\n".join([mark.join("abc"), *rows]) + "\n"


CONTENTS = {
    "plain": text(),
    "gaps": text("NA"),
    "codes": text().replace("\n4999,", "\n007,"),
    "late words": text(word="x").replace("4999,1.5,x", "4999,1.5,2"),
    "quotes": text(word='"a ""b"""'),
    "breaks": text(word='"a\nb"'),
    "semicolons": text(mark=";").replace(".5", ",5"),
    "latin": text(word="oak") + "5000,1.5,\xe9\n",
    "blanks": text(mark=" ", word="3"),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("packed", [False, True])
def test_parts_of_text_are_the_table(tmp_path: Path, name: str, packed: bool) -> None:
    content = CONTENTS[name].encode("latin-1")
    path = written(tmp_path, gzip.compress(content) if packed else content)
    check_parts(path)


def check_parts(path: Path, **options: Any) -> None:
    whole = read_table(path, **options).frame
    parts = [table.frame for table in read_blocks(path, **options)]
    assert len(parts) > 1
    for column in whole.columns:
        cells = [cell for part in parts for cell in part[column].to_list()]
        assert cells == whole[column].to_list()


def test_parts_of_parquet_are_the_table(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"a": range(ROWS), "b": [None, "x"] * (ROWS // 2)})
    parquet.write_table(table, tmp_path / "t.parquet")
    check_parts(tmp_path / "t.parquet", columns=["b"])
    for year in (2020, 2021):
        (tmp_path / f"years/year={year}").mkdir(parents=True)
        parquet.write_table(table, tmp_path / f"years/year={year}/t.parquet")
    check_parts(tmp_path / "years")


def test_other_kinds_come_as_one_part(tmp_path: Path) -> None:
    path = written(tmp_path, '{"a": 1}\n{"a": 2}\n', "t.jsonl")
    assert [table.frame["a"].to_list() for table in read_blocks(path)] == [[1, 2]]


def test_a_row_at_fault_is_refused_before_the_first_part(tmp_path: Path) -> None:
    path = written(tmp_path, text() + "5001,1\n")
    with pytest.raises(ValueError, match=f"{ASKED}3 cells on each line of .*, got 2 on line 5002"):
        next(iter(read_blocks(path)))


def test_memory_is_that_of_a_part(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    path = written(tmp_path, text() + "".join(f"{row},2.5,oak\n" for row in range(300_000)))
    before, most = arrow.total_allocated_bytes(), 0  # other tests in this process may still hold tables
    tracemalloc.start()
    for _ in read_blocks(path):
        most = max(most, arrow.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < path.stat().st_size / 20
    assert python < 24 << 20  # the sample from which types are inferred, and chunks
    assert len(read_table(path).frame) == ROWS + 300_000


@pytest.mark.parametrize("mark", [";", "|", "\t", " ", ":"])
def test_a_delimiter_that_is_stated_is_the_one(tmp_path: Path, mark: str) -> None:
    path = written(tmp_path, f"a,x{mark}b\n1,2{mark}oak\n3,4{mark}fir\n", "t.csv")
    assert list(read_table(path, delimiter=mark)) == ["a,x", "b"]


@pytest.mark.parametrize("mark", ["", ";;", "x", '"', "\n", 3])
def test_what_is_no_delimiter_is_refused(tmp_path: Path, mark: Any) -> None:
    with pytest.raises(ValueError, match=f"{ASKED}delimiter to be one character"):
        read_table(written(tmp_path, text()), delimiter=mark)
