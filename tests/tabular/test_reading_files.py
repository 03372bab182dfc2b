"""Files of every kind, told by their contents: packed text, Parquet, Arrow, JSON, SQLite, Excel, streams."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from chainrule.tabular.reading import read_table

from .written import ASKED, as_lists, refused, written

CSV = "a,b\n1,x\n2,y\n"
READ = {"a": [1, 2], "b": ["x", "y"]}
DAY = datetime.datetime(2020, 1, 2, 3)
FRAME = pd.DataFrame(
    {"a": [1.5, None, 3], "b": ["x", None, "y"], "c": [1, 2, 3], "d": [DAY, None, DAY], "e": [True, False, None]}
)
AS_READ = {"a": [1.5, None, 3], "b": ["x", None, "y"], "c": [1, 2, 3], "d": [DAY, None, DAY], "e": [True, False, None]}


def zipped(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("__", "."), text)
    return content.getvalue()


@pytest.mark.parametrize("name", ["t.csv.gz", "t.gz", "t", "t.csv"])
def test_gzipped_text(tmp_path, name: str) -> None:
    assert as_lists(read_table(written(tmp_path, gzip.compress(CSV.encode()), name))) == READ


def test_a_zip_file_of_one_table(tmp_path) -> None:
    path = written(tmp_path, zipped(t__csv=CSV, __MACOSX="", __DS_Store=""), "t.zip")
    assert as_lists(read_table(path)) == READ
    assert "2 (t.csv, u.csv)" in refused(written(tmp_path, zipped(t__csv=CSV, u__csv=CSV), "t.zip"))
    assert "one file" in refused(written(tmp_path, zipped(), "t.zip"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps([1] * 5), "a pickle"),
        (b"BZh91AY&SY" + b"x" * 20, "a bzip2 file; unpack it"),
        (gzip.compress(gzip.compress(CSV.encode())), "a packed gzip file"),
        (gzip.compress(CSV.encode())[:-5], "a damaged one"),
        (zipped(t__csv=CSV)[:-5], "zip file"),
        (b"\x89HDF\r\n\x1a\n" + b"x" * 20, "an HDF5 file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 20, "an old Excel workbook"),
        (b"%PDF-1.7 ...", "a PDF file"),
        (b"PAR1" + b"x" * 40, "a whole parquet file"),
        (b"ARROW1\0\0" + b"x" * 40, "a whole arrow file"),
        (b"SQLite format 3\0" + b"x" * 2000, "SQLite|database"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content: bytes, said: str) -> None:
    path = written(tmp_path, content, "t.csv")
    with pytest.raises(ValueError, match=ASKED + ".*(" + said + ")"):
        read_table(path)


# --- columnar -----------------------------------------------------------------------------------------------------


def test_parquet_keeps_its_kinds_and_leaves_out_the_index_of_pandas(tmp_path) -> None:
    FRAME.iloc[[2, 0, 1]].to_parquet(tmp_path / "t")
    table = as_lists(read_table(tmp_path / "t"))
    assert table == {name: [values[2], values[0], values[1]] for name, values in AS_READ.items()}
    assert as_lists(read_table(tmp_path / "t", columns=["c", "__index_level_0__"]))["__index_level_0__"] == [2, 0, 1]


def test_a_folder_of_parquet_files_is_one_table(tmp_path) -> None:
    for year in (2020, 2021):
        (tmp_path / "t" / f"year={year}").mkdir(parents=True)
        FRAME.to_parquet(tmp_path / "t" / f"year={year}" / "part.parquet")
    table = as_lists(read_table(tmp_path / "t"))
    assert table["year"] == [2020] * 3 + [2021] * 3
    assert table["c"] == [1, 2, 3, 1, 2, 3]
    (tmp_path / "empty").mkdir()
    assert "got none" in refused(tmp_path / "empty")


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_arrow_files(tmp_path, compression: str) -> None:
    pa.feather.write_feather(pa.Table.from_pandas(FRAME), tmp_path / "t", compression=compression)
    assert as_lists(read_table(tmp_path / "t")) == AS_READ


def test_an_arrow_file_whose_texts_point_out_of_it_is_refused(tmp_path) -> None:
    pa.feather.write_feather(pa.table({"a": ["x", "yy", "zzz"]}), tmp_path / "t", compression="uncompressed")
    content = (tmp_path / "t").read_bytes()
    offsets = np.array([0, 1, 3, 6], np.int32).tobytes()
    assert offsets in content
    written(tmp_path, content.replace(offsets, np.array([0, 2**30, 3, 6], np.int32).tobytes()), "t")
    assert "a whole arrow file" in refused(tmp_path / "t")


def test_arrow_streams(tmp_path) -> None:
    table = pa.Table.from_pandas(FRAME)
    with pa.OSFile(str(tmp_path / "t"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write(table)
    assert as_lists(read_table(tmp_path / "t")) == AS_READ


# --- JSON ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json", "t"])
def test_json_lines(tmp_path, name: str) -> None:
    path = written(tmp_path, '{"a": 1, "b": "x"}\n\n{"a": 2.5, "c": [1]}\n{"a": NaN, "d": true}\n', name)
    assert as_lists(read_table(path)) == {
        "a": [1, 2.5, None], "b": ["x", None, None], "c": [None, "[1]", None], "d": [None, None, True],
    }  # fmt: skip


def test_a_list_of_objects(tmp_path) -> None:
    assert (
        as_lists(read_table(written(tmp_path, json.dumps([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]), "t.json"))) == READ
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}\n{"a":\n', "on line 2"),
        ('{"a": 1}\n[1]\n', "a list on line 2"),
        ("[1, 2]", "a int as number 1"),
        ("[" * 100_000, "in the list"),
        ("{}\n", "rows"),
    ],
)
def test_json_of_another_form_is_refused(tmp_path, content: str, said: str) -> None:
    assert said in refused(written(tmp_path, content, "t.json"))


# --- SQLite -------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path) -> Path:
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trees (a INT, b TEXT, c REAL)")
    connection.executemany("INSERT INTO trees VALUES (?, ?, ?)", [(1, "x", 1.5), (2**40, None, 3)])
    connection.execute('CREATE TABLE "od""d"(x)')
    connection.execute('INSERT INTO "od""d" VALUES (5)')
    connection.commit()
    connection.close()
    return path


def test_a_table_of_a_database_is_named(database: Path) -> None:
    assert as_lists(read_table(f"{database}::trees")) == {"a": [1, 2**40], "b": ["x", None], "c": [1.5, 3]}
    assert as_lists(read_table(f'{database}::od"d')) == {"x": [5]}
    assert "there are trees" in refused(database)
    assert "did you mean 'trees'" in refused(f"{database}::tree")


def test_a_query_is_read_and_cannot_write(database: Path) -> None:
    before = database.read_bytes()
    assert as_lists(read_table(database, query="SELECT a + 1 AS more FROM trees")) == {"more": [2, 2**40 + 1]}
    assert "readonly" in refused(database, query="DROP TABLE trees")
    assert "no such table" in refused(database, query="SELECT * FROM nowhere")
    assert database.read_bytes() == before
    assert "SQLite" in refused(written(database.parent, CSV), query="SELECT 1")


def test_a_text_of_a_database_may_not_be_endless(database: Path) -> None:
    assert "too big" in refused(database, query="SELECT zeroblob(1000000000)")


# --- Excel --------------------------------------------------------------------------------------------------------


def workbook(folder: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def test_a_workbook(tmp_path) -> None:
    rows = [["a", "b", "when", "sum"], [1, "x", DAY, "1.234,5"], [2.5, None, None, "2,5"], [None, " y ", DAY, "NA"]]
    table = read_table(workbook(tmp_path, {"Data": [[], *rows], "Other": [["x"], [1]]}))
    assert as_lists(table) == {
        "a": [1, 2.5, None], "b": ["x", None, "y"], "when": [DAY, None, DAY], "sum": [1234.5, 2.5, None],
    }  # fmt: skip
    assert "'Data'" in table.notes[0]


def test_a_sheet_is_chosen(tmp_path) -> None:
    path = workbook(tmp_path, {"Data": [["a"], [1]], "Other": [["x"], [7]]})
    assert as_lists(read_table(path, sheet="Other")) == as_lists(read_table(path, sheet=1)) == {"x": [7]}
    assert "did you mean 'Other'" in refused(path, sheet="Othr")
    assert "there are Data, Other" in refused(path, sheet=2)


def test_a_sheet_of_nothing_and_a_damaged_workbook_are_refused(tmp_path) -> None:
    assert "an empty sheet" in refused(workbook(tmp_path, {"Data": []}))
    content = workbook(tmp_path, {"Data": [["a"], [1]]}).read_bytes()
    refused(written(tmp_path, content.replace(b"sheet1", b"sheetX"), "u.xlsx"))


def test_a_missing_extra_is_one_sentence(tmp_path, monkeypatch) -> None:
    path = workbook(tmp_path, {"Data": [["a"], [1]]})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[excel\]'"):
        read_table(path)


# --- streams ------------------------------------------------------------------------------------------------------


def test_streams_and_standard_input(tmp_path, monkeypatch) -> None:
    assert as_lists(read_table(io.BytesIO(CSV.encode()))) == READ
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(CSV.encode()))))
    table = read_table("-")
    assert as_lists(table) == READ
    assert "standard input" in repr(table)
    assert "expects the stream to be a whole gzip file" in refused(io.BytesIO(gzip.compress(b"x")[:-3]))
    with pytest.raises(TypeError, match='open the file with mode "rb"'):
        read_table(io.StringIO(CSV))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_named_pipe(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(tmp_path / 'pipe')!r}, 'w').write({CSV!r})"])
    assert as_lists(read_table(tmp_path / "pipe")) == READ
    assert writer.wait() == 0


@pytest.mark.parametrize("source", ["nothing.csv", "/dev/zero"])
def test_what_cannot_be_opened_is_an_error_of_the_system(source: str) -> None:
    with pytest.raises(OSError, match=ASKED):
        read_table(source)


def test_a_path_is_a_path() -> None:
    with pytest.raises(TypeError, match=ASKED):
        read_table(5)


def test_the_notes_are_printable(tmp_path) -> None:
    table = read_table(written(tmp_path, "a\x1b[2J,a\x1b[2J\n1,2\n3,4\n"))
    assert "\x1b" not in repr(table)
