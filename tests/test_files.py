"""Files are written whole or not at all, and what was changed is not believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule._support import files

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
