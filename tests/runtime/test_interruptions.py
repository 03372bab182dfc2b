"""An exception at any line of ours, in a training or a prediction, leaves the process as it was."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.runtime.sharing import share
from chainrule.runtime.signals import deferred
from chainrule.runtime.threads import blas_libraries, blas_threads

pytestmark = [
    pytest.mark.skipif(not blas_libraries(), reason="threadpoolctl knows no BLAS of this process"),
    # An exception that comes in a __del__ cannot be raised further.
    pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"),
]

PACKAGE = Path(cr.__file__).parent
X, Y = np.random.default_rng(0).normal(size=(24, 6)).astype("f4"), np.arange(24) % 3


class LateError(Exception):
    """Of a timeout."""


def late(number: int, frame: Any) -> None:
    raise LateError


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A BLAS of three threads, and a handler that raises."""
    from threadpoolctl import threadpool_limits

    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
    before = signal.signal(signal.SIGALRM, late)
    with threadpool_limits(3, user_api="blas"):
        yield
    signal.signal(signal.SIGALRM, before)


def process() -> tuple[Any, ...]:
    """What must be as it was."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM, signal.SIGTERM)]
    return handlers, [library.num_threads for library in blas_libraries()], threading.active_count(), np.geterr()


def at_each_line(files: Callable[[str], bool], interrupt: Callable[[], None], act: Callable[[], Any], step: int) -> int:
    """Interrupt ``act`` at its first line, or call, in these files, its next, and so on; how often that was done."""
    code: dict[Any, bool] = {}
    # A trace function can raise at the end of a block, before __exit__, where Python itself never does.
    moment, parts = ("call", slice(None)) if interrupt is raise_here else ("line", slice(3))  # without np.errstate
    before, place, hits = process()[parts], 1, 0
    while True:
        left = place

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal left
            if frame.f_code not in code:
                code[frame.f_code] = files(frame.f_code.co_filename)
            if not code[frame.f_code]:
                return None
            if event == moment:
                left -= 1
                if left == 0:
                    interrupt()
            return trace

        outer = sys.gettrace()  # that of the coverage
        sys.settrace(trace)
        try:
            act()
        except (KeyboardInterrupt, LateError):
            pass
        finally:
            sys.settrace(outer)
        assert process()[parts] == before, place
        if left > 0:
            return hits
        hits, place = hits + 1, place + step


def in_chainrule(*folders: str) -> Callable[[str], bool]:
    return lambda file: any(Path(file).is_relative_to(PACKAGE / folder) for folder in folders)


def user_loss(z: Any, y: Any, weight: Any) -> Any:
    return cr.CrossEntropy()(z, y, weight)


def fit(loss: Any) -> Callable[[], Any]:
    return lambda: cr.Trainer(cr.MLP([6, 4, 3], rng=0), loss, batch_size=12).fit(X, Y, epochs=1, verbose=0)


def limit_the_blas() -> None:
    with blas_threads(0):
        pass


def predict() -> None:
    share(lambda part: None, range(4), threads=2)


def raise_here() -> None:
    raise KeyboardInterrupt


INTERRUPTS = {
    "raised there": raise_here,
    "Ctrl-C": lambda: signal.raise_signal(signal.SIGINT),
    "the handler of a timeout": lambda: signal.raise_signal(signal.SIGALRM),
}
ACTS: dict[str, Callable[[], Any]] = {
    "a limit of the BLAS": limit_the_blas,
    "a division of work": predict,
    "a compiled training": fit("cross_entropy"),
    "an interpreted training": fit(user_loss),
}


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 13])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_an_exception_at_any_line_leaves_the_process_as_it_was(interrupt: str, act: str, step: int) -> None:
    work = ACTS[act]
    work()
    assert at_each_line(in_chainrule("runtime", "training"), INTERRUPTS[interrupt], work, step) > 10 / step
    work()
    with pytest.raises(LateError), deferred():  # signals are delivered in later trainings
        signal.raise_signal(signal.SIGALRM)
