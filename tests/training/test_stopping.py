"""Ways to end training early: what they leave, and what they say."""

from __future__ import annotations

import io
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.callbacks import StopTraining
from clocks import set_clock

X, Y = np.random.default_rng(0).normal(size=(48, 4)), np.arange(48) % 2
HOOKS = ["on_train_begin", "on_epoch_begin", "on_batch_end", "on_validation_begin", "on_validation_end"]
HOOKS += ["on_epoch_end", "on_pause"]
AFTER_A_STEP = HOOKS[2:]


class Raise(cr.Callback):
    def __init__(self, hook: str, error: BaseException) -> None:
        self.error = error
        setattr(self, hook, self.hook)

    def hook(self, trainer: Any, *arguments: Any) -> None:
        raise self.error


class Ended(cr.Callback):
    ended = 0

    def on_train_end(self, trainer: Any) -> None:
        self.ended += 1


def trainer(*callbacks: cr.Callback, **settings: Any) -> cr.Trainer:
    model = cr.MLP([4, 8, 2], rng=0)
    return cr.Trainer(model, "cross_entropy", cr.Adam(0.01), batch_size=16, callbacks=callbacks, **settings)


def fit(one: cr.Trainer, epochs: int = 4) -> cr.callbacks.History:
    return one.fit(X, Y, validation=(X, Y), epochs=epochs, verbose=0)


@pytest.mark.parametrize("error", [StopTraining("enough"), KeyboardInterrupt()], ids=["StopTraining", "Ctrl-C"])
@pytest.mark.parametrize("hook", HOOKS)
def test_training_ends_in_any_hook_and_keeps_what_was_learned(hook: str, error: BaseException) -> None:
    ended = Ended()
    one = trainer(ended, Raise(hook, error))
    before = one.model.parameters.vector.copy()
    history = fit(one)
    assert history is one.history
    assert history.interrupted
    assert history.reason == str(error)
    assert ended.ended == 1
    assert len(history) == (hook == "on_pause") * (one.epoch == 1 and one.step == 3)
    assert (one.model.parameters.vector != before).any() == (hook in AFTER_A_STEP)
    one.callbacks.clear()
    again = fit(one)
    assert (len(again), again.interrupted, again.reason) == (4, False, "")


def test_what_a_trainer_shows_before_and_after_a_fit() -> None:
    one = trainer()
    assert (one.step, one.seconds, one.epoch, len(one.history), one.stop) == (0, 0.0, 0, 0, False)
    before = vars(one).keys()
    fit(one)
    assert (one.step, one.epoch, one.epochs, one.steps_per_epoch) == (12, 4, 4, 3)
    assert one.seconds > 0
    assert vars(one).keys() == before  # nothing is born in fit


