"""Delay signals during a training step, so that a handler's exception cannot leave it half done.

Python runs signal handlers between any two instructions of the main thread. An exception from a handler, such as
KeyboardInterrupt or a timeout, can therefore appear after the weights have changed and before the optimizer has counted
the step. Inside :class:`deferred`, a signal is recorded and its handler called later:

    at once                      in ``released``: in hooks and other code that may be interrupted anywhere
    at the next ``deliver()``    elsewhere, between two steps; or at once if it comes again, in case a layer hangs
    at its end                   in ``atomic``

Signals without a Python handler (default, ignored, or handled in C by a host program) are left alone.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what signal wraps; its enumerations take long to import
import os
from collections.abc import Callable, Iterable
from functools import cache
from itertools import compress
from threading import get_ident, main_thread
from typing import Any

from .temporary import Temporary

AT_ONCE, WAITS, ATOMIC = range(3)
NUMBERS = range(1, _signal.NSIG)

# State of the main thread, the only one that runs handlers:
_thread = main_thread().ident
_levels = [AT_ONCE]  # of the open blocks
_waiting: dict[_StandIn, Any] = {}  # each signal once, like the system's queue, with the frame that it interrupted


class _StandIn:
    """Replaces a signal's handler, and calls it at once or later."""

    def __init__(self, number: int, handler: Any) -> None:
        self.number, self.handler = number, handler

    def __call__(self, number: int, frame: Any) -> None:
        again = self in _waiting
        _waiting.setdefault(self, frame)
        leaving = frame is not None and frame.f_code is _Level.__exit__.__code__  # the level is about to change
        if not leaving and (_levels[-1] == AT_ONCE or (again and _levels[-1] == WAITS)):
            _deliver()


class _Asking(_StandIn):
    """Replaces a signal's handler by a function."""

    def __init__(self, number: int, handler: Any, function: Callable[[int], None]) -> None:
        super().__init__(number, handler)
        self.function = function

    def __call__(self, number: int, frame: Any) -> None:
        self.function(number)


class _Replaced(Temporary):
    """Replaces signal handlers until the end; a handler that others set meanwhile stays."""

    def __init__(self) -> None:
        self._ours: list[_StandIn] = []

    def _replace(self, stand_in: _StandIn) -> None:
        self._ours.append(stand_in)
        _set_handler(stand_in.number, stand_in)

    def end(self) -> None:
        if get_ident() != _thread:
            return  # only the main thread can change handlers; ours forwards each signal
        for number in {stand_in.number for stand_in in self._ours}:
            present = _signal.getsignal(number)
            handler = self._without_ours(present)
            if handler is not present and _can_set(number):
                _set_handler(number, handler)
        self._ours = []

    def _without_ours(self, handler: Any) -> Any:
        if not isinstance(handler, _StandIn):
            return handler
        handler.handler = self._without_ours(handler.handler)
        return handler.handler if handler in self._ours else handler


class deferred(_Replaced):  # noqa: N801, as contextlib names such classes
    """Delays signals inside the block, as described above; one block per training, which may be inside another.

    It does nothing outside the main thread.

    Examples
    --------
    >>> import signal
    >>> steps = 0
    >>> try:
    ...     with deferred():
    ...         signal.raise_signal(signal.SIGINT)
    ...         steps += 1
    ...         deliver()
    ...         steps += 1
    ... except KeyboardInterrupt:
    ...     print(steps)
    1
    """

    _outside: int | None = None  # how many levels there are

    def begin(self) -> None:
        """Replace every handler; if called again, those that were set since."""
        if get_ident() != _thread:
            return
        callables = compress(NUMBERS, map(callable, map(_signal.getsignal, NUMBERS)))
        handlers = [(number, _signal.getsignal(number)) for number in callables]
        if self._outside is None:
            if not any(type(handler) is _StandIn for _, handler in handlers):
                _levels[:] = [AT_ONCE]  # no block is open, even if an asynchronous exception left levels behind
            self._outside = len(_levels)
            _levels.append(max(WAITS, _levels[-1]))
        for number, handler in handlers:
            if type(handler) is not _StandIn and _can_set(number):
                self._replace(_StandIn(number, handler))

    def end(self) -> None:
        """Restore the handlers, and call those of waiting signals."""
        super().end()
        if self._outside is not None:
            del _levels[self._outside :]
            self._outside = None
            if _waiting and _levels[-1] == AT_ONCE:
                _deliver()


