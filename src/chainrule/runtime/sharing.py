"""Divide work among as many threads as the system provides."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any
from weakref import ref

from .signals import deferred, released
from .temporary import Temporary

NOTICE = 0.1  # seconds: a signal that arrives just before a wait begins does not end it


class Thread:
    """A thread that nobody waits for in vain.

    Python's waits for ever in ``start`` if there is no memory for the first call of the new thread, and its ``join``,
    once interrupted, takes the thread for ended (bpo-45274). Here nothing but the running thread refers to what it
    calls, so it has ended, in whatever way, when that is deleted.
    """

    def __init__(self, work: Callable[..., None], *args: Any) -> None:
        self._process, self._unbegun, self._ends = os.getpid(), allocate_lock(), SimpleQueue[Any]()
        self._unbegun.acquire()
        self._call = [partial(self._run, work, args)]
        self._running = ref(self._call[0], self._ends.put)

    def _run(self, work: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._unbegun.release()
        work(*args)

    def start(self) -> bool:
        """Return False if the system allows no more threads, or has no memory for one."""
        with suppress(RuntimeError, MemoryError):
            start_new_thread(self._call.pop(), ())
        while self.is_alive():
            if self._unbegun.acquire(timeout=NOTICE):
                return True
        return self._unbegun.acquire(blocking=False)

    def is_alive(self) -> bool:
        """Whether it runs; in the child of a fork it does not."""
        return not self._call and self._running() is not None and self._process == os.getpid()

    def join(self) -> None:
        """Wait for its end, if it was started; once interrupted, this may be called again."""
        while self.is_alive():
            with suppress(Empty):
                self._ends.get(timeout=NOTICE)


class Threads(Temporary):
    """Up to ``count`` threads that run one function; at the end ``stop`` is called, and they have ended."""

    def __init__(self, run: Callable[[], None], count: int, stop: Callable[[], None]) -> None:
        self._run, self._count, self._stop = run, count, stop
        self.started: list[Thread] = []

    def begin(self) -> None:
        for _ in range(self._count):
            self.started.append(Thread(self._run))
            if not self.started[-1].start():
                del self.started[-1]
                break

    def end(self) -> None:
        self._stop()
        for thread in self.started:
            thread.join()


def share(work: Callable[[int], None], parts: Iterable[int], threads: int) -> None:
    """Call ``work`` for each part, in this thread and in up to ``threads`` − 1 others, which end with the call.

    After a part fails, no other part begins, and the error of the first part that failed is raised here.
    """
    left, errors = deque(parts), dict[int, BaseException]()

    def run() -> None:
        while left:
            try:
                part = left.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                work(part)
            except BaseException as error:
                left.clear()
                errors[part] = error

    with deferred(), Threads(run, threads - 1, left.clear), released:
        run()
    try:
        if errors:
            raise errors[min(errors)]
    finally:
        errors.clear()  # their tracebacks refer to this frame
