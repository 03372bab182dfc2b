"""A child that is forked while its parent trains: it trains and predicts, ends, and leaves the parent alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.runtime.threads import blas_libraries, blas_threads

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]

X, Y = np.random.default_rng(0).normal(size=(32, 6)).astype("f4"), np.arange(32) % 3
PATIENCE = 120  # seconds for a child that would else never end


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    """A BLAS of three threads."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(3, user_api="blas"):
        yield


def user_loss(z: Any, y: Any, weight: Any) -> Any:
    return cr.CrossEntropy()(z, y, weight)


def fit(loss: Any, epochs: int = 1, callbacks: list[cr.Callback] | None = None) -> np.ndarray:
    """A training and a prediction."""
    model = cr.MLP([6, 8, 3], rng=0)
    cr.Trainer(model, loss, callbacks=callbacks or []).fit(X, Y, epochs=epochs, verbose=0)
    return model.predict(X)


def status_of_a_child(act: Callable[[], bool]) -> int:
    """0 if the act is right in a forked child; a child that hangs is ended by its alarm, which it does not handle."""
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE)
            os._exit(0 if act() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Forks(cr.Callback):
    """Forks in a hook; the child trains, and ends there."""

    def __init__(self, act: Callable[[], bool]) -> None:
        self.act, self.statuses = act, list[int]()

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        self.statuses.append(status_of_a_child(self.act))


class EndsWith(cr.Callback):
    """Ends the training when an event has come."""

    def __init__(self, begun: threading.Event, end: threading.Event) -> None:
        self.begun, self.end = begun, end

    def on_epoch_end(self, trainer: Any, row: Any) -> None:
        self.begun.set()
        trainer.stop = self.end.is_set()


@pytest.mark.parametrize("loss", ["cross_entropy", user_loss], ids=["compiled", "interpreted"])
def test_a_child_of_a_hook_trains(loss: Any) -> None:
    expected = fit(loss)
    forks = Forks(lambda: np.array_equal(fit(loss), expected))
    np.testing.assert_array_equal(fit(loss, callbacks=[forks]), expected)
    assert forks.statuses == [0]


@pytest.mark.parametrize("loss", ["cross_entropy", user_loss], ids=["compiled", "interpreted"])
def test_a_child_trains_while_another_thread_of_its_parent_does(loss: Any) -> None:
    expected, begun, end = fit(loss), threading.Event(), threading.Event()
    other = threading.Thread(target=fit, args=(loss, 10**9, [EndsWith(begun, end)]))
    other.start()
    try:
        assert begun.wait(PATIENCE)
        statuses = [status_of_a_child(lambda: np.array_equal(fit(loss), expected)) for _ in range(20)]
    finally:
        end.set()
        other.join()
    assert statuses == [0] * 20
    np.testing.assert_array_equal(fit(loss), expected)


@pytest.mark.skipif(not blas_libraries(), reason="threadpoolctl knows no BLAS of this process")
def test_a_child_is_not_limited_by_a_thread_that_it_does_not_have() -> None:
    entered, end = threading.Event(), threading.Event()

    def stay() -> None:
        with blas_threads(0):
            entered.set()
            end.wait(PATIENCE)

    def numbers() -> set[int]:
        return {library.num_threads for library in blas_libraries()}

    other = threading.Thread(target=stay)
    other.start()
    assert entered.wait(PATIENCE)
    assert numbers() == {1}
    assert status_of_a_child(lambda: numbers() == {3}) == 0
    assert numbers() == {1}
    end.set()
    other.join()
    assert numbers() == {3}


FIRST_FIT = """
import os, signal, sys, threading
import numpy as np
import chainrule as cr

def fit():
    cr.Trainer(cr.MLP([6, 8, 3], rng=0), "cross_entropy").fit(np.ones((16, 6)), np.arange(16) % 3, verbose=0)

sys.setswitchinterval(1e-6)
other = threading.Thread(target=fit)
other.start()
children = []
for _ in range(20):  # while the other thread imports what the first training needs
    if (child := os.fork()) == 0:
        signal.alarm(120)
        fit()
        os._exit(0)
    children.append(child)
other.join()
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def test_children_that_are_forked_during_the_first_training() -> None:
    source = str(Path(cr.__file__).parents[1])
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FIRST_FIT], env=os.environ | {"PYTHONPATH": source})
    assert done.returncode == 0
