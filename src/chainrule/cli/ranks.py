"""``mpiexec -n 4 chainrule train ...``: all ranks train, the first alone prints and writes into the output folder."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from ..distributed.serial import SERIAL, Serial
from .screen import say

RANKS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")  # as launchers tell it


def rank() -> int | None:
    """Return the number of this process in the job of a launcher, None outside of any."""
    return next((int(os.environ[name]) for name in RANKS if os.environ.get(name, "").isdecimal()), None)


@contextmanager
def ranks() -> Iterator[Serial]:
    """Make the communicator of the job; ranks but the first are silent until the end of the block."""
    if rank() is None:
        yield SERIAL
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        if rank() == 0:
            yield from _joined()
        else:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield from _joined()


def _joined() -> Iterator[Serial]:
    from ..distributed import MPI

    communicator = MPI()
    with communicator:
        if communicator.size > 1:
            say("ranks", f"{communicator.size} processes train, each on {communicator.threads} of its processors")
        yield communicator
        communicator.timeout = math.inf  # for what rank 0 does alone: it tests the model and writes it


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
