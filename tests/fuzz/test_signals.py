"""Signals at random moments: afterwards the process is as it was, and model and optimizer agree.

Nothing here depends on how fast the machine is. A training has no end of its own: a signal ends it, sent once a hook
has seen so many steps. What it leaves is compared, bit by bit, with a twin that takes as many steps in peace.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.runtime.threads import blas_libraries

if os.name == "nt":
    pytest.skip("Windows has no such signals", allow_module_level=True)

ENDLESS = 10**9
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(96, 12)).astype("f4"), RNG.integers(0, 3, 96)
MANY = np.tile(X, (4000, 1))
getsig = ctypes.pythonapi.PyOS_getsig
getsig.restype = ctypes.c_void_p
c_library = ctypes.CDLL(None)


class LateError(BaseException):
    """Of a timeout; no Exception, which scikit-learn's ``available_if`` would catch."""


NUMBERS = {
    "default": signal.SIGINT,
    "interrupt": signal.SIGINT,
    "timer": signal.SIGALRM,
    "end": signal.SIGTERM,
    "noted": signal.SIGUSR1,
    "in C": signal.SIGUSR2,
}
RAISING = ["default", "interrupt", "timer", "end"]


class Signals:
    """Sends signals to this process from another thread; the first of the last kind raises, the others are noted.

    Parameters
    ----------
    kinds : keys of NUMBERS, in the order in which they are sent
    delays : for each, how long to spin before it, so that any moment of a step may be met
    """

    def __init__(self, kinds: list[str], delays: list[int]) -> None:
        self.kinds, self.delays = kinds, delays
        self.noted: list[int] = []
        self.armed = True
        self.sender: threading.Thread | None = None
        self.started = threading.Lock()
        self.started.acquire()

    def send(self) -> None:
        """The first time it is called; once the thread runs, for Thread.start itself bears no exception."""
        if self.sender is None:
            self.sender = threading.Thread(target=self._send)
            self.sender.start()
            self.started.release()

    def _send(self) -> None:
        self.started.acquire()
        for kind, delay in zip(self.kinds, self.delays, strict=True):
            for _ in range(delay):
                pass
            if kind == "timer":
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + delay))
            else:
                os.kill(os.getpid(), NUMBERS[kind])

    def handle(self, number: int, frame: Any) -> None:
        self.noted.append(number)
        if number == NUMBERS[self.kinds[-1]] and self.armed:
            self.armed = False
            raise KeyboardInterrupt if number == signal.SIGINT else LateError

    @contextmanager
    def handled(self) -> Iterator[None]:
        """With handlers in place, one of them in C."""
        numbers = {NUMBERS[kind] for kind in NUMBERS if kind not in ("in C", "default")}
        if "default" in self.kinds:
            numbers.remove(signal.SIGINT)
        before = {number: signal.signal(number, self.handle) for number in numbers | {NUMBERS["in C"]}}
        c_library.signal(NUMBERS["in C"], ctypes.cast(c_library.abs, ctypes.c_void_p))  # of an int
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Trigger(cr.Callback):
    """Sends once the optimizer has counted so many steps, seen at the beginning of an epoch."""

    def __init__(self, signals: Signals, after: int) -> None:
        self.signals, self.after = signals, after

    def on_epoch_begin(self, trainer: Any) -> None:
        if trainer.optimizer.state and trainer.optimizer.state["step"] >= self.after:
            self.signals.send()


class TriggerInEpoch(Trigger):
    """Seen after a step; a compiled engine then takes one at a time."""

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        self.on_epoch_begin(trainer)


