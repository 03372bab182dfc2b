"""How many threads a training step may use, and the BLAS's threads by the size of the work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from .._support.checks import sentence

#: Operations (2 N I O) of the largest matrix product of a step from which a second BLAS thread pays. Below it, waking
#: the BLAS's threads for every product costs more than they save between the other passes of a step: OpenBLAS on two
#: processors took 1.5 to 1.9 times as long at 784-64-10 × 32 (3 million) up to 784-512-256-10 × 32 (26 million), the
#: same at × 128 (103 million), and where another program wanted a processor ten times as long and more.
LARGE = 1e8


def processors() -> int:
    """How many processors this process may run on, which can be fewer than the machine has."""
    if hasattr(os, "process_cpu_count"):  # since Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_threads() -> int:
    """How many threads a training step may use: ``CHAINRULE_NUM_THREADS``, else what processors and BLAS allow.

    The BLAS's own number is obeyed because everyone sets it: ``OMP_NUM_THREADS`` and ``OPENBLAS_NUM_THREADS``,
    ``threadpoolctl.threadpool_limits``, and joblib in its workers. It is asked anew at every call; what
    :func:`blas_threads` changes does not count.

    Raises
    ------
    ValueError if ``CHAINRULE_NUM_THREADS`` is no positive integer.

    Examples
    --------
    >>> from threadpoolctl import threadpool_limits
    >>> with threadpool_limits(1):
    ...     available_threads()
    1
    """
    return chosen_threads() or min([processors(), *_LIMIT.before()])


def chosen_threads() -> int:
    """``CHAINRULE_NUM_THREADS``, or 0 where it is not set."""
    value = os.environ.get("CHAINRULE_NUM_THREADS", "").strip()
    if value and not (value.isdecimal() and int(value) > 0):
        remedy = "set it to 1 or more, or unset it"
        raise ValueError(sentence("CHAINRULE_NUM_THREADS", "a positive integer", repr(value), remedy))
    return int(value or 0)


@contextmanager
def blas_threads(work: float) -> Iterator[None]:
    """Inside, the BLAS runs on one thread if the work is small, else on as many as before.

    ``CHAINRULE_NUM_THREADS`` replaces the choice: the BLAS then runs on that many. The number belongs to the whole
    process; while several threads are inside, the smallest of their numbers holds, and the last to leave restores the
    first. Without threadpoolctl nothing changes.

    Parameters
    ----------
    work : float, operations of the step's largest matrix product: 2 N I O for N rows and I inputs to O outputs

    Examples
    --------
    >>> import numpy as np
    >>> x, W = np.ones((32, 784)), np.ones((784, 10))
    >>> with blas_threads(2 * 32 * 784 * 10):
    ...     y = x @ W
    """
    threads = chosen_threads() or (1 if work < LARGE else 0)
    if not threads:
        yield
        return
    _LIMIT.enter(threads)
    try:
        yield
    finally:
        _LIMIT.leave(threads)


@cache
def blas_libraries() -> tuple[Any, ...]:
    """threadpoolctl's hold on each BLAS of this process: found once, in milliseconds; then asked in microseconds."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return ()
    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


class _Limit:
    """The numbers of BLAS threads that those inside :func:`blas_threads` ask for.

    threadpoolctl's own limits, when they overlap in two threads, leave the BLAS at what the first of them set.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.asked: list[int] = []
        self.saved: list[int] = []  # of each library, when nobody was inside
        self.ours: list[int] = []  # of each library, what we set last

    def before(self) -> list[int]:
        """Each library's number of threads, as it is when nobody is inside."""
        with self.lock:
            return self.saved if self.asked else _present()

    def enter(self, threads: int) -> None:
        with self.lock:
            if not self.asked:
                self.saved = _present()
            self.asked.append(threads)
            for library in blas_libraries():
                _set_number(library, min(self.asked))
            self.ours = _present()

    def leave(self, threads: int) -> None:
        with self.lock:
            self.asked.remove(threads)
            for i, library in enumerate(blas_libraries()):
                if _number(library) != self.ours[i]:
                    continue  # someone has set it since, and that stays
                if not self.asked or _belongs_to_thread(library):
                    _set_number(library, self.saved[i])
                else:
                    _set_number(library, min(self.asked))
                    self.ours[i] = _number(library)


def _present() -> list[int]:
    return [_number(library) for library in blas_libraries()]


def _number(library: Any) -> int:
    return int(library.num_threads or 1)  # None where the library does not say


def _belongs_to_thread(library: Any) -> bool:
    """Whether each thread may have a number of its own, and so gives back its own when it leaves."""
    return bool(library.internal_api != "openblas" or library.threading_layer == "openmp")


def _set_number(library: Any, threads: int) -> None:
    """From whichever thread: since 3.8 threadpoolctl does nothing, silently, but in the thread that was first."""
    free = getattr(library, "clear_controlling_thread", None)
    if free is not None:
        free(force=True)
    library.set_num_threads(threads)
    if free is not None:
        free(force=True)


_LIMIT = _Limit()
