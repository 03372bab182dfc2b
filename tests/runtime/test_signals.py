# ruff: noqa: PT012 (a signal is raised, and later what its handler raises)
"""When a signal is delivered during a training, and that the handlers are afterwards as they were."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chainrule.runtime.signals import asking, atomic, deferred, deliver, released
from interrupting import LateError, at_every, in_chainrule, raise_here

RAISES, NOTES, EXITS = signal.SIGALRM, signal.SIGUSR1, signal.SIGTERM
NUMBERS = (signal.SIGINT, RAISES, NOTES, EXITS)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The signals that were noted; SIGALRM raises, SIGUSR1 and SIGTERM are noted."""
    noted: list[int] = []

    def late(number: int, frame: Any) -> None:
        raise LateError

    handlers: dict[int, Any] = {RAISES: late} | {
        number: lambda number, _: noted.append(number) for number in (NOTES, EXITS)
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    present = handlers_of(NUMBERS)
    yield noted
    assert handlers_of(NUMBERS) == present
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers_of(numbers: tuple[int, ...]) -> list[Any]:
    return [signal.getsignal(number) for number in numbers]


def test_a_signal_waits_for_the_end_of_the_step(seen: list[int]) -> None:
    with deferred():
        signal.raise_signal(NOTES)
        assert seen == []
        deliver()
        assert seen == [NOTES]
        signal.raise_signal(NOTES)
    assert seen == [NOTES, NOTES]


@pytest.mark.parametrize("number", [signal.SIGINT, RAISES])
def test_what_a_handler_raises_appears_between_two_steps(number: int, seen: list[int]) -> None:
    steps = 0
    with pytest.raises((KeyboardInterrupt, LateError)), deferred():
        signal.raise_signal(number)
        steps += 1
        deliver()
        steps += 1
    assert steps == 1


def test_the_end_of_a_training_delivers_what_waits(seen: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)


def test_signals_are_delivered_in_their_order_and_once(seen: list[int]) -> None:
    with deferred(), atomic:
        for number in (EXITS, NOTES, EXITS, EXITS):
            signal.raise_signal(number)
        assert seen == []
    assert seen == [EXITS, NOTES]


def test_a_handler_that_raises_does_not_hold_up_the_others(seen: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, deferred():
        for number in (RAISES, NOTES, signal.SIGINT, EXITS):
            signal.raise_signal(number)
        deliver()
    assert isinstance(caught.value.__context__, LateError)
    assert seen == [NOTES, EXITS]


def test_a_released_block_is_interrupted_at_once(seen: list[int]) -> None:
    reached = []
    with pytest.raises(LateError), deferred():
        with released:
            signal.raise_signal(NOTES)
            assert seen == [NOTES]
            signal.raise_signal(RAISES)
            reached.append("the rest of the block")
        reached.append("what follows it")
    assert not reached


def test_what_waits_may_wait_for_a_released_block(seen: list[int]) -> None:
    """All callbacks see a step that was taken before the training ends."""
    with deferred():
        signal.raise_signal(NOTES)
        with released:
            assert seen == []
        deliver()
        assert seen == [NOTES]


def test_a_second_signal_interrupts_what_hangs(seen: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second signal was to interrupt this")


def test_nothing_interrupts_an_atomic_block(seen: list[int]) -> None:
    whole = []
    with pytest.raises(LateError), deferred(), released:
        with atomic:
            for _ in range(3):
                signal.raise_signal(RAISES)
            with released:  # of a training inside
                signal.raise_signal(RAISES)
            deliver()
            whole.append(True)
        pytest.fail("the signal was to come at the end of the block")
    assert whole


def test_a_training_inside_another(seen: list[int]) -> None:
    with deferred():
        with released, deferred():
            signal.raise_signal(NOTES)
            assert seen == []
        assert seen == [NOTES]
        signal.raise_signal(NOTES)
        assert seen == [NOTES]
    assert seen == [NOTES, NOTES]


def test_a_handler_may_train(seen: list[int]) -> None:
    def trains(number: int, frame: Any) -> None:
        with deferred(), atomic:
            signal.raise_signal(NOTES)

    before = signal.signal(EXITS, trains)
    with deferred():
        signal.raise_signal(EXITS)
        deliver()
        assert seen == [NOTES]
        signal.raise_signal(NOTES)
        assert seen == [NOTES]
    signal.signal(EXITS, before)


def test_handlers_that_are_set_inside_stay(seen: list[int]) -> None:
    def other(number: int, frame: Any) -> None: ...

    before = signal.getsignal(NOTES)
    with deferred():
        signal.signal(NOTES, other)
    assert signal.getsignal(NOTES) is other
    signal.signal(NOTES, before)


def test_handlers_that_are_set_inside_wait_too_once_seen(seen: list[int]) -> None:
    late: list[int] = []
    with deferred() as signals:
        before = signal.signal(EXITS, lambda number, frame: late.append(number))
        signals.begin()
        signal.raise_signal(EXITS)
        assert late == []
        deliver()
        assert late == [EXITS]
        signal.signal(EXITS, before)
        signal.raise_signal(EXITS)
        deliver()
        assert (late, seen) == ([EXITS], [EXITS])


def test_whoever_kept_a_handler_of_ours_may_set_it_again(seen: list[int]) -> None:
    before = signal.getsignal(NOTES)
    with deferred():
        ours = signal.getsignal(NOTES)
    signal.signal(NOTES, ours)
    signal.raise_signal(NOTES)
    assert seen == [NOTES]
    signal.signal(NOTES, before)


def test_signals_that_ask(seen: list[int]) -> None:
    asked: list[int] = []
    with deferred() as signals, asking((signal.SIGINT, EXITS), asked.append):
        signals.begin()
        signal.raise_signal(EXITS)
        assert asked == []
        deliver()
        assert (asked, seen) == ([EXITS], [])
    signal.raise_signal(EXITS)
    assert (asked, seen) == ([EXITS], [EXITS])


def test_who_asks_may_end_before_or_after_the_training(seen: list[int]) -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    for first in (0, 1):
        parts = [deferred(), asking(NUMBERS, seen.append)]
        for part in (*parts, parts[0]):
            part.begin()
        parts[first].end()
        parts[1 - first].end()
        assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_signals_that_nobody_handles_are_left_alone(handler: Any, seen: list[int]) -> None:
    before = signal.signal(NOTES, handler)
    with deferred():
        assert signal.getsignal(NOTES) == handler
    with asking([NOTES], seen.append):
        assert (signal.getsignal(NOTES) == signal.SIG_IGN) == (handler == signal.SIG_IGN)
    assert signal.getsignal(NOTES) == handler
    signal.signal(NOTES, before)


@pytest.mark.skipif(sys.platform == "win32", reason="no faulthandler.register")
def test_handlers_that_a_library_set_in_c_stay(seen: list[int]) -> None:
    """Python does not know of them: it says that its own is in place."""
    getsig = ctypes.pythonapi.PyOS_getsig
    getsig.restype = ctypes.c_void_p
    pythons = getsig(NOTES)
    with open(os.devnull, "w") as nowhere:
        faulthandler.register(NOTES, nowhere)
        c_handler = getsig(NOTES)
        assert c_handler != pythons
        before = signal.getsignal(NOTES)
        with deferred(), asking([NOTES], seen.append):
            assert getsig(NOTES) == c_handler
            signal.raise_signal(NOTES)
        assert getsig(NOTES) == c_handler
        assert signal.getsignal(NOTES) == before
        faulthandler.unregister(NOTES)
    assert getsig(NOTES) == pythons


@pytest.mark.skipif(sys.platform == "win32", reason="no sigaction")
def test_ours_is_called_by_a_handler_in_c_that_calls_pythons(seen: list[int]) -> None:
    """As polars has one from its import on: Ctrl-C must still end a training as a checkpoint wants it."""
    getsig, setsig = ctypes.pythonapi.PyOS_getsig, ctypes.pythonapi.PyOS_setsig
    getsig.restype = setsig.restype = ctypes.c_void_p
    pythons, calls = getsig(NOTES), list[int]()

    def chain(number: int) -> None:
        calls.append(number)
        ctypes.CFUNCTYPE(None, ctypes.c_int)(pythons)(number)

    in_c = ctypes.CFUNCTYPE(None, ctypes.c_int)(chain)
    setsig(NOTES, in_c)
    try:
        with asking([NOTES], seen.append):
            signal.raise_signal(NOTES)
            assert (calls, seen) == ([NOTES], [NOTES])
        with deferred():
            signal.raise_signal(NOTES)
            assert seen == [NOTES]  # it waits
        assert seen == [NOTES, NOTES]
        assert getsig(NOTES) == ctypes.cast(in_c, ctypes.c_void_p).value
    finally:
        setsig(NOTES, ctypes.c_void_p(pythons))


def test_handlers_that_are_set_in_c_inside_stay(seen: list[int]) -> None:
    getsig = ctypes.pythonapi.PyOS_getsig
    getsig.restype = ctypes.c_void_p
    before = signal.getsignal(NOTES)
    with open(os.devnull, "w") as nowhere:
        with deferred():
            faulthandler.register(NOTES, nowhere)
            c_handler = getsig(NOTES)
        assert getsig(NOTES) == c_handler
        faulthandler.unregister(NOTES)
    signal.signal(NOTES, before)


def test_other_threads_leave_the_handlers_alone(seen: list[int]) -> None:
    found: list[Any] = []

    def look() -> None:
        before = handlers_of(NUMBERS)
        with deferred(), asking(NUMBERS, found.append), released, atomic:
            found.append(handlers_of(NUMBERS) == before)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [True]
    signal.raise_signal(NOTES)
    assert seen == [NOTES]


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")  # __del__, that time
@pytest.mark.parametrize("interrupt", [raise_here, lambda: signal.raise_signal(RAISES)], ids=["raised", "by a signal"])
def test_an_exception_at_any_line_leaves_the_handlers(interrupt: Callable[[], None], seen: list[int]) -> None:
    before, lines = handlers_of(NUMBERS), 0

    def act() -> None:
        with deferred() as signals:
            with released:
                signals.begin()
            with atomic:
                pass
            with asking(NUMBERS, seen.append):
                deliver()

    act()
    for line in at_every("line", in_chainrule("runtime"), interrupt, act):
        assert handlers_of(NUMBERS) == before, line
        seen.clear()
        signal.raise_signal(NOTES)
        assert seen == [NOTES], line  # delivered at once
        lines = line
    assert lines > 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("where", ["the main thread", "another thread"])
def test_a_forked_child_is_in_no_training(where: str, seen: list[int]) -> None:
    statuses: list[int] = []
    before = handlers_of(NUMBERS)

    def fork() -> None:
        child = os.fork()
        if child == 0:
            right = where == "the main thread" or handlers_of(NUMBERS) == before
            signal.raise_signal(NOTES)
            os._exit(0 if right and seen == [NOTES] else 1)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    with deferred():
        signal.raise_signal(EXITS)  # waits, in the parent
        if where == "the main thread":
            fork()
        else:
            thread = threading.Thread(target=fork)
            thread.start()
            thread.join()
    assert statuses == [0]
    assert seen == [EXITS]
