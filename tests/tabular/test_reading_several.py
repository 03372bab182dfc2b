"""Several files are one table: as a whole and in blocks, with the same columns, or a sentence that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.tabular.files import columnar, engine
from chainrule.tabular.reading import read_blocks, read_table

from .written import ASKED, as_lists, refused, written

arrow = pytest.importorskip("pyarrow")
dataset = pytest.importorskip("pyarrow.dataset")
ipc = pytest.importorskip("pyarrow.ipc")
parquet = pytest.importorskip("pyarrow.parquet")

WHOLE = {"a": [1.0, 2.0, 2.5, None], "b": ["x", None, None, "y"]}
PARTS = ({"a": [1, 2], "b": ["x", None]}, {"a": [2.5, None], "b": [None, "y"]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two Parquet files: integers in the first are floats in the second."""
    for place, part in enumerate(PARTS):
        parquet.write_table(arrow.table(part), tmp_path / f"{place}.parquet")
    return tmp_path


def joined(source: Any, **options: Any) -> dict[str, list[Any]]:
    """What the blocks hold, one after another."""
    found: dict[str, list[Any]] = {}
    for block in read_blocks(source, **options):
        for name, cells in as_lists(block).items():
            found.setdefault(name, []).extend(cells)
    return found


@pytest.mark.parametrize("given", ["pattern", "list", "folder", "dataset"])
def test_files_of_parquet_are_one_table(folder: Path, given: str) -> None:
    files = [folder / "0.parquet", folder / "1.parquet"]
    schema = arrow.schema([("a", "double"), ("b", "string")])
    source: Any = {
        "pattern": str(folder / "*.parquet"),
        "list": files,
        "folder": folder,
        "dataset": dataset.dataset(list(map(str, files)), schema=schema),
    }[given]
    assert as_lists(read_table(source)) == WHOLE
    assert joined(source) == WHOLE


def test_a_frame_that_is_not_there_yet_is_a_table(folder: Path) -> None:
    polars = pytest.importorskip("polars")
    rows = polars.scan_parquet(folder / "1.parquet")
    assert as_lists(read_table(rows)) == PARTS[1]
    assert joined(rows) == PARTS[1]


def test_rows_that_can_be_read_only_once_are_a_table() -> None:
    def once() -> Any:
        return arrow.table(PARTS[0]).to_reader()

    assert as_lists(read_table(once())) == joined(once()) == PARTS[0]


@pytest.mark.parametrize("name", ["t.arrow", "stream.arrows"])
def test_blocks_of_an_arrow_file_are_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(columnar, "BLOCK", 7)
    table = arrow.table({"a": range(100), "b": ["x", None] * 50, "c": arrow.array(["p", "q"] * 50).dictionary_encode()})
    opens = ipc.new_file if name == "t.arrow" else ipc.new_stream
    with opens(tmp_path / name, table.schema) as writer:
        writer.write_table(table, max_chunksize=30)
    assert len(list(read_blocks(tmp_path / name))) > 10
    assert joined(tmp_path / name, columns=["c", "a"]) == {name: table[name].to_pylist() for name in "ac"}


def test_files_of_text_are_one_table(tmp_path: Path) -> None:
    written(tmp_path, "a,b\n1,x\n2,y\n", "0.csv")
    written(tmp_path, "b;a\nz;3,5\n;7,5\n", "1.csv")
    expected = {"a": [1.0, 2.0, 3.5, 7.5], "b": ["x", "y", "z", ""]}
    assert as_lists(read_table(tmp_path / "*.csv")) == expected
    assert joined(str(tmp_path / "*.csv")) == expected


def test_the_files_of_blocks_are_named(folder: Path) -> None:
    assert [block.source for block in read_blocks(folder)] == [str(folder / f"{place}.parquet") for place in (0, 1)]


# --- refused --------------------------------------------------------------------------------------------------------


def refused_alike(source: Any, says: str) -> None:
    """Both as a whole and in blocks."""
    assert says in refused(source)
    with pytest.raises(ValueError, match=ASKED) as caught:
        list(read_blocks(source))
    assert says in str(caught.value)


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_file_without_a_column_is_refused(folder: Path, lacking: int) -> None:
    parquet.write_table(arrow.table({"a": [1]}), folder / f"{lacking}.parquet")
    has, lacks = (folder / f"{place}.parquet" for place in (1 - lacking, lacking))
    refused_alike(folder, f"the column 'b' of {has} in all files of {folder}, got {lacks} without it")


