"""Divide work among as many threads as the system provides."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from .signals import deferred, released
from .temporary import Temporary

NOTICE = 0.1  # seconds: a signal that arrives just before a wait begins does not end it


class Thread(threading.Thread):
    """A thread whose ``join`` may be interrupted and called again: Python's then takes it for ended (bpo-45274)."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...] = ()) -> None:
        super().__init__(target=target, args=args)
        self._process, self._has_run = os.getpid(), threading.Event()

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._has_run.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end, but not in the child of a fork."""
        if self.ident is not None and self._process == os.getpid():
            while not self._has_run.wait(NOTICE if timeout is None else timeout) and timeout is None:
                pass
        super().join(timeout)


def started(thread: Thread) -> bool:
    """Start a thread; return False if the system allows no more, as in a container with a limit."""
    try:
        thread.start()
    except (RuntimeError, MemoryError):
        return False
    return True


def share(work: Callable[[int], None], parts: Iterable[int], threads: int) -> None:
    """Call ``work`` for each part, in this thread and in up to ``threads`` − 1 others, which end with the call.

    After a part fails, no other part begins, and the error of the first part that failed is raised here.

    Examples
    --------
    >>> squares = [0] * 5
    >>> def square(i):
    ...     squares[i] = i * i
    >>> share(square, range(5), threads=2)
    >>> squares
    [0, 1, 4, 9, 16]
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

    with deferred(), _Helpers(run, left, threads - 1), released:
        run()
    try:
        if errors:
            raise errors[min(errors)]
    finally:
        errors.clear()  # their tracebacks refer to this frame


class _Helpers(Temporary):
    """Threads that run the same function; at the end they have finished."""

    def __init__(self, run: Callable[[], None], left: deque[int], count: int) -> None:
        self._run, self._left, self._count = run, left, count
        self._threads: list[Thread] = []

    def begin(self) -> None:
        for _ in range(self._count):
            self._threads.append(Thread(self._run))
            if not started(self._threads[-1]):
                break

    def end(self) -> None:
        self._left.clear()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