class StopAt(cr.Callback):
    """Ends training when the optimizer has counted so many steps, and all callbacks before it have seen them."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_epoch_begin(self, trainer: Any) -> None:
        if trainer.optimizer.state and trainer.optimizer.state["step"] >= self.steps:
            raise KeyboardInterrupt

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        self.on_epoch_begin(trainer)


class Inside(cr.Callback):
    """A training within each epoch of another."""

    def on_epoch_begin(self, trainer: Any) -> None:
        inner = cr.Trainer(cr.MLP([12, 4, 3], rng=0), "cross_entropy")
        if inner.fit(X, Y, epochs=1, verbose=0).interrupted:
            raise KeyboardInterrupt


EXTRA: dict[str, Callable[[Path], list[cr.Callback]]] = {
    "alone": lambda folder: [],
    "Checkpoint": lambda folder: [cr.callbacks.Checkpoint(folder, every=3)],
    "WeightAverage": lambda folder: [cr.callbacks.WeightAverage(0.9)],
    "MaxNorm": lambda folder: [cr.callbacks.MaxNorm(0.5)],  # to rounding: a training that begins applies it once more
    "a training inside": lambda folder: [Inside()],
}


@dataclass
class Training:
    """A training without end, and all that it changes."""

    act: Callable[[], Any]
    again: Callable[[], Any]
    model: cr.Sequential
    optimizer: cr.Optimizer
    callbacks: list[cr.Callback] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return int(self.optimizer.state["step"])

    def state(self) -> dict[str, Any]:
        arrays = {"parameters": self.model.parameters.vector} | self.model.buffers | dict(self.optimizer.state)
        return {name: array.copy() for name, array in arrays.items()} | {"callbacks": self.remembered()}

    def remembered(self) -> list[Any]:
        return [callback.state() for callback in self.callbacks if isinstance(callback, cr.callbacks.WeightAverage)]


def user_loss(z: Any, y: Any, weight: Any) -> Any:
    return cr.CrossEntropy()(z, y, weight)


def by_trainer(seed: int, compiled: bool, callbacks: list[cr.Callback]) -> Training:
    norm = [cr.BatchNorm(16)] if seed % 2 else []
    layers = [cr.Linear(12, 16, "relu"), *norm, cr.Dropout(0.2), cr.Linear(16, 3)]
    loss = "cross_entropy" if compiled else user_loss
    trainer = cr.Trainer(cr.Sequential(layers, rng=seed), loss, cr.Adam(1e-3), batch_size=16, callbacks=callbacks)

    def fit(epochs: int) -> Callable[[], Any]:
        return lambda: trainer.fit(X, Y, validation=0.2 if seed % 3 else None, epochs=epochs, verbose=0)

    return Training(fit(ENDLESS), fit(1), trainer.model, trainer.optimizer, callbacks)


def by_estimator(seed: int, compiled: bool, callbacks: list[cr.Callback]) -> Training:
    """Calls of partial_fit, by the engine that the estimator takes."""
    pytest.importorskip("sklearn")
    estimator = cr.MLPClassifier((16,), batch_size=16, random_state=seed)
    estimator.partial_fit(X, Y, classes=[0, 1, 2])
    estimator.set_params(callbacks=callbacks)

    def act() -> None:
        while True:
            estimator.partial_fit(X, Y)

    again = lambda: estimator.set_params(callbacks=None).partial_fit(X, Y)  # noqa: E731
    return Training(act, again, estimator.model_, estimator._optimizer, callbacks)


SCENES = {"Trainer.fit": by_trainer, "partial_fit": by_estimator}


def process() -> tuple[Any, ...]:
    """What a training must leave as it was."""
    handlers = [(signal.getsignal(number), getsig(number)) for number in sorted(signal.valid_signals())]
    return handlers, [library.num_threads for library in blas_libraries()], _thread._count(), np.geterr()


def ends(act: Callable[[], Any]) -> bool:
    """Whether it was interrupted. An estimator warns of that, and warnings are errors here."""
    try:
        result = act()
    except (KeyboardInterrupt, LateError):
        return True
    except UserWarning as warning:
        return "interrupted" in str(warning)
    return bool(result.interrupted)


def assert_interrupted_by(signals: Signals, act: Callable[[], Any]) -> None:
    """Assert that the signals end the act, and that the process is as it was."""
    with signals.handled():
        before = process()
        assert ends(act)
        assert signals.sender is not None
        signals.sender.join()
        assert process() == before


def drawn(rng: np.random.Generator) -> Signals:
    kinds = [str(kind) for kind in rng.choice(["noted", "in C"], rng.integers(0, 4))] + [str(rng.choice(RAISING))]
    if kinds[-1] == "interrupt":
        kinds += ["interrupt"] * int(rng.integers(0, 3))  # pressed again and again
    return Signals(kinds, [int(10 ** rng.uniform(0, 4.5)) for _ in kinds])


def assert_training_survives(seed: int, case: int, folder: Path) -> None:
    """Interrupt a training by signals: it is left as one that stopped at that step, and continues."""
    rng = np.random.default_rng([seed, case])
    signals, number, compiled = drawn(rng), int(rng.integers(100)), bool(rng.integers(2))
    scene = SCENES[str(rng.choice(list(SCENES), p=[0.75, 0.25]))]
    extra = EXTRA[str(rng.choice([name for name in EXTRA if name != "MaxNorm" or scene is by_trainer]))]
    trigger = (Trigger, TriggerInEpoch)[rng.integers(2)](signals, int(rng.integers(1, 40)))
    training = scene(number, compiled, [*extra(folder / "one"), trigger])
    assert_interrupted_by(signals, training.act)
    assert training.steps >= trigger.after
    twin = scene(number, compiled, [*extra(folder / "two"), StopAt(training.steps)])
    assert ends(twin.act)
    state, expected = training.state(), twin.state()
    assert state.keys() == expected.keys()
    for name, value in state.items():
        np.testing.assert_equal(value, expected[name], err_msg=name)
    training.again()
    assert training.steps > twin.steps


@pytest.mark.parametrize("case", range(12))
def test_signals_in_training(case: int, fuzz_seed: int, tmp_path: Path) -> None:
    assert_training_survives(fuzz_seed, case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(12, 200))
def test_more_signals_in_training(case: int, fuzz_seed: int, tmp_path: Path) -> None:
    assert_training_survives(fuzz_seed, case, tmp_path)


@pytest.mark.parametrize("case", range(4))
def test_signals_in_prediction(case: int, fuzz_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")
    model = cr.MLP([12, 16, 3], rng=0)
    expected = model.predict(MANY)
    signals = drawn(np.random.default_rng([fuzz_seed, 1000 + case]))

    def act() -> None:
        while True:
            model.predict(MANY)
            signals.send()

    assert_interrupted_by(signals, act)
    np.testing.assert_array_equal(model.predict(MANY), expected)
