"""Files are written whole or not at all, and what was changed is not believed."""

from __future__ import annotations

import ast
import gzip
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chainrule._support import files
from chainrule._support.checks import sentence

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(7, np.int64), "c": np.zeros((0, 4), np.float32)}
HEADER = {"facts": '{"x": 1}'}


def write(path):
    files.write_arrays("save", path, ARRAYS, HEADER | {files.DIGEST: files.digest(ARRAYS, HEADER)})


def test_what_was_written_is_read(tmp_path):
    write(tmp_path / "file")
    arrays, header = files.read_arrays("load", tmp_path / "file")
    assert header == HEADER
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_every_changed_bit_is_noticed(tmp_path):
    path = tmp_path / "file"
    write(path)
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << position % 8]) + whole[position + 1 :])
        with pytest.raises(ValueError, match=r"load expects .* to be"):
            files.read_arrays("load", path)


def test_every_cut_is_noticed(tmp_path):
    path = tmp_path / "file"
    write(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"load expects .* to be"):
            files.read_arrays("load", path)


def test_a_disk_without_room_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path)
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"save expects to write .*file, got No space left on device; choose a folder"):
        write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"save expects to write"):
        write(Path(tmp_path / "nowhere" / "file"))
    with pytest.raises(FileNotFoundError, match=r"load expects a file at .*, got No such file or directory"):
        files.read_arrays("load", tmp_path / "nowhere")


# --- reading what is not to be trusted ---


def test_a_file_is_read_gzipped_or_not(tmp_path):
    (tmp_path / "plain").write_bytes(b"text" * 1000)
    (tmp_path / "packed").write_bytes(gzip.compress(b"text" * 1000))
    for name in ("plain", "packed"):
        assert files.read_bytes("read_table", tmp_path / name) == b"text" * 1000


def test_no_more_is_unpacked_than_a_file_of_its_size_may_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SPARE", 1 << 16)
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(1 << 20), 1) * 64)
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=r"^read_table expects .*, got one that becomes more than .* bytes; unzip it"
        ):
            files.read_bytes("read_table", path)
        assert tracemalloc.get_traced_memory()[1] < 2 * files.MAX_RATIO * path.stat().st_size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-4], lambda data: data[:-9] + b"x" + data[-8:], lambda data: data[:9]]
)
def test_a_damaged_gzip_file_is_refused(damage, tmp_path):
    (tmp_path / "packed").write_bytes(damage(gzip.compress(b"text" * 1000)))
    with pytest.raises(ValueError, match=r"^read_table expects .*packed to be a whole gzip file, got a damaged one \("):
        files.read_bytes("read_table", tmp_path / "packed")


def test_memory_that_does_not_suffice_is_told(tmp_path, monkeypatch):
    (tmp_path / "large").write_bytes(b"text")

    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(files, "read_up_to", fail)
    with pytest.raises(
        ValueError, match=r"^read_table expects .*large to fit into the memory, got 4 bytes; read a part"
    ):
        files.read_bytes("read_table", tmp_path / "large")


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_what_has_no_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match=r"^read_idx expects a file at /dev/.*, got a device\.$"):
            files.read_bytes("read_idx", path)
    for path in (Path("/dev/zero"), tmp_path / "pipe"):  # for whose other end nobody waits
        for read in (files.read_arrays, lambda who, path: files.read_facts(who, path, "record")):
            with pytest.raises(OSError, match=r"^load expects a \w+ at .*, got a pipe or a device\.$"):
                read("load", path)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff", b"\0", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"[" * 10**6]
)
def test_what_is_no_record_is_refused(text, tmp_path):
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(
        ValueError, match=r"^report expects .*run\.json to be the record of a run, got something else; copy"
    ):
        files.read_facts("report", tmp_path / "run.json", "record of a run")


def test_a_sentence_is_one_printable_line_of_bounded_length():
    said = sentence("a\x1b[2J", "\u202eb\nc", "x" * 10**6, "\ud800")
    assert said.startswith(r"a\x1b[2J expects \u202eb c, got xxx")
    assert said.endswith(r"x…; \ud800.")
    assert said.isprintable()
    assert len(said) < 1100


# --- one way in, one way out ---

OF_FILES = Path("_support", "files.py")
WRITERS = {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile", "savetxt", "tofile", "save_file", "to_csv"}
READERS = {"safe_open", "GzipFile", "decompress"}
ELSEWHERE = {
    (Path("persistence", "c", "compiled.py"), "write_text"),  # into a temporary folder, for the compiler
    (Path("training", "callbacks", "logs.py"), "open a"),  # lines that are added to a log
    (Path("persistence", "keras.py"), "decompress"),  # a piece, of which no more is taken than it may hold
    (Path("_support", "locks.py"), "open ab"),  # a lock, into which nothing is written
    (Path("tabular", "files", "sources.py"), "open wb"),  # what comes through a pipe, into a temporary folder
    (Path("cli", "screen.py"), "open w"),  # the null device: where a stream is closed, where ranks but the first print
}


def doors(path: Path) -> Iterator[str]:
    """The calls in a source file by which something is written into a file, or unpacked from one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            is_method = isinstance(node.func, ast.Attribute)
            modes = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if name == "open" and any(set(mode) & set("wax+") and len(mode) < 4 for mode in modes):
                yield f"open {modes[-1]}"
            elif is_method and name in WRITERS | READERS:
                yield name


def test_files_are_written_and_unpacked_in_one_place():
    source = Path(files.__file__).parents[1]
    found = {
        (path.relative_to(source), door)
        for path in source.rglob("*.py")
        if path.relative_to(source) != OF_FILES
        for door in doors(path)
    }
    assert found <= ELSEWHERE
