"""Files, arrays, tables and arguments that nobody should believe: one sentence says what is wrong with them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import databases
from chainrule.data.sources import files

ROWS = 50
X = np.random.default_rng(0).normal(size=(ROWS, 2)).astype(np.float32)
Y = np.arange(ROWS) % 3
STREAM = cr.data.stream


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def npy(path: Path, header: str) -> Path:
    return written(path, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(400))


def shaped(path: Path, shape: str) -> Path:
    return npy(path, f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n")


class Claimed:
    """An array on disk that claims what it likes."""

    def __init__(self, shape: Any = (ROWS, 2), dtype: Any = np.float32, chunks: Any = None) -> None:
        self.shape, self.dtype, self.chunks = shape, dtype, chunks

    def __getitem__(self, rows: slice) -> Any:
        raise RuntimeError("the driver\nis gone")


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_text("a,y\n1,2\n")
    return path


ARRAYS: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "an empty tuple": (lambda path: STREAM(()), ValueError, "at least one row, got none"),
    "x without y": (lambda path: STREAM(path / "x.npy"), TypeError, "y beside the array in .*x.npy, got none; pass y="),
    "a folder": (lambda path: STREAM(path, Y), OSError, "to read .*, got a folder or a device"),
    "no parser's error": (lambda path: STREAM(npy(path / "x", "{(((\n"), Y), ValueError, "an array in .*x, got .*save"),
    "deep nesting": (lambda path: STREAM(npy(path / "x", "(" * 9000), Y), ValueError, "an array in .*x, got"),
    "a negative shape": (lambda path: STREAM(shaped(path / "x", "(-1, 3)"), Y), ValueError, "x of a known shape, got"),
    "countless rows": (lambda path: STREAM(shaped(path / "x", f"({2**60}, 0)"), Y), ValueError, "one number in each"),
    "huge rows": (lambda path: STREAM(shaped(path / "x", f"(3, {2**61})"), Y[:3]), ValueError, "is truncated"),
    "rows of nothing": (lambda path: STREAM(X[:, :0], Y), ValueError, r"number in each row of x, got shape \(50, 0\)"),
    "batches of nothing": (lambda path: STREAM(iter([(X[:, :0], Y)])), ValueError, "number in each row of x"),
    "an unknown length": (
        lambda path: STREAM(Claimed((float("nan"), 2)), Y), ValueError, r"x of a known shape, got \(nan, 2\)"
    ),
    "a dtype of another library": (
        lambda path: STREAM(Claimed(dtype="float9"), Y), TypeError, "x to be an array that NumPy can read, got a Cla"
    ),
    "huge chunks": (
        lambda path: STREAM(Claimed(chunks=(2**40, 2)), Y), ValueError, "chunks of x that fit into memory, got .*bytes;"
    ),
    "a library's error": (lambda path: STREAM(Claimed(), Y).read(0, 0, 3), ValueError, "rows 0 to 3 of x, got the d"),
    "beside a source": (lambda path: STREAM(STREAM(X, Y), Y), TypeError, "a source alone, got arguments beside it"),
    "beside batches": (lambda path: STREAM(iter([(X, Y)]), target="y"), TypeError, "tables, got a tuple; leave out"),
    "weights of batches": (lambda path: STREAM(iter([(X, Y)]), sample_weight=Y), TypeError, "sample_weight= with n"),
    "a number as target": (lambda path: STREAM(iter([{"y": Y}]), target=5), TypeError, "target= with .*got 5"),
    "text as columns": (lambda path: STREAM(iter([{"y": Y}]), target="y", columns="y"), TypeError, "columns= .* 'y'"),
    "NUL": (lambda path: STREAM("a\0b", target="y"), ValueError, "a path that a file can have, got"),
    "no files": (lambda path: STREAM(folder_of(path / "d"), target="y"), FileNotFoundError, "files in .*d, got none"),
    "other files": (
        lambda path: STREAM(folder_of(path / "d", "a.txt"), target="y"), ValueError, r"files alone, as '\*"
    ),
    "folders that match": (
        lambda path: STREAM(f"{folder_of(path / 'd').parent}/*", target="y"), FileNotFoundError, "files that match"
    ),
    "escape sequences": (lambda path: STREAM(path / "a\x1b[2J\n.npy", Y), FileNotFoundError, r"\\x1b\[2J .npy, got"),
    "an unknown URL": (lambda path: STREAM("nonsense://a", target="y"), ValueError, "to read nonsense://a, got"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_and_arguments_that_are_refused(name, tmp_path):
    if name in ("no files", "other files", "an unknown URL", "NUL", "folders that match"):
        pytest.importorskip("pyarrow")
    if name == "an unknown URL":
        pytest.importorskip("fsspec")
    refused(ARRAYS[name], tmp_path)


def refused(case: tuple[Callable[[Path], Any], type[Exception], str], path: Path) -> None:
    make, error, message = case
    with pytest.raises(error, match=f"(?s)^stream expects .*{message}") as caught:
        make(path)
    assert str(caught.value).isprintable()


def cursor(query: str) -> Any:
    return databases.connected().execute(query)


def failing_cursor() -> Any:
    return cursor("select 1 a, 2 y union all select abs(-9223372036854775808), 2")


TABLES: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "uneven columns": (lambda path: one(a=Y, b=Y[:4], y=Y), ValueError, "columns of equal length, got 4 and 50"),
    "a matrix": (lambda path: one(a=X, y=Y), ValueError, r"a number per row in column 'a', got shape \(50, 2\)"),
    "a scalar": (lambda path: one(a=3, y=Y), ValueError, r"a number per row in column 'a', got shape \(\)"),
    "ragged": (lambda path: one(a=[[1], [1, 2]], y=Y[:2]), TypeError, "column 'a' .*rows of different lengths"),
    "a gap of NumPy": (lambda path: one(a=np.ma.array(Y, mask=Y > 1), y=Y[:4]), ValueError, "equal length"),
    "names that are no texts": (lambda path: STREAM(iter([{1: Y, 2: Y}]), target="y"), ValueError, "'y', got 1, 2"),
    "another column": (lambda path: two({"a": Y, "c": Y, "y": Y}), ValueError, "'b'.*, got a, c, y"),
    "one more column": (lambda path: two({"a": Y, "b": Y, "c": Y, "y": Y}), ValueError, "the first, got a column 'c'"),
    "a cursor's name twice": (lambda path: STREAM(cursor("select 1 a, 2 a, 3 y"), target="y"), ValueError, "'a' twice"),
    "a cursor's error": (lambda path: STREAM(failing_cursor(), target="y"), ValueError, "the Cursor, got integer over"),
}  # fmt: skip


def one(**columns: Any) -> Any:
    return STREAM(iter([columns]), target="y")


def two(second: dict[str, Any]) -> Any:
    return STREAM(iter([{"a": Y, "b": Y, "y": Y}, second]), target="y")


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_are_refused(name, tmp_path):
    refused(TABLES[name], tmp_path)


def test_columns_are_found_by_name_in_every_part():
    first, second = {"a": Y, "b": Y * 10, "y": Y}, {"y": Y, "b": Y * 10, "a": Y}
    source = STREAM(iter([first, second]), target="y")
    assert source.columns == ["a", "b"]
    x, y = source.read(0, 0, 2 * ROWS)
    np.testing.assert_array_equal(x, np.column_stack([np.tile(Y, 2), np.tile(Y, 2) * 10]))
    np.testing.assert_array_equal(y, np.tile(Y, 2))


def test_what_is_masked_is_no_number():
    trainer = cr.Trainer(cr.MLP([2, 3], rng=0), "cross_entropy")
    masked = np.ma.array(X, mask=np.arange(2 * ROWS).reshape(ROWS, 2) == 21)
    with pytest.raises(ValueError, match="finite numbers in x, got nan at row 10, column 1"):
        trainer.fit(STREAM(masked, Y), verbose=0)


def test_a_pipe_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes here")
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(OSError, match=r"to read .*x.npy, got a folder or a device"):
        STREAM(tmp_path / "x.npy", Y)


def test_a_map_whose_file_has_no_name_any_more(tmp_path):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    (tmp_path / "x.npy").unlink()
    np.testing.assert_array_equal(STREAM(x, Y).read(0, 0, ROWS)[0], X)


def test_other_rows_of_the_same_shape_are_noticed(tmp_path):
    for name, array in (("x", X), ("y", Y)):
        np.save(tmp_path / f"{name}.npy", array)
    source = STREAM(tmp_path / "x.npy", tmp_path / "y.npy")
    np.save(tmp_path / "x.npy", X + 1)
    later = os.stat(tmp_path / "x.npy").st_mtime_ns + 10**9
    os.utime(tmp_path / "x.npy", ns=(later, later))
    with pytest.raises(OSError, match=r"to read .*x.npy, got a file that has changed since it was opened; keep the"):
        source.read(0, 0, 1)


# --- Parquet and Arrow ----------------------------------------------------------------------------------------------


def parquet(path: Path, columns: Any, **options: Any) -> Path:
    arrow, module = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(exist_ok=True, parents=True)
    if isinstance(columns, dict):
        columns = arrow.table(columns)
    module.write_table(columns, path, **options)
    return path


def ipc(path: Path, columns: Any, rows: int = 20, **options: Any) -> Path:
    arrow = pytest.importorskip("pyarrow")
    path.parent.mkdir(exist_ok=True, parents=True)
    table = arrow.table(columns)
    how = arrow.ipc.IpcWriteOptions(**options)
    with arrow.OSFile(str(path), "wb") as file, arrow.ipc.new_file(file, table.schema, options=how) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def twice(path: Path) -> Path:
    arrow = pytest.importorskip("pyarrow")
    return parquet(path / "1.parquet", arrow.table([Y, Y, Y], names=["a", "a", "y"]))


FILES: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "a name twice": (lambda path: STREAM(twice(path), target="y"), ValueError, "1.parquet, got .*duplicate field"),
    "a bomb": (
        lambda path: STREAM(parquet(path / "1.parquet", {"a": np.zeros(10**6), "y": np.zeros(10**6)}), target="y"),
        ValueError, r"row groups that fit into memory in .*1.parquet, got one of 1,000,000 rows, 16,\d+,\d+ bytes, in",
    ),
    "an Arrow bomb": (
        lambda path: STREAM(
            ipc(path / "1.arrow", {"a": np.zeros(10**6), "y": np.zeros(10**6)}, 10**6, compression="zstd"), target="y"
        ),
        ValueError, r"to read .*1.arrow, got 16,\d+,\d+ bytes in \d+,\d+",
    ),
    "another type": (
        lambda path: STREAM(
            parquet(path / "p" / "1.parquet", {"a": Y, "y": Y}).parent
            and parquet(path / "p" / "2.parquet", {"a": ["u"] * ROWS, "y": Y}).parent, target="y"
        ),
        ValueError, "to read .*2.parquet, got .*string",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_refused(name, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(files, "SPARE", 2**20)
    refused(FILES[name], tmp_path)


@pytest.mark.parametrize("write", [parquet, ipc])
def test_files_in_folders_that_name_values_and_of_other_types(write, tmp_path):
    suffix = {parquet: "parquet", ipc: "arrow"}[write]
    write(tmp_path / f"part=1/a.{suffix}", {"a": Y, "y": Y.astype(np.int32)})
    write(tmp_path / f"part=2/a.{suffix}", {"y": Y.astype(np.int64), "a": Y + 0.5})
    source = STREAM(tmp_path, target="y")
    assert source.columns == ["a", "part"]
    found = [source.read(group, 0, rows) for group, rows in enumerate(source.lengths.tolist())]
    x, y = map(np.concatenate, zip(*found, strict=True))
    np.testing.assert_array_equal(x, np.column_stack([[*Y, *(Y + 0.5)], np.repeat([1, 2], ROWS)]))
    np.testing.assert_array_equal(y, [*Y, *Y])
    assert len({found_y.dtype for _, found_y in found}) == 1


def test_brackets_in_the_name_of_a_file(tmp_path):
    path = parquet(tmp_path / "a[1].parquet", {"a": Y, "y": Y})
    assert STREAM(path, target="y").lengths.sum() == ROWS


def test_links_to_nothing_and_to_the_same_file(tmp_path):
    path = parquet(tmp_path / "parts" / "1.parquet", {"a": Y, "y": Y})
    (path.parent / "2.parquet").symlink_to("nowhere.parquet")
    with pytest.raises(
        FileNotFoundError, match=r"stream expects to read .*2.parquet, got a link to no file; remove it"
    ):
        STREAM(path.parent, target="y")
    (path.parent / "2.parquet").unlink()
    (path.parent / "again").symlink_to(path.parent)
    with pytest.raises(ValueError, match=r"stream expects each file once, got .*1.parquet and a link, .*1.parquet"):
        STREAM(path.parent, target="y")
    (path.parent / "again").unlink()
    (tmp_path / "link").symlink_to(path.parent)
    assert STREAM(tmp_path / "link", target="y").lengths.sum() == ROWS


def test_the_hint_for_text_files(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=r"rows.csv, got .*; pass whole Parquet or Arrow files alone, .*read_csv"):
        STREAM(written(tmp_path / "rows.csv", b"a,y\n1,2\n"), target="y")


def test_a_damaged_part_that_looks_whole(tmp_path):
    """Whatever bytes are damaged, reading ends in the rows or in one sentence."""
    for write, suffix in ((parquet, "parquet"), (ipc, "arrow")):
        path = write(tmp_path / f"1.{suffix}", {"a": Y, "b": X[:, 0].copy(), "y": Y})
        content, rng = path.read_bytes(), np.random.default_rng(0)
        for place in rng.integers(0, len(content), 150).tolist():
            damaged = bytearray(content)
            damaged[place] ^= int(rng.integers(1, 256))
            path.write_bytes(damaged)
            assert rows_or_sentence(path)


def rows_or_sentence(path: Path) -> bool:
    try:
        source = STREAM(path, target="y")
        return all(len(source.read(group, 0, rows)[0]) == rows for group, rows in enumerate(source.lengths.tolist()))
    except (ValueError, TypeError, OSError, MemoryError) as error:
        return str(error).startswith("stream expects ") and str(error).isprintable()
