"""How many threads a training step may use, and the BLAS's threads by the size of the work."""

from __future__ import annotations

import os
from functools import cache
from threading import get_ident
from typing import Any

from .._support.checks import sentence
from .._support.forks import unforked
from .signals import atomic
from .temporary import Temporary

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


class blas_threads(Temporary):  # noqa: N801, as contextlib names such classes
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

    def __init__(self, work: float) -> None:
        self._threads = chosen_threads() or (1 if work < LARGE else 0)

    def begin(self) -> None:
        """Limit the BLAS."""
        if self._threads:
            with atomic:  # a lock of threadpoolctl's would stay closed where an exception comes in between
                _LIMIT.enter(id(self), self._threads)

    def end(self) -> None:
        """Give it back the threads that it had, if no other limits it."""
        with atomic:
            _LIMIT.leave(id(self))


@cache
def blas_libraries() -> tuple[Any, ...]:
    """threadpoolctl's hold on each BLAS of this process: found once, in milliseconds; then asked in microseconds."""
    with unforked:
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
        self.asked: dict[int, tuple[int, int]] = {}  # by whom: how many, and in which thread
        self.saved: list[int] = []  # of each library, when nobody was inside
        self.ours: list[tuple[int, ...]] = []  # of each library, what we set; and what was, until it is set

    def before(self) -> list[int]:
        """Each library's number of threads, as it is when nobody is inside."""
        with unforked:
            return self.saved if self.asked else _present()

    def enter(self, who: int, threads: int) -> None:
        """Limit each library to the smallest number that is asked for."""
        with unforked:
            if not self.asked:
                self.saved = _present()
                self.ours = [(number,) for number in self.saved]
            self.asked[who] = threads, get_ident()
            for index in range(len(self.saved)):
                self._set(index, self._smallest())

    def leave(self, who: int) -> None:
        """Give back what was limited; who asked is forgotten last, so that what is broken off can be done again."""
        with unforked:
            if who not in self.asked:
                return
            smallest = self._smallest(leaving=who)
            for index, library in enumerate(blas_libraries()):
                if _number(library) not in self.ours[index]:
                    continue  # someone has set it since, and that stays
                if smallest == 0 or _belongs_to_thread(library):
                    _set_number(library, self.saved[index])
                else:
                    self._set(index, smallest)
            del self.asked[who]

    def _smallest(self, leaving: int | None = None) -> int:
        return min((threads for who, (threads, _) in self.asked.items() if who != leaving), default=0)

    def _set(self, index: int, threads: int) -> None:
        library = blas_libraries()[index]
        self.ours[index] = (_number(library), threads)
        _set_number(library, threads)
        self.ours[index] = (_number(library),)

    def forget_other_threads(self) -> None:
        """In a forked child, which has this thread only."""
        for who, (_, thread) in list(self.asked.items()):
            if thread != get_ident():
                self.leave(who)


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

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_LIMIT.forget_other_threads)
