"""Training on a source is training on its rows, in the order of the epoch."""

from __future__ import annotations

import _thread
import os
import threading
import time
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.streams import Windows
from chainrule.training import run as run_module
from chainrule.training.streaming import Ahead
from training.streamed import ROWS, Rows, small_windows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 5))
Y = RNG.integers(0, 3, ROWS)
WEIGHT = RNG.uniform(0.5, 2, ROWS)
BYTES = 5 * 4 + 8  # of a row and its label in a network of float32
WINDOWS = [1, 20, 33, 1000]


def trainer(**settings: Any) -> cr.Trainer:
    model = cr.MLP([5, 8, 3], rng=0)
    return cr.Trainer(model, "cross_entropy", cr.Adam(0.02), **{"batch_size": 16, "rng": 1} | settings)


def orders(source: Rows, epochs: int, **settings: Any) -> list[np.ndarray]:
    """The numbers of the rows of each epoch in the order in which they are trained on."""
    found: list[int] = []

    def note(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        found.extend(np.round(y[:, 0]).astype(int))
        return x, y

    numbered = Rows(*source.arrays, lengths=source.lengths.tolist())
    numbered.arrays[1] = np.arange(float(ROWS))[:, None]
    made = cr.Trainer(cr.MLP([5, 1], rng=0), "squared_error", "sgd", augment=[note], rng=1, **settings)
    made.optimizer.learning_rate = 1e-6
    made.fit(numbered, epochs=epochs, verbose=0)
    return np.split(np.array(found), epochs)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "op by op"])