def test_the_time_before_a_checkpoint_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on a second each time it is read."""
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    set_clock(monkeypatch, clock, "monotonic", "perf_counter")

    def steps(limit: float, *callbacks: cr.Callback, resume: bool = False) -> int:
        one = trainer(cr.callbacks.Checkpoint(tmp_path, seconds=1e-9), cr.callbacks.TimeLimit(limit), *callbacks)
        if resume:
            one.resume(tmp_path)
        history = fit(one, 1000)
        if history.interrupted:
            assert history.reason == f"the time limit of {limit:g} s is over"
        return one.step

    first = steps(20.0)
    assert 0 < first < 30
    second = steps(40.0, resume=True)
    assert first < second < 3 * first
    assert steps(40.0, resume=True) == second  # nothing is left of the time


def test_a_signal_ends_training_and_says_which(tmp_path: Path) -> None:
    class Send(cr.Callback):
        def on_batch_end(self, trainer: Any, loss: float) -> None:
            if trainer.step == 5:
                signal.raise_signal(signal.SIGTERM)

    one = trainer(cr.callbacks.Checkpoint(tmp_path), Send())
    history = fit(one)
    assert (history.interrupted, history.reason, one.step) == (True, "received SIGTERM", 5)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-00000003.safetensors",
        "step-00000005.safetensors",
    ]


def test_those_that_follow_the_weights_end_first_then_the_last_that_began() -> None:
    order: list[str] = []

    class End(cr.Callback):
        def __init__(self, name: str, follows: bool = False) -> None:
            self.name, self.follows = name, follows

        def on_train_end(self, trainer: Any) -> None:
            order.append(self.name)
            if self.name == "c":
                raise RuntimeError("the others end all the same")

    with pytest.raises(RuntimeError, match="all the same"):
        fit(trainer(End("a"), End("b", follows=True), End("c"), End("d", follows=True)))
    assert order == ["b", "d", "c", "a"]


def test_two_averages_are_each_of_the_weights_in_training() -> None:
    """And the last of them is validated and left, also where training is interrupted within an epoch."""

    def weights(*names: str, error: BaseException | None = None) -> np.ndarray:
        make = {
            "fast": lambda: cr.callbacks.WeightAverage(0.5),
            "late": lambda: cr.callbacks.WeightAverage(None, start=0.5),
        }
        one = trainer(*(make[name]() for name in names))
        fit(one)
        if error is not None:
            one.callbacks.append(After(2, error))
        fit(one)
        return one.model.parameters.vector

    class After(cr.Callback):
        def __init__(self, steps: int, error: BaseException) -> None:
            self.steps, self.error = steps, error

        def on_batch_end(self, trainer: Any, loss: float) -> None:
            if trainer.step == self.steps:
                raise self.error

    for error in (None, KeyboardInterrupt()):
        for names in (("fast", "late"), ("late", "fast")):
            np.testing.assert_array_equal(weights(*names, error=error), weights(names[-1], error=error))


# --- what a monitored column is called, and why training stopped ---


@pytest.mark.parametrize(
    "make", [cr.callbacks.EarlyStopping, lambda monitor: cr.callbacks.Checkpoint("unused", monitor=monitor)]
)
@pytest.mark.parametrize("monitor", [10, ["loss"], True])
def test_a_monitor_that_is_no_name_is_refused(make: Any, monitor: Any, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=r"the name of a column in monitor, got .*; such as 'validation_loss'"):
        cr.Trainer(cr.MLP([4, 2], rng=0), "cross_entropy", callbacks=[make(monitor)]).fit(X, Y, verbose=0)


@pytest.mark.parametrize("monitor", ["validation_loss", "val_loss"])
def test_a_column_of_validation_without_its_rows_asks_for_them(monitor: str, tmp_path: Path) -> None:
    for callback in (cr.callbacks.EarlyStopping(monitor), cr.callbacks.Checkpoint(tmp_path, monitor=monitor)):
        trainer = cr.Trainer(cr.MLP([4, 2], rng=0), "cross_entropy", callbacks=[callback])
        with pytest.raises(ValueError, match=r"no validation rows; pass validation=0\.1 to fit"):
            trainer.fit(X, Y, verbose=0)


def test_training_says_why_it_stopped_early() -> None:
    said = io.StringIO()
    stopping = cr.callbacks.EarlyStopping("loss", patience=2, min_delta=1e9)
    trainer = cr.Trainer(cr.MLP([4, 2], rng=0), "cross_entropy", callbacks=[stopping, cr.callbacks.Progress(file=said)])
    history = trainer.fit(X, Y, epochs=50)
    assert history.reason.startswith("loss has not improved for 2 epochs; the weights of epoch ")
    assert said.getvalue().splitlines()[-1] == f"stopped: {history.reason}"
    assert not history.interrupted


def test_a_run_that_replaces_the_best_of_an_earlier_one_warns(tmp_path: Path) -> None:
    def trainer() -> cr.Trainer:
        callbacks = [cr.callbacks.Checkpoint(tmp_path, monitor="loss")]
        return cr.Trainer(cr.MLP([4, 2], rng=0), "cross_entropy", callbacks=callbacks)

    first = trainer()
    first.fit(X, Y, epochs=2, verbose=0)
    first.fit(X, Y, epochs=2, verbose=0)  # its own
    trainer().resume(tmp_path).fit(X, Y, epochs=3, verbose=0)
    with pytest.warns(UserWarning, match=r"got the best\.safetensors of an earlier run; resume that run"):
        trainer().fit(X, Y, verbose=0)


def test_training_shows_nothing_where_there_is_no_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert len(trainer().fit(X, Y, epochs=2)) == 2


def test_a_checkpoint_removes_only_files_that_it_named(tmp_path: Path) -> None:
    mine = tmp_path / "step-final.safetensors"
    mine.write_bytes(b"mine")
    trainer(cr.callbacks.Checkpoint(tmp_path, keep=1)).fit(X, Y, epochs=3, verbose=0)
    assert mine.read_bytes() == b"mine"
    assert len(list(tmp_path.glob("step-0*"))) == 1
