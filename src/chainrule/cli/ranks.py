"""``mpiexec -n 4 chainrule train ...``: all ranks train, the first alone prints and writes into the output folder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from ..distributed.serial import SERIAL, Serial
from .screen import say

RANKS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")  # as launchers tell it
FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
FAILED = 2


def rank() -> int | None:
    """Return the number of this process in the job of a launcher, None outside of any."""
    return next((int(os.environ[name]) for name in RANKS if os.environ.get(name, "").isdecimal()), None)


@contextmanager
def ranks() -> Iterator[Serial]:
    """Make the communicator of the job; ranks but the first are silent until the end of the block."""
    if rank() is None:
        yield SERIAL
        return
    if hasattr(os, "fork"):
        _watch_over_a_child()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        if rank() == 0:
            yield from _joined()
        else:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield from _joined()


def _joined() -> Iterator[Serial]:
    from ..distributed import MPI

    with MPI() as communicator:
        if communicator.size > 1:
            say("ranks", f"{communicator.size} processes train, each on {communicator.threads} of its processors")
        yield communicator


@contextmanager
def folder_of_rank(communicator: Serial, out: Path) -> Iterator[Path]:
    """Give ranks but the first a copy of the output folder, as it was when the job began; it vanishes at the end."""
    if communicator.rank == 0:
        communicator.allgather("copied")
        yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / out.name
        if out.is_dir():
            shutil.copytree(out, copy)
        communicator.allgather("copied")
        yield copy


def _watch_over_a_child() -> None:
    """Return in a child process, which trains; this process waits for it, and prints what ended it from outside.

    Launchers end all other ranks when one is killed, before any of these could tell which.
    """
    child = os.fork()
    if child == 0:
        _end_with_parent()
        return
    for name in FORWARDED:
        signal.signal(getattr(signal, name), lambda number, frame: os.kill(child, number))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        got = f"rank {rank()} (process {child}) killed by {signal.Signals(-status).name}"
        remedy = "resume with --resume DIR, with fewer ranks if need be"
        print(f"chainrule: error: train expects every rank to run to its end, got {got}; {remedy}.", file=sys.stderr)
        sys.stderr.flush()
    os._exit(status if status >= 0 else 128 - status)


def _end_with_parent() -> None:
    """Let the system kill this process when the one that waits for it is killed; Linux alone can."""
    if sys.platform == "linux":
        from ctypes import CDLL

        CDLL(None).prctl(1, int(signal.SIGKILL))
