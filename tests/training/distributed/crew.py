"""Ranks that are threads of one process: all that the training asks of a communicator, without MPI."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import Any, TypeVar

import numpy as np

from chainrule.distributed import RankError, Serial

Result = TypeVar("Result")


class Threaded(Serial):
    """One of ``size`` threads; what each has for the others lies in ``room``."""

    def __init__(self, rank: int, size: int, barrier: Barrier, room: list[Any]) -> None:
        self.rank, self.size, self._barrier, self._room = rank, size, barrier, room

    def allgather(self, fact: Any) -> list[Any]:
        try:
            self._barrier.wait(60)
            self._room[self.rank] = fact
            self._barrier.wait(60)
            told = list(self._room)
            self._barrier.wait(60)
        except BrokenBarrierError:
            raise RankError("fit expects every rank to continue") from None
        return told

    def allreduce(self, *arrays: np.ndarray) -> None:
        for array in arrays:
            told = self.allgather(array.copy())
            array[...] = sum(told[1:], told[0])

    def _report(self, text: str) -> None:
        self._barrier.abort()

    def __deepcopy__(self, memo: Any) -> Threaded:
        return self


def on_ranks(size: int, work: Callable[[Serial], Result]) -> list[Result]:
    """What ``work`` returns on each of so many ranks."""
    barrier, room = Barrier(size), [None] * size
    with ThreadPoolExecutor(size) as pool:
        jobs = [pool.submit(work, Threaded(rank, size, barrier, room)) for rank in range(size)]
    return [job.result() for job in jobs]
