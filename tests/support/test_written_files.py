"""One function writes files: whole or not at all, whatever stands at the path; or it refuses in one sentence."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule._support import files, locks
from chainrule.reporting import report

fcntl = pytest.importorskip("fcntl")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes of POSIX")
MODEL = cr.MLP([2, 3, 1], rng=0)
X = np.random.default_rng(0).normal(size=(20, 2))


def page(path: Path) -> None:
    report(MODEL, X, X[:, :1]).save(path)


def log(path: Path) -> None:
    trainer = cr.Trainer(cr.MLP([2, 1], rng=0), "squared_error", callbacks=[cr.callbacks.CSVLog(path)])
    trainer.fit(X, X[:, :1], epochs=1, verbose=0)


#: Every public way to write a file at a path that the user names.
WRITERS: dict[str, Callable[[Path], object]] = {
    "save": lambda path: cr.save(MODEL, path),
    "write_text": lambda path: files.write_text("export", path, "int x;\n" * 100),
    "report": page,
    "CSVLog": log,
}
writers = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def refused(write: Callable[[Path], object], path: Path) -> str:
    """The sentence; nothing is left behind."""
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    with pytest.raises((OSError, ValueError)) as caught:
        write(path)
    text = str(caught.value)
    assert re.fullmatch(r".+ expects .+, got .+\.", text)
    assert text.isprintable()
    assert (sorted(path.parent.iterdir()) if path.parent.is_dir() else []) == before
    return text


def whole(path: Path) -> bool:
    """Whether the whole file is there, and no debris beside it."""
    return path.stat().st_size > 50 and not list(path.parent.glob(".*"))


@writers
def test_a_new_file_has_the_mode_that_the_umask_gives(write, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert whole(tmp_path / "file")


@writers
@pytest.mark.parametrize("mode", [0o600, 0o666, 0o755, 0o640])
def test_the_mode_of_the_earlier_file_is_kept(write, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert whole(path)


@writers
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_the_earlier_file_is_kept(write, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 1234, 4321)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@writers
@pytest.mark.parametrize("exists", [True, False], ids=["a file", "nothing yet"])
def test_a_link_stays_and_what_it_points_to_is_written(write, exists: bool, tmp_path: Path) -> None:
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    real.parent.mkdir()
    if exists:
        real.touch()
    (tmp_path / "between").symlink_to(Path("elsewhere") / "real")
    link.symlink_to("between")
    write(link)
    assert link.is_symlink()
    assert not real.is_symlink()
    assert whole(real)


@writers
def test_another_name_of_the_file_keeps_what_it_was(write, tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_text("earlier")
    path.hardlink_to(other)
    write(path)
    assert whole(path)
    assert other.read_text(encoding="utf-8") == "earlier"


@writers
def test_a_pipe_that_somebody_reads_is_written_through(write, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        if write is log:
            assert "it is not a file" in refused(write, path)  # to which lines are added later
            return
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 1 << 20)  # so that nobody need read meanwhile
        write(path)
        assert len(reader.read()) > 50
    assert stat.S_ISFIFO(path.stat().st_mode)


@writers
def test_a_pipe_that_nobody_reads_is_refused_at_once(write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert write is log or "a pipe that nobody reads" in refused(write, tmp_path / "pipe")


@writers
def test_a_device_takes_what_is_written(write) -> None:
    if write is not log:
        write(Path("/dev/null"))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@writers
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_device_without_room_is_told(write) -> None:
    if write is not log:
        with pytest.raises(OSError, match=r"expects to write /dev/full, got No space left on device; choose") as caught:
            write(Path("/dev/full"))
        assert caught.value.errno == errno.ENOSPC


@writers
def test_what_is_no_file_is_refused(write, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(write, tmp_path / "folder")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "socket"))
        refused(write, tmp_path / "socket")
    (tmp_path / "file").write_text("earlier")
    refused(write, tmp_path / "file" / "inner")
    refused(write, tmp_path / "nowhere" / "file")
    (tmp_path / "loop").symlink_to("loop")
    refused(write, tmp_path / "loop")
    (tmp_path / "dangling").symlink_to("nowhere/file")
    refused(write, tmp_path / "dangling")
    refused(write, tmp_path / ("x" * 256))
    assert (tmp_path / "file").read_text(encoding="utf-8") == "earlier"


@writers
def test_a_file_that_may_not_be_changed_is_refused(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("earlier")
    path.chmod(0o444)
    if os.geteuid() == 0:  # who may change any
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert "a file that may not be changed" in refused(write, path)
    assert path.read_text(encoding="utf-8") == "earlier"


@writers
@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "\udcff\udcfe", "a\nb", "-", " "], ids=ascii)
def test_any_name_that_the_system_takes(write, name: str, tmp_path: Path) -> None:
    write(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert whole(tmp_path / name)


@pytest.mark.parametrize("path", [3, None, True, b"a\0b", "a\0b", "\ud800", ["a"], open], ids=ascii)
@pytest.mark.parametrize(
    "call", [lambda path: cr.save(MODEL, path), cr.load, cr.data.read_idx], ids=["save", "load", "idx"]
)
def test_what_is_no_path_is_told(call, path: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^\w+ expects .*path.*, got .*\.$") as caught:
        call(path)
    assert str(caught.value).isprintable()


def test_a_path_of_bytes_is_a_path(tmp_path: Path) -> None:
    cr.save(MODEL, os.fsencode(tmp_path / "model"))
    assert cr.load(os.fsencode(tmp_path / "model")).parameters.vector.tobytes() == MODEL.parameters.vector.tobytes()


LIMITED = """
    import resource, sys
    import chainrule as cr
    path = sys.argv[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        cr.save(cr.MLP([10, 1000, 1], rng=0), path)
    except OSError as error:
        print(error)
"""


def test_a_file_that_may_not_grow_leaves_the_one_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("earlier")
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(LIMITED), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"save expects to write .*, got File too large; .*\.\n", done.stdout)
    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("file", "earlier")]


@pytest.mark.parametrize("append", [False, True], ids=["a new file", "a file that is added to"])
def test_standard_output_is_a_path_too(append: bool, tmp_path: Path) -> None:
    program = "import chainrule as cr; cr.save(cr.MLP([1, 1], rng=0), '/dev/stdout')"
    out = tmp_path / "out"
    out.write_bytes(b"earlier\n")
    with out.open("ab" if append else "wb") as stream:
        subprocess.run([sys.executable, "-c", program], stdout=stream, check=True)
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert out.read_bytes() == (b"earlier\n" if append else b"") + piped
    (tmp_path / "model").write_bytes(piped)
    assert cr.load(tmp_path / "model").parameters.vector.size == 2


def test_an_exception_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("earlier")
    writing = files.replacing("save", path)
    writing.__enter__().write(b"half")
    assert not writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)  # which is raised further
    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("file", "earlier")]


def test_a_file_that_is_being_written_is_no_debris(tmp_path: Path) -> None:
    """Two processes in one folder do not remove each other's files."""
    (tmp_path / ".model.0123abcd").touch()
    with files.replacing("save", tmp_path / "model") as stream:
        files.remove_partials(tmp_path, "*")
        stream.write(b"whole")
    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("model", "whole")]


def test_a_folder_is_held_by_one_run_and_free_after_it(tmp_path: Path) -> None:
    refusal = pytest.raises(ValueError, match=r"^train expects a folder that no other run .*, got one that is in use; ")
    with locks.alone_in("train", tmp_path), refusal:
        locks.alone_in("train", tmp_path).__enter__()
    with locks.alone_in("train", tmp_path):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"a,b\n", b"\x1b[2J,\0\n1,2\n", b"epoch,loss\n1," + b"x" * 200_000], ids=["a", "b", "c"]
)
def test_what_is_no_log_is_not_added_to(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    trainer = cr.Trainer(cr.MLP([2, 1], rng=0), "squared_error", callbacks=[cr.callbacks.CSVLog(path, append=True)])
    assert "a log in" in refused(lambda path: trainer.fit(X, X[:, :1], epochs=1, verbose=0), path)
    assert path.read_bytes() == content
