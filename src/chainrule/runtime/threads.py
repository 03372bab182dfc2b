"""The number of threads for a training step, and for the BLAS by the size of the work."""

from __future__ import annotations

import os
from functools import cache
from threading import get_ident, local
from typing import Any

from .._support.checks import sentence
from .._support.forks import unforked
from .signals import atomic
from .temporary import Temporary

#: Operations (2 N I O) of the largest matrix product of a step above which a second BLAS thread pays. Below it, waking
#: the BLAS's threads for every product costs more than they save: OpenBLAS on two processors took 1.5 to 1.9 times as
#: long for 784-64-10 × 32 (3 million) to 784-512-256-10 × 32 (26 million), and as long for × 128 (103 million). With
#: another program on one of the processors, it took ten times as long or more.
LARGE = 1e8


def processors() -> int:
    """Return the number of processors that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "process_cpu_count"):  # since Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_threads() -> int:
    """Return how many threads a training step may use: ``CHAINRULE_NUM_THREADS``, or the limits of processors and BLAS.

    The BLAS's limit counts because users set it: by ``OMP_NUM_THREADS``, ``OPENBLAS_NUM_THREADS`` or
    ``threadpoolctl.threadpool_limits``, and joblib does in its workers. It is read at every call, without the changes
    of :func:`blas_threads`.

    Raises
    ------
    ValueError
        If ``CHAINRULE_NUM_THREADS`` is not a positive integer.

    Examples
    --------
    >>> from threadpoolctl import threadpool_limits
    >>> with threadpool_limits(1):
    ...     available_threads()
    1
    """
    known = threads_of_process()
    return min(known, getattr(_OWN, "most", known))


def threads_of_process() -> int:
    """Return the limit of :func:`available_threads` for all threads of this process."""
    return chosen_threads() or min([processors(), *_LIMIT.before()])


_OWN = local()


class own_threads(Temporary):  # noqa: N801, as contextlib names such classes
    """Limits training steps and predictions that this thread begins inside the block to ``most`` threads."""

    def __init__(self, most: int) -> None:
        self._most, self._before = most, dict(vars(_OWN))

    def begin(self) -> None:
        _OWN.most = self._most

    def end(self) -> None:
        """Restore the limit of the block around, if there is one."""
        vars(_OWN).clear()
        vars(_OWN).update(self._before)


def chosen_threads() -> int:
    """Return ``CHAINRULE_NUM_THREADS``, or 0 if it is not set."""
    value = os.environ.get("CHAINRULE_NUM_THREADS", "").strip()
    if value and not (value.isdecimal() and int(value) > 0):
        remedy = "set it to 1 or more, or unset it"
        raise ValueError(sentence("CHAINRULE_NUM_THREADS", "a positive integer", repr(value), remedy))
    return int(value or 0)


class blas_threads(Temporary):  # noqa: N801, as contextlib names such classes
    """Limits the BLAS to one thread inside the block if the work is small.

    ``CHAINRULE_NUM_THREADS``, if set, is the number instead. It applies to the whole process: while several threads are
    inside, the smallest number holds, and the last to leave restores the original. Without threadpoolctl nothing
    changes.

    Parameters
    ----------
    work : float
        Operations of the step's largest matrix product: 2 N I O for N rows, I inputs and O outputs.
    exactly : int
        If not 0, the number of threads, whatever the work and the variable.
    """

    def __init__(self, work: float, exactly: int = 0) -> None:
        self._threads = exactly or chosen_threads() or (1 if work < LARGE else 0)

    def begin(self) -> None:
        if self._threads:
            with atomic:  # an exception in between would leave threadpoolctl's lock closed
                _LIMIT.enter(id(self), self._threads)

    def end(self) -> None:
        """Restore its threads, if no other block limits it."""
        with atomic:
            _LIMIT.leave(id(self))


@cache
def blas_libraries() -> tuple[Any, ...]:
    """Return threadpoolctl's controller of each BLAS in this process: found once, in milliseconds."""
    with unforked:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            return ()
        return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


class _Limit:
    """The numbers of BLAS threads requested by the open :func:`blas_threads` blocks.

    threadpoolctl's own limits do not support overlap in two threads: the BLAS would keep the limit of the first.
    """

    def __init__(self) -> None:
        self.asked: dict[int, tuple[int, int]] = {}  # by whom: how many, and in which thread
        self.saved: list[int] = []  # of each library, when nobody was inside
        self.ours: list[tuple[int, ...]] = []  # of each library, what we set; and what was, until it is set

    def before(self) -> list[int]:
        """Return each library's number of threads outside all blocks."""
        with unforked:
            return self.saved if self.asked else _present()

    def enter(self, who: int, threads: int) -> None:
        """Limit each library to the smallest requested number."""
        with unforked:
            if not self.asked:
                self.saved = _present()
                self.ours = [(number,) for number in self.saved]
            self.asked[who] = threads, get_ident()
            for index in range(len(self.saved)):
                self._set(index, self._smallest())

    def leave(self, who: int) -> None:
        """Restore the limits; the request is removed last, so that an interrupted call can be repeated."""
        with unforked:
            if who not in self.asked:
                return
            smallest = self._smallest(leaving=who)
            for index, library in enumerate(blas_libraries()):
                if _number(library) not in self.ours[index]:
                    continue  # set by someone else since; keep it
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
        """Drop the requests of other threads, which a forked child does not have."""
        for who, (_, thread) in list(self.asked.items()):
            if thread != get_ident():
                self.leave(who)


def _present() -> list[int]:
    return [_number(library) for library in blas_libraries()]


def _number(library: Any) -> int:
    return int(library.num_threads or 1)  # None if unknown


def _belongs_to_thread(library: Any) -> bool:
    """Whether each thread has its own number, which it must restore itself."""
    return bool(library.internal_api != "openblas" or library.threading_layer == "openmp")


def _set_number(library: Any, threads: int) -> None:
    """Set the number from any thread: since 3.8, threadpoolctl silently ignores all threads but the first."""
    free = getattr(library, "clear_controlling_thread", None)
    if free is not None:
        free(force=True)
    library.set_num_threads(threads)
    if free is not None:
        free(force=True)


_LIMIT = _Limit()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_LIMIT.forget_other_threads)
