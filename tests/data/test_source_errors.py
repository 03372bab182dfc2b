"""What cannot be a source is refused in one sentence, and nothing is left of a copy that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

ROWS = 50
X = np.random.default_rng(0).normal(size=(ROWS, 2)).astype(np.float32)
Y = np.arange(ROWS) % 3


def parquet(path: Path, **columns: Any) -> Path:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    path.parent.mkdir(exist_ok=True)
    write_table(arrow.table({"a": X[:, 0].copy(), "b": X[:, 1].copy(), "y": Y} | columns), path, row_group_size=20)
    return path


def saved(path: Path, array: Any, keep: int | None = None) -> Path:
    np.save(path, array, allow_pickle=True)
    if keep is not None:
        path.write_bytes(path.read_bytes()[:keep])
    return path


def a_folder(folder: Path, *others: Callable[[Path], Any]) -> Any:
    parquet(folder / "parts" / "1.parquet")
    for make in others:
        make(folder / "parts" / "2.parquet")
    return cr.data.stream(folder / "parts", target="y")


def truncated(path: Path) -> None:
    content = parquet(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def without_b(path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(arrow.table({"a": X[:, 0].copy(), "y": Y}), path)


STREAM = cr.data.stream
REFUSED: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "a number": (lambda folder: STREAM(5), TypeError, "files, arrays on disk or batches, got a int"),
    "x alone": (lambda folder: STREAM(X), TypeError, r"batches \(x, y\) or .*got a ndarray"),
    "y and target": (lambda folder: STREAM(X, Y, target="y"), TypeError, "y, or the target's column, got both"),
    "lengths": (lambda folder: STREAM(X, Y[:-1]), ValueError, "x, y and weights of equal length, got 50 and 49"),
    "no rows": (lambda folder: STREAM(X[:0], Y[:0]), ValueError, "at least one row, got none"),
    "a list": (lambda folder: STREAM(X.tolist(), Y), TypeError, "x to be an array on disk, got a list"),
    "a function": (lambda folder: STREAM(lambda: None), TypeError, "batches, got a function; call it"),
    "weights of no target": (
        lambda folder: STREAM(parquet(folder / "1.parquet"), columns=["a"], sample_weight="b"),
        TypeError, "target= with the name of a column of the table, got none",
    ),
    "no .npy file": (lambda folder: STREAM(folder / "no.npy", Y), FileNotFoundError, "read .*no.npy, got no such file"),
    "text for .npy": (
        lambda folder: STREAM(__file__, Y), ValueError, "an array in .*test_source_errors.py, got the magic string"
    ),
    "a truncated .npy": (
        lambda folder: STREAM(saved(folder / "x.npy", X, 400), Y), ValueError, "x.npy to have 528 bytes, got 400"
    ),
    "half a header": (lambda folder: STREAM(saved(folder / "x.npy", X, 20), Y), ValueError, "an array in .*x.npy, got"),
    "by columns": (
        lambda folder: STREAM(saved(folder / "x.npy", np.asfortranarray(X)), Y), ValueError, "rows that lie together"
    ),
    "objects": (
        lambda folder: STREAM(saved(folder / "x.npy", np.array(["a", None])), Y[:2]), TypeError, "rows of numbers in"
    ),
    "no file": (
        lambda folder: STREAM(folder / "no.parquet", target="y"), FileNotFoundError, "to read .*no.parquet, got no such"
    ),
    "no match": (
        lambda folder: STREAM(f"{folder}/*.parquet", target="y"), FileNotFoundError, "files that match .*, got none"
    ),
    "text for Parquet": (lambda folder: STREAM(__file__, target="y"), ValueError, "to read .*errors.py, got"),
    "no target": (lambda folder: STREAM(parquet(folder / "1.parquet")), TypeError, "target= with .* known are a, b, y"),
    "no column": (
        lambda folder: STREAM(parquet(folder / "1.parquet"), target="z"), ValueError, "a column 'z', got a, b, y"
    ),
    "a typing error": (
        lambda folder: STREAM(parquet(folder / "1.parquet", price=Y), target="prize"), ValueError, "mean 'price'"
    ),
    "text": (
        lambda folder: STREAM(parquet(folder / "1.parquet", t=["u"] * ROWS), target="y"),
        TypeError, "columns of numbers, got column 't' of type string; leave it out with columns=",
    ),
    "text in a table": (
        lambda folder: STREAM(iter([{"t": np.array(["u"]), "y": Y[:1]}]), target="y"),
        TypeError, "columns of numbers, got column 't'",
    ),
    "nothing but y": (lambda folder: STREAM(iter([{"y": Y}]), target="y"), ValueError, "at least one column of inputs"),
    "a truncated part": (lambda folder: a_folder(folder, truncated), ValueError, "to read .*2.parquet, got"),
    "a missing column": (lambda folder: a_folder(folder, without_b), ValueError, "'b' in every file, got .*2.parquet"),
    "text in a part": (
        lambda folder: a_folder(folder, lambda path: parquet(path, b=["u"] * ROWS)), ValueError, "read .*2.parquet, got"
    ),
    "scalars": (lambda folder: STREAM(iter([(1, 2, 3)])), ValueError, "equal length, got .* in batch 0"),
    "uneven": (lambda folder: STREAM(iter([(X, Y[:4])])), ValueError, r"float32 \(50, 2\) and int64 \(4,\) in batch 0"),
    "another width": (lambda folder: STREAM(iter([(X, Y), (X[:, :1], Y)])), ValueError, "the first, .* in batch 1"),
    "another dtype": (lambda folder: STREAM(iter([(X, Y), (X, Y / 2)])), ValueError, "like the first, .* in batch 1"),
    "weights later": (lambda folder: STREAM(iter([(X, Y), (X, Y, Y)])), ValueError, "like the first, .* in batch 1"),
    "no batches": (lambda folder: STREAM(iter([])), ValueError, "at least one row, got none"),
    "one value": (lambda folder: STREAM(iter([(X,)])), TypeError, "batches .* got a tuple of 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name, tmp_path):
    make, error, message = REFUSED[name]
    with pytest.raises(error, match=f"(?s)stream expects .*{message}") as caught:
        make(tmp_path)
    assert "\n" not in str(caught.value)


def read_all(source: Any) -> None:
    for group, rows in enumerate(source.lengths.tolist()):
        source.read(group, 0, rows)


@pytest.mark.parametrize("mode", [None, "r", "r+"])
def test_a_file_that_shrinks_while_it_is_read(mode, tmp_path):
    path = saved(tmp_path / "x.npy", X)
    source = cr.data.stream(path if mode is None else np.load(path, mmap_mode=mode), Y)
    os.truncate(path, 300)
    with pytest.raises(OSError, match=r"stream expects to read .*x.npy, got a file that shrank.*; keep the file"):
        read_all(source)


def test_hdf5_that_shrinks_gives_no_zeros(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = X
    with h5py.File(tmp_path / "x.h5", "r") as file:
        source = cr.data.stream(file["x"], Y)
        os.truncate(tmp_path / "x.h5", 2200)
        with pytest.raises(OSError, match=r"stream expects to read .*x.h5, got a file that shrank from"):
            read_all(source)


def test_rows_of_a_map_are_read_from_its_file(tmp_path):
    """Reading through a map would end the process if the file shrinks at that moment."""
    whole = np.load(saved(tmp_path / "x.npy", X), mmap_mode="r+")
    for array in (whole, whole[7:40], whole[3:][5:9], np.asarray(whole[1:])):
        found, _ = cr.data.stream(array, Y[: len(array)]).read(0, 0, len(array))
        np.testing.assert_array_equal(found, array)
        assert not np.shares_memory(found, whole)
    whole[:] += 1  # not flushed
    np.testing.assert_array_equal(cr.data.stream(whole, Y).read(0, 0, ROWS)[0], X + 1)
    np.testing.assert_array_equal(cr.data.stream(whole[:, 1:], Y).read(0, 0, ROWS)[0], X[:, 1:] + 1)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("change", [Path.unlink, cut, lambda path: path.write_bytes(b"")])
def test_a_part_that_changes_while_it_is_read(change, tmp_path):
    path = parquet(tmp_path / "1.parquet")
    source = cr.data.stream(path, target="y")
    change(path)
    with pytest.raises((OSError, ValueError), match=r"stream expects to read .*1.parquet, got") as caught:
        read_all(source)
    assert "\n" not in str(caught.value)


def test_a_gap_in_a_column_names_its_row(tmp_path):
    path = parquet(tmp_path / "1.parquet", a=[None if row == 31 else row for row in range(ROWS)])
    with pytest.raises(ValueError, match="finite numbers in x, got nan at row 31, column 0"):
        cr.Trainer(cr.MLP([2, 3], rng=0), "cross_entropy").fit(cr.data.stream(path, target="y"), verbose=0)


def test_a_generator_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def failing() -> Iterator[Any]:
        yield X, Y
        raise RuntimeError("the sensor is off")

    with pytest.raises(RuntimeError, match="the sensor is off"):
        cr.data.stream(failing())
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, signal, sys
import numpy as np
import chainrule as cr

rows, most = map(int, sys.argv[1:])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as a disk that is full: writing fails
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    cr.data.stream((np.zeros((rows, 5)), np.zeros(rows)) for _ in range(3000 // rows))
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits here")
@pytest.mark.parametrize(("rows", "most"), [(1000, 10_000), (10, 10_000), (10, 0), (1000, 0)])
def test_a_full_disk_is_one_sentence(rows, most):
    given = [sys.executable, "-c", FULL, str(rows), str(most)]
    found = subprocess.run(given, capture_output=True, text=True, check=True)
    assert found.stdout.startswith("stream expects room for a copy of the rows in ")
    assert found.stdout.rstrip().endswith("; set the environment variable TMPDIR to a folder on a larger disk.")
    assert found.stderr == ""