class asking(_Replaced):  # noqa: N801
    """Calls ``function(number)`` for these signals inside the block, unless they are ignored or handled in C.

    Parameters
    ----------
    numbers : iterable of int
        The signals, such as ``signal.SIGTERM``.
    function : callable
        The function.
    """

    def __init__(self, numbers: Iterable[int], function: Callable[[int], None]) -> None:
        super().__init__()
        self._numbers, self._function = tuple(numbers), function

    def begin(self) -> None:
        for number in self._numbers if get_ident() == _thread else ():
            handler = _signal.getsignal(number)
            known = _can_set(number) if callable(handler) else _is_pythons(number)
            if handler is not None and handler != _signal.SIG_IGN and known:
                self._replace(_Asking(number, handler, self._function))


class _Level:
    """When signals are delivered in a block."""

    def __init__(self, level: int) -> None:
        self.level = level

    def __enter__(self) -> None:
        if get_ident() == _thread:
            _levels.append(ATOMIC if _levels[-1] == ATOMIC else self.level)

    def __exit__(self, *error: Any) -> None:
        if get_ident() == _thread and len(_levels) > 1:  # a forked child has one
            _levels.pop()
            if _waiting and _levels[-1] == AT_ONCE:
                _deliver()


#: A block that any exception may interrupt: a user's hook, or code without side effects.
released = _Level(AT_ONCE)
#: A block that no signal interrupts: short, and without user code.
atomic = _Level(ATOMIC)


def deliver() -> None:
    """Call the handlers of waiting signals, in order; all are called even if one raises."""
    if _waiting and get_ident() == _thread and _levels[-1] != ATOMIC:
        _deliver()


def _deliver() -> None:
    depth = len(_levels)
    _levels.append(AT_ONCE)  # a handler may wait for another signal, or train a model
    try:
        while _waiting:
            stand_in = next(iter(_waiting))
            stand_in.handler(stand_in.number, _waiting.pop(stand_in))
    finally:
        del _levels[depth:]
        if _waiting:
            _deliver()


# A host program or library may set a handler in C after Python's: getsignal does not see it. Some, such as polars, call
# Python's handler in turn, so ours must replace Python's, and theirs must stay.

SIGACTION_BYTES = 512  # more than any system's struct sigaction


def _set_handler(number: int, handler: Any) -> None:
    """Set Python's handler of a signal, but keep the system's if it is not Python's."""
    theirs = None
    if not _is_pythons(number) and (libc := _libc()) is not None:
        from ctypes import create_string_buffer

        theirs = create_string_buffer(SIGACTION_BYTES)
        libc.sigaction(number, None, theirs)
    _signal.signal(number, handler)
    if theirs is not None:
        libc.sigaction(number, theirs, None)


def _can_set(number: int) -> bool:
    """Whether a handler can be set without replacing one in C."""
    return _libc() is not None or _is_pythons(number)


@cache
def _libc() -> Any:
    """Return the C library, if it has sigaction."""
    try:
        from ctypes import CDLL

        libc = CDLL(None)
        libc.sigaction  # noqa: B018
    except (ImportError, OSError, TypeError, AttributeError):
        return None
    return libc


def _is_pythons(number: int) -> bool:
    """Whether the system calls the handler that getsignal returns."""
    present, handler = _getsig()(number) or 0, _signal.getsignal(number)
    if not callable(handler):
        return bool(present == handler)
    return _pythons() in (None, present)


@cache
def _getsig() -> Callable[[int], int | None]:
    """Return a function for the address of the system's handler of a signal."""
    try:
        from ctypes import c_int, c_void_p, pythonapi

        function: Any = pythonapi.PyOS_getsig
    except (ImportError, AttributeError):
        return lambda number: None
    function.argtypes, function.restype = [c_int], c_void_p
    return function  # type: ignore[no-any-return]


@cache
def _pythons() -> int | None:
    """Return the address of Python's own C handler, found with an unused signal."""
    for name in ("SIGURG", "SIGWINCH", "SIGCONT", "SIGBREAK"):
        number = getattr(_signal, name, None)
        if number is not None and _signal.getsignal(number) == _signal.SIG_DFL and not _getsig()(number):
            try:
                _signal.signal(number, lambda number, frame: None)
                return _getsig()(number)
            finally:
                _signal.signal(number, _signal.SIG_DFL)
    return None


def _forget() -> None:
    """Reset the state in a forked child, which does not continue its parent's training."""
    global _thread
    if _thread != get_ident():
        _thread = get_ident()
        for number in NUMBERS:
            while isinstance(handler := _signal.getsignal(number), _StandIn):
                _set_handler(number, handler.handler)
    _levels[:] = [AT_ONCE]
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
