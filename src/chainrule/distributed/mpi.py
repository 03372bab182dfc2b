"""Ranks that MPI has started, by ``mpiexec -n 4 python train.py``.

    part r of the sum = (part r of rank 0 + part r of rank 1) + ...          summed by rank r, then given to all

Each number is summed by one rank, in the order of the ranks, so that two runs and all ranks get the same bits.
"""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

import numpy as np

from .._support.checks import Array, check_number, require, sentence
from .._support.forks import unforked
from ..runtime.signals import atomic
from ..runtime.threads import chosen_threads, own_threads
from .serial import RankError, Serial

BLOCK = 1 << 15  # numbers that are summed while they are in the cache
SMALL = 1 << 14  # bytes that every rank sends to every other as they are
LOOKS = 200  # for an answer, before others get the processor
PATIENCE = 0.02  # seconds, before this process sleeps between two looks
NAP = 0.0005
GRACE = 5.0  # seconds for an answer to the question who is alive
LAST = 1.0  # seconds for what a rank has sent before it ended
PRINTING = 1.0  # seconds that a launcher has to pass on a sentence, before it ends the job
RESUME = "resume from the last checkpoint, with fewer ranks if need be"
ASKED, ALIVE, FAILED, GONE = range(4)  # kinds of news
#: Runs beside each rank, to print which one was killed: launchers end all others before these could tell. MPICH's waits
#: until nobody has the rank's channel to it open.
WATCH = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
if not sys.stdin.read():
    print(sys.argv[1], file=sys.stderr, flush=True)
    time.sleep(1)