@pytest.mark.parametrize("size", [7, 16, 100])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_stream_gives_the_same_bits_as_its_rows_in_that_order(window, size, compiled, weighted, monkeypatch):
    small_windows(monkeypatch, window, BYTES + 4 * weighted)
    if not compiled:
        monkeypatch.setattr(run_module, "compiled_engine", lambda *parts: None)
    arrays = (X, Y, WEIGHT)[: 2 + weighted]
    source = Rows(*arrays)
    epochs = orders(source, 3, batch_size=size)
    assert all(sorted(order) == list(range(ROWS)) for order in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    left = list(epochs)
    streamed, whole = trainer(batch_size=size), trainer(batch_size=size, sample=lambda rows: left.pop(0))
    histories = streamed.fit(source, epochs=3, verbose=0), whole.fit(*arrays, epochs=3, verbose=0)
    assert streamed.model.parameters.vector.tobytes() == whole.model.parameters.vector.tobytes()
    assert histories[0]["loss"] == histories[1]["loss"]
    assert streamed.step == whole.step == 3 * -(-ROWS // size)


@pytest.mark.parametrize("window", WINDOWS)
def test_drop_last_leaves_out_other_rows_in_each_epoch(window, monkeypatch):
    small_windows(monkeypatch, window, BYTES)
    first, second = orders(Rows(X, Y), 2, batch_size=16, drop_last=True)
    assert len(first) == len(set(first.tolist())) == 48
    assert set(first.tolist()) != set(second.tolist())


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("window", WINDOWS)
def test_each_row_is_read_once_an_epoch_and_by_another_thread(window, drop_last, monkeypatch):
    small_windows(monkeypatch, window, BYTES)
    source = Rows(X, Y)
    threads: set[int] = set()
    read = source.read

    def noted(*piece: int) -> Any:
        threads.add(threading.get_ident())
        return read(*piece)

    source.read = noted  # type: ignore[method-assign]
    trainer(drop_last=drop_last).fit(source, epochs=1, verbose=0)
    probe = source.lengths[0]
    assert sorted(source.rows_read()[probe:]) == list(range(ROWS))
    assert len(threads - {threading.get_ident()}) > 0


def test_rows_that_fit_into_one_window_are_read_once():
    source = Rows(X, Y)
    trainer().fit(source, epochs=5, verbose=0)
    assert len(source.rows_read()) == ROWS + source.lengths[0]


def test_of_neighbouring_groups_each_window_has_one(monkeypatch):
    small_windows(monkeypatch, 30, BYTES)
    first, second = orders(Rows(X, Y, lengths=[5] * 12), 2, batch_size=15)
    windows = [[set((part // 5).tolist()) for part in np.split(order, [30])] for order in (first, second)]
    assert all({group // 2 for group in groups} == set(range(6)) for epoch in windows for groups in epoch)
    assert windows[0] != windows[1]


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(threads, monkeypatch):
    small_windows(monkeypatch, 33, BYTES)
    one = trainer()
    one.fit(Rows(X, Y), epochs=3, verbose=0)
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", threads)
    monkeypatch.setattr("chainrule.training.compiled.WORK_A_THREAD", 1)
    other = trainer()
    other.fit(Rows(X, Y), epochs=3, verbose=0)
    assert one.model.parameters.vector.tobytes() == other.model.parameters.vector.tobytes()


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("settings", [{}, {"average_penalty": True}], ids=["", "average penalty"])
def test_scores_of_a_stream_are_those_of_its_rows(window, settings, monkeypatch):
    small_windows(monkeypatch, window, 5 * 8 + 8 + 8)
    model = cr.Sequential([cr.Linear(5, 8, "relu", l2=0.1), cr.Linear(8, 3)], rng=0, dtype="float64")
    loss = cr.CrossEntropy(class_weight=[1.0, 2.0, 0.5])
    made = cr.Trainer(model, loss, metrics=["accuracy"], batch_size=16, **settings)
    source = Rows(X, Y, WEIGHT)
    assert made.evaluate(source) == pytest.approx(made.evaluate(X, Y, WEIGHT), rel=1e-12)
    row = made.fit(source, epochs=1, validation=source, verbose=0).rows[-1]
    scores = made.evaluate(X, Y, WEIGHT)
    found = {name: row[f"validation_{name}"] for name in scores}
    assert found == pytest.approx(scores, rel=1e-12)
    both = made.fit(X, Y, WEIGHT, epochs=1, validation=source, verbose=0).rows[-1]
    assert both["validation_loss"] == pytest.approx(made.evaluate(X, Y, WEIGHT)["loss"], rel=1e-12)


def test_metrics_during_training_are_means_over_the_windows(monkeypatch):
    small_windows(monkeypatch, 20, BYTES + 4)
    seen: list[tuple[float, float]] = []

    def mean_target(y: np.ndarray, z: np.ndarray, weight: np.ndarray) -> float:
        seen.append((float(np.average(y, weights=weight)), float(weight.sum(dtype=np.float64))))
        return seen[-1][0]

    made = trainer(metrics=[mean_target])
    made.fit(Rows(X, Y, WEIGHT), epochs=1, verbose=0)
    assert len(seen) > 1
    assert made.history["mean_target"] == [pytest.approx(np.average(Y, weights=WEIGHT), rel=1e-6)]


def test_the_optimizer_sees_one_training_of_all_steps(monkeypatch):
    small_windows(monkeypatch, 20, BYTES)
    asked: list[tuple[int, int]] = []

    def rate(step: int, total: int) -> float:
        asked.append((step, total))
        return 0.01

    made = trainer()
    made.optimizer = cr.SGD(rate, momentum=0.9)
    made.fit(Rows(X, Y), epochs=3, verbose=0)
    assert sorted(set(asked)) == [(step, 12) for step in range(12)]


def test_a_replaced_loss_counts_from_the_next_step_in_the_middle_of_a_window(monkeypatch):
    small_windows(monkeypatch, 33, BYTES)

    class Replace(cr.Callback):
        def on_batch_end(self, trainer: Any, loss: float) -> None:
            if trainer.step == 1:
                trainer.loss = cr.CrossEntropy(label_smoothing=0.9)

    one = trainer(callbacks=[Replace()])
    one.fit(Rows(X, Y), epochs=2, verbose=0)
    other = trainer()
    other.fit(Rows(X, Y), epochs=2, verbose=0)
    assert not np.array_equal(one.model.parameters.vector, other.model.parameters.vector)


def test_a_shorter_batch_size_cuts_the_next_epoch(monkeypatch):
    small_windows(monkeypatch, 33, BYTES)

    class Halve(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            trainer.batch_size = 8

    made = trainer(callbacks=[Halve()])
    made.fit(Rows(X, Y), epochs=2, verbose=0)
    assert made.step == 4 + 8


class Stop(cr.Callback):
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        if trainer.step == 2:
            raise self.error


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, RuntimeError, cr.callbacks.History])
def test_no_thread_outlives_the_fit(error, monkeypatch):
    small_windows(monkeypatch, 16, BYTES)
    source: Any = Rows(X, Y)
    if error is cr.callbacks.History:  # any class will do: reading fails
        source.lengths = source.lengths.copy()
        source.lengths[-1] += 10
    before = _thread._count()
    callbacks = [Stop(error)] if error in (KeyboardInterrupt, RuntimeError) else []
    made = trainer(callbacks=callbacks)
    try:
        made.fit(source, epochs=2, verbose=0)
        assert error in (None, KeyboardInterrupt)
    except (RuntimeError, ValueError):
        assert error not in (None, KeyboardInterrupt)
    assert _thread._count() == before


def test_each_window_of_a_sorted_source_holds_its_share_of_every_label():
    lengths, labels = np.full(3000, 4), np.arange(3000) // 300
    windows = Windows(lengths, size=128, drop_last=False, most_rows=1500)  # not a whole share of the groups
    for seed in range(5):
        for index in range(windows.count):
            pieces = windows.pieces(seed, index)
            rows = np.bincount([labels[group] for group, _, _ in pieces], minlength=10)
            assert 0.5 < rows.min() / rows.mean() <= rows.max() / rows.mean() < 1.5


@pytest.mark.parametrize("while_it_waits", [True, False])
def test_ctrl_c_need_not_wait_for_a_slow_disk(while_it_waits, monkeypatch):
    small_windows(monkeypatch, 16, BYTES)
    source = Rows(X, Y)
    reads, wait, waits = source.read, Ahead._wait, threading.Event()
    waited_for: list[Any] = []
    monkeypatch.setattr(Ahead, "_wait", lambda self: (waited_for.append(self._thread), wait(self)))

    def slow(*piece: int) -> Any:
        if threading.current_thread() is not threading.main_thread() and len(source.reads) > 6:
            while while_it_waits and not any(thread and thread.is_alive() for thread in waited_for):
                time.sleep(0.001)
            os.kill(os.getpid(), 2)  # SIGINT arrives in the main thread
            waits.wait(60)
            finished.append(True)
        return reads(*piece)

    source.read = slow  # type: ignore[method-assign]

    class Release(cr.Callback):
        def on_train_end(self, trainer: Any) -> None:
            ended.append(waits.is_set())

    ended: list[bool] = []
    finished: list[bool] = []
    monkeypatch.setattr(Ahead, "end", _releasing(waits))
    history = trainer(callbacks=[Release()]).fit(source, epochs=1, verbose=0)
    assert history.interrupted
    assert ended == finished == [True]  # fit has waited for the thread


def _releasing(waits: threading.Event) -> Any:
    end = Ahead.end

    def released(self: Any) -> None:
        threading.Timer(0.2, waits.set).start()
        end(self)

    return released


def test_a_forked_child_goes_on_by_itself(monkeypatch):
    small_windows(monkeypatch, 16, BYTES)
    children: list[int] = []

    class Fork(cr.Callback):
        def on_batch_end(self, trainer: Any, loss: float) -> None:
            if trainer.step == 2:
                children.append(os.fork())

    made = trainer(callbacks=[Fork()])
    made.fit(Rows(X, Y), epochs=2, verbose=0)
    if children == [0]:
        os._exit(0 if made.step == 8 else 1)
    assert os.waitpid(children[0], 0)[1] == 0
