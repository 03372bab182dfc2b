"""An exception at any line of ours, in a training or a prediction, leaves the process as it was."""

from __future__ import annotations

import _thread
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.runtime.sharing import share
from chainrule.runtime.signals import deferred
from chainrule.runtime.threads import blas_libraries, blas_threads
from interrupting import LateError, at_every, in_chainrule, raise_here

pytestmark = [
    pytest.mark.skipif(not blas_libraries(), reason="threadpoolctl knows no BLAS of this process"),
    # An exception that comes in a __del__ cannot be raised further.
    pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"),
]

X, Y = np.random.default_rng(0).normal(size=(24, 6)).astype("f4"), np.arange(24) % 3


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
    return handlers, [library.num_threads for library in blas_libraries()], _thread._count(), np.geterr()


def user_loss(z: Any, y: Any, weight: Any) -> Any:
    return cr.CrossEntropy()(z, y, weight)


def fit(loss: Any) -> Callable[[], Any]:
    return lambda: cr.Trainer(cr.MLP([6, 4, 3], rng=0), loss, batch_size=12).fit(X, Y, epochs=1, verbose=0)


def limit_the_blas() -> None:
    with deferred(), blas_threads(0):  # else a trace function could raise at the end of a block of `unforked`
        pass


def predict() -> None:
    share(lambda part: None, range(4), threads=2)


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
    # A trace function can raise at the end of a block, before __exit__, where Python itself never does.
    event, parts = ("call", slice(None)) if interrupt == "raised there" else ("line", slice(3))  # without np.errstate
    before, hits = process()[parts], 0
    for place in at_every(event, in_chainrule("runtime", "training"), INTERRUPTS[interrupt], work, step):
        assert process()[parts] == before, place
        hits += 1
    assert hits > 10 / step
    work()
    with pytest.raises(LateError), deferred():  # signals are delivered in later trainings
        signal.raise_signal(signal.SIGALRM)


def enters_errstate(code: Any) -> bool:
    """Whether code is that with which NumPy begins to ignore overflows."""
    return code.co_name in ("__enter__", "inner") and code.co_filename.endswith("_ufunc_config.py")


@pytest.mark.parametrize("loss", ["cross_entropy", user_loss])
def test_an_exception_within_numpy_leaves_its_errors_as_they_were(loss: Any) -> None:
    """NumPy forgets what was before if an exception comes between its change and the note of it."""
    one = cr.Trainer(cr.MLP([6, 4, 3], rng=0), loss, batch_size=12)
    with np.errstate():  # whatever happens here
        before, hits = process(), 0
        fit = lambda: one.fit(X, Y, epochs=1, verbose=0)  # noqa: E731
        for place in at_every("opcode", enters_errstate, raise_here, fit, step=3):
            assert process() == before, place
            hits += 1
    if hits == 0 and sys.version_info[:2] == (3, 12):
        pytest.skip("this Python traces no opcodes (python/cpython#103615)")
    assert hits > 10