"""
_beside: list[Any] = []  # its process, or none


class MPI(Serial):
    """The ranks of an MPI job: ``Trainer(..., communicator=cr.distributed.MPI())``, started by ``mpiexec``.

    Every rank runs the same script, with the same data, model, seed and settings. It computes the gradient of its own
    rows of each batch; the sum over all ranks is that of the whole batch. Rank 0 alone prints and writes files.

    Parameters
    ----------
    timeout : float, > 0
        Seconds without an answer from a rank, such as one in a long callback, after which the job ends.
    comm : mpi4py.MPI.Comm, optional
        The ranks that take part; all of the job by default.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and the number of processes.

    Raises
    ------
    ModuleNotFoundError
        Without mpi4py: ``pip install 'chainrule[mpi]'``.

    Notes
    -----
    If ``fit`` fails on a rank, it raises an error on every rank. If one is silent, another prints which, and the job
    ends.
    """

    def __init__(self, timeout: float = 60.0, comm: Any = None) -> None:
        self.timeout = check_number("MPI", "timeout", timeout, above=0)
        with unforked:
            mpi = require("mpi4py.MPI", "mpi", "distributed.MPI")
        if mpi.Is_finalized():
            raise ValueError(
                sentence("distributed.MPI", "MPI to be in use", "one that was finalized", "make it earlier")
            )
        if not mpi.Is_initialized():
            mpi.Init()
        self._mpi, self._any, self._status = mpi, mpi.ANY_SOURCE, mpi.Status()
        comm = mpi.COMM_WORLD if comm is None else comm
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self._shared: list[Array] = []  # of each rank, what it sums most often
        self._memory: list[Array] = []  # where that lies
        self._rooms: dict[str, Array] = {}
        self._fit = 0  # how many began: news of an earlier one are old
        self._alive: set[int] = set()
        self._gone: dict[int, float] = {}  # ranks that have ended, and when this was known
        self._sent: list[Any] = []  # news on their way
        self._limits: list[own_threads] = []  # one for each block that has begun
        self._news = self._copied_by_all(comm)
        self._comm = self._news.Dup()
        self._failed = False  # whether the last fit did: others may have begun an exchange
        self._one_node = comm.Split_type(mpi.COMM_TYPE_SHARED).Get_size() == self.size
        atexit.register(self._take_leave, os.getpid())
        host, usable = mpi.Get_processor_name(), _usable_processors()
        self._places = self.allgather((os.getpid(), host, usable))
        if self.size > 1:
            expected, got = "every rank to run to its end", f"{self._named(self.rank)} killed"
            _watch(sentence("fit", expected, got, RESUME))
        here = [usable for _, one, usable in self._places if one == host]
        self.threads = chosen_threads() or max(1, len(set().union(*here)) // len(here))

    def _copied_by_all(self, comm: Any) -> Any:
        """Copy the user's communicator, for which all its ranks must make an MPI."""
        copy, request = comm.Idup()
        end = time.monotonic() + self.timeout
        while not request.Test():
            time.sleep(NAP)
            if time.monotonic() > end:
                time.sleep(2 * PRINTING * self.rank)  # so that one rank prints
                expected, got = f"every rank to make one within {self.timeout:g} s", "some that have not"
                self._end_job(sentence("distributed.MPI", expected, got, "call it on every rank"))
        return copy

    def _take_leave(self, process: int) -> None:
        if os.getpid() == process:  # not in a child
            _end_watch()
            if not self._mpi.Is_finalized():
                self._tell(GONE)

    def allreduce(self, *arrays: Array) -> None:
        with atomic:
            for array in arrays:
                flat = array.reshape(-1)
                if self._shared and array is self._shared[self.rank]:
                    self._sum_shared()
                elif self.size > 1:
                    (self._sum_whole if flat.nbytes <= SMALL else self._sum_parts)(flat)

    def room(self, like: Array) -> Array:
        if self.size == 1 or not self._one_node or like.nbytes <= SMALL:
            return like
        if not self._shared or (self._shared[0].shape, self._shared[0].dtype) != (like.shape, like.dtype):
            if not self._memory or self._memory[0].nbytes < like.nbytes:
                self.allgather(None)  # until all are here: what follows waits for them without end
                window = self._mpi.Win.Allocate_shared(like.nbytes + 64, 1, comm=self._comm)
                memory = [np.frombuffer(window.Shared_query(rank)[0], np.uint8) for rank in range(self.size)]
                self._memory = [one[-one.ctypes.data % 64 :][: like.nbytes] for one in memory]
            self._shared = [one[: like.nbytes].view(like.dtype) for one in self._memory]
        return self._shared[self.rank]

    def _sum_shared(self) -> None:
        """Sum a part of the memory of all ranks, and write the sum to each."""
        self._wait(self._comm.Ibarrier())
        size = self._shared[0].size
        for start in range(size * self.rank // self.size, stop := size * (self.rank + 1) // self.size, BLOCK):
            first, *others = (one[start : min(start + BLOCK, stop)] for one in self._shared)
            for part in others:
                first += part
            for part in others:
                part[...] = first
        self._wait(self._comm.Ibarrier())

    def _sum_whole(self, flat: Array) -> None:
        """Send all of it to every rank, each of which sums everything."""
        rooms = self._kept("whole", (self.size, flat.size), flat.dtype)
        self._wait(self._comm.Iallgather(flat, rooms))
        _add_up(list(rooms), out=flat)

    def _sum_parts(self, flat: Array) -> None:
        """Send part r to rank r, which sums it and sends the sum to every rank."""
        bounds = [flat.size * r // self.size for r in range(self.size + 1)]
        counts, starts = np.diff(bounds), bounds[:-1]
        own = flat[starts[self.rank] : bounds[self.rank + 1]]
        rooms, kind = self._kept("parts", (self.size, own.size), flat.dtype), flat.dtype.char
        given, taken = [flat, counts, starts, kind], [rooms, [own.size] * self.size, None, kind]
        self._wait(self._comm.Ialltoallv(given, taken))
        _add_up(list(rooms), out=own)
        self._wait(self._comm.Iallgatherv(self._mpi.IN_PLACE, given))

    def _kept(self, name: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
        room = self._rooms.get(name)
        if room is None or room.shape != shape or room.dtype != dtype:
            room = self._rooms[name] = np.empty(shape, dtype)
        return room

    def allgather(self, fact: Any) -> list[Any]:
        # Pickle runs what it reads, but here it comes from the same program, started by the same user.
        own = np.frombuffer(pickle.dumps(fact), np.uint8)
        sizes = np.empty(self.size, np.int64)
        with atomic:
            self._wait(self._comm.Iallgather(np.array([own.size]), sizes))
            room, starts = np.empty(sizes.sum(), np.uint8), np.cumsum(sizes) - sizes
            self._wait(self._comm.Iallgatherv(own, [room, sizes, starts, "B"]))
        return [pickle.loads(room[start : start + size].tobytes()) for start, size in zip(starts, sizes, strict=True)]

    def _wait(self, request: Any) -> None:
        """Wait for the other ranks: for their part of an exchange, or for news of their end."""
        looks, since = 0, 0.0
        while not request.Test():
            looks += 1
            if looks < LOOKS:
                continue
            since = since or time.monotonic()
            waited = time.monotonic() - since
            if waited < PATIENCE:
                _let_others_run()
                continue
            time.sleep(NAP)
            self._listen()
            for rank, known in self._gone.items():
                if time.monotonic() - known > LAST:  # its part of this exchange would be here
                    got = f"{self._named(rank)}, which has ended"
                    raise RankError(sentence("fit", "every rank to take part", got, "call fit on every rank"))
            if waited > self.timeout:
                self._look_for_silent_ranks()
                since = 0.0

    def _tell(self, kind: int, text: str = "", ranks: Any = None) -> None:
        for rank in range(self.size) if ranks is None else ranks:
            if rank != self.rank:
                self._sent.append(self._news.isend((self._fit, kind, text), rank))

    def _listen(self) -> None:
        """Read the news; raise if a rank has failed."""
        while self._news.Iprobe(self._any, status=self._status):
            rank = self._status.Get_source()
            fit, kind, text = self._news.recv(source=rank)
            if kind == ASKED:
                self._tell(ALIVE, ranks=[rank])
            elif kind == ALIVE:
                self._alive.add(rank)
            elif kind == GONE:
                self._gone[rank] = time.monotonic()
            elif fit == self._fit:
                self._left = True
                raise RankError(sentence("fit", "every rank to continue", f"an error on rank {rank}: {text}"))

    def answer(self) -> None:
        self._listen()

    def _look_for_silent_ranks(self) -> None:
        """Ask all ranks whether they wait, too; end the job if one does not answer."""
        self._alive = {self.rank}
        self._tell(ASKED)
        end = time.monotonic() + GRACE
        while time.monotonic() < end and len(self._alive) < self.size:
            time.sleep(NAP)
            self._listen()
        silent = [rank for rank in range(self.size) if rank not in self._alive]
        if silent:
            self._abort(silent)

    def _abort(self, silent: list[int]) -> NoReturn:
        """Print which ranks are silent, if this is the first of the others, and end the job."""
        if self.rank == min(self._alive):
            who = " and ".join(map(self._named, silent))
            expected, got = f"an answer from every rank within {self.timeout:g} s", f"none from {who}"
            self._end_job(sentence("fit", expected, got, RESUME))
        time.sleep(GRACE)
        self._end_job()

    def _end_job(self, text: str = "") -> NoReturn:
        if text:
            print(text, file=sys.__stderr__, flush=True)  # the shell silences all ranks but the first
            time.sleep(PRINTING)
        _end_watch()
        self._mpi.COMM_WORLD.Abort(1)
        os._exit(1)

    def _named(self, rank: int) -> str:
        process, host, _ = self._places[rank]
        return f"rank {rank} (process {process} on {host})"

    def __enter__(self) -> Serial:
        self._fit += 1
        if self._failed:
            self._comm, request = self._news.Idup()
            self._wait(request)
        self._limits.append(own_threads(self.threads))
        self._limits[-1].begin()
        return super().__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._limits.pop().end()
        self._failed = True
        super().__exit__(kind, error, trace)
        self._failed = error is not None

    def _report(self, text: str) -> None:
        self._tell(FAILED, text)

    def __deepcopy__(self, memo: Any) -> MPI:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return MPI, (self.timeout,)


def _add_up(parts: list[Array], out: Array) -> None:
    """Sum in the order of the ranks."""
    total = parts[0]
    for part in parts[1:]:
        total = np.add(total, part, out=out if part is parts[-1] else parts[0])
    if total is parts[0]:
        np.copyto(out, total)


def _usable_processors() -> set[int]:
    return set(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


def _let_others_run() -> None:
    getattr(os, "sched_yield", lambda: time.sleep(0))()


def _watch(text: str) -> None:
    """Let a process print this if the present one ends before :func:`_end_watch`."""
    if _beside or os.name == "nt":
        return
    from subprocess import PIPE, Popen

    channel = os.environ.get("PMI_FD", "")
    command = [sys.executable, "-I", "-S", "-c", WATCH, text]
    with suppress(OSError, ValueError):  # it is not essential
        _beside.append(Popen(command, stdin=PIPE, pass_fds=[int(channel)] if channel else []))


def _end_watch() -> None:
    while _beside:
        _beside.pop().communicate(b"ended")