def test_a_column_of_another_type_is_refused(folder: Path) -> None:
    parquet.write_table(arrow.table({"a": ["oak"], "b": ["x"]}), folder / "1.parquet")
    got = f"got int64 in {folder / '0.parquet'} and string in {folder / '1.parquet'}"
    refused_alike(folder, f"one type of column 'a' in {folder}, {got}")


def test_categories_with_other_values_or_plain_words_are_one_column(folder: Path) -> None:
    for place, words in enumerate((["x", "y"], ["z", "x"])):
        coded = arrow.array(words).dictionary_encode()
        kind = arrow.dictionary(arrow.int8() if place else arrow.int32(), arrow.string())
        parquet.write_table(arrow.table({"b": coded.cast(kind)}), folder / f"{place}.parquet")
    parquet.write_table(arrow.table({"b": ["plain"]}), folder / "2.parquet")
    assert as_lists(read_table(folder)) == joined(folder) == {"b": ["x", "y", "z", "x", "plain"]}


def test_text_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "a,b\n1,x\n2,y\n", "0.csv")
    written(tmp_path, "a,c\n1,x\n2,y\n", "1.csv")
    refused_alike(tmp_path / "*.csv", f"the column 'b' of {tmp_path / '0.csv'} in all files of")


def test_a_truncated_part_is_named(folder: Path) -> None:
    part = folder / "1.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    refused_alike(folder, str(part))


def test_a_part_with_damaged_rows_is_named(tmp_path: Path) -> None:
    for place in (0, 1):
        table = arrow.table({"a": list(range(5000))})
        parquet.write_table(table, tmp_path / f"{place}.parquet", use_dictionary=False, write_page_checksum=False)
    part = tmp_path / "1.parquet"
    content = bytearray(part.read_bytes())
    content[4:3000] = b"\xff" * 2996
    part.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=f"{ASKED}a whole file in {part}"):
        list(read_blocks(tmp_path))


@pytest.mark.parametrize("pattern", ["*.parquet", "**/*.csv"])
def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"files that match .*, got none"):
        read_table(tmp_path / pattern)


def test_lists_that_are_no_table_are_refused(folder: Path) -> None:
    written(folder, "a,b\n1,x\n2,y\n", "2.csv")
    assert "one format" in refused([folder / "0.parquet", folder / "2.csv"])
    assert "files, got an empty list" in refused([])
    with pytest.raises(FileNotFoundError, match="absent"):
        read_table([folder / "0.parquet", folder / "absent.parquet"])


# --- one decimal mark for all blocks --------------------------------------------------------------------------------


def rows(*cells: str) -> str:
    return "id;a;b\n" + "".join(f"{place};{cell}\n" for place, cell in enumerate(cells * 400))


def test_a_decimal_comma_holds_for_the_plain_numbers_of_all_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.234 is a thousand beside 1.234,5; without that number it would be one and a bit."""
    monkeypatch.setattr(engine, "LEAST_BLOCK", 1 << 12)
    monkeypatch.setattr(engine, "BLOCK", 1 << 12)
    path = written(tmp_path, rows("1.234,5 €;1.234", "2,5 €;2.345"))
    assert as_lists(read_table(path))["b"][:2] == [1234, 2345]
    assert joined(path) == as_lists(read_table(path))


def test_a_decimal_comma_that_comes_too_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LEAST_BLOCK", 1 << 12)
    monkeypatch.setattr(engine, "BLOCK", 1 << 12)
    path = written(tmp_path, rows("7 €;1.234") + "900;2,5 €;1.234\n")
    with pytest.raises(ValueError, match=r"one decimal mark in .*, got a comma before decimals after \d+ rows"):
        list(read_blocks(path))
    assert joined(path, decimal=",")["b"][-1] == 1234


def test_a_word_among_numbers_is_refused_with_its_row_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LEAST_BLOCK", 1 << 12)
    monkeypatch.setattr(engine, "BLOCK", 1 << 12)
    lines = [f"{row % 97},{row}" for row in range(3000)]
    path = written(tmp_path, "\n".join(["a,b", *lines[:2500], "oak,1", *lines[2500:]]) + "\n")
    assert "got 'oak' in row 2,501" in refused(path)
    with pytest.raises(ValueError, match="got 'oak' in row 2,501"):
        list(read_blocks(path))
