"""When training ends: after epochs without improvement (EarlyStopping), or in time (TimeLimit)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import chainrule as cr
from clocks import set_clock


class Scripted(cr.Callback):
    """Lets a column of the record be what the test says, and the weights tell their epoch."""

    def __init__(self, values, name="validation_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, trainer, row):
        row[self.name] = self.values[trainer.epoch - 1]
        trainer.model.parameters.vector[:] = trainer.epoch


def stopped(values, name="validation_loss", **arguments):
    stopping = cr.callbacks.EarlyStopping(name, **arguments)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[Scripted(values, name), stopping])
    history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=len(values), verbose=0)
    return len(history), float(trainer.model.parameters.vector[0]), stopping


@pytest.mark.parametrize(
    ("values", "arguments", "epochs", "best"),
    [
        ([3, 2, 1, 2, 3, 4], dict(patience=2), 5, 3),
        ([3, 2, 1, 1, 1, 0], dict(patience=2), 5, 5),  # as good is no improvement, and the last of them is restored
        ([3, 2, 1, 2, 0.5, 1, 1, 1], dict(patience=2), 7, 5),
        ([3, 2.9, 2.8, 2.7, 2.6, 0], dict(patience=2, min_delta=0.15), 6, 6),  # two of these are one improvement
        ([3, 2.99, 2.98, 1], dict(patience=2, min_delta=0.5), 3, 3),
        ([1, 2, 3, 2, 1, 9], dict(patience=2, higher_is_better=True), 5, 3),
        ([3, 2, 1, 2, 3, 4], dict(patience=2, restore_best=False), 5, 5),
        ([3, 2, 1], dict(), 3, 3),
    ],
)
def test_training_ends_after_so_many_epochs_without_improvement(values, arguments, epochs, best):
    taken, weights, stopping = stopped(values, **arguments)
    assert (taken, weights) == (epochs, best)
    if arguments.get("restore_best", True):
        assert stopping.best_epoch == best
        assert stopping.best == values[best - 1]


@pytest.mark.parametrize(
    ("name", "higher"), [("validation_accuracy", True), ("loss", False), ("validation_mean_absolute_error", False)]
)
def test_whether_higher_is_better_follows_from_the_name(name, higher):
    assert stopped([1, 2, 3] if higher else [3, 2, 1], name, patience=1)[0] == 3
    assert stopped([3, 2, 1] if higher else [1, 2, 3], name, patience=1)[0] == 2


def test_running_statistics_return_with_the_weights():
    x = np.random.default_rng(0).normal(size=(64, 3))
    model = cr.Sequential([cr.Linear(3, 4), cr.BatchNorm(4), cr.Linear(4, 1)], rng=0)
    stopping = cr.callbacks.EarlyStopping(patience=1)
    seen = []

    class Look(cr.Callback):
        def on_epoch_end(self, trainer, row):
            seen.append(model.buffers["1.running_mean"].copy())
            row["validation_loss"] = len(seen)

    cr.Trainer(model, "squared_error", callbacks=[Look(), stopping]).fit(x, x[:, :1], epochs=5, verbose=0)
    assert len(seen) == 2
    np.testing.assert_array_equal(model.buffers["1.running_mean"], seen[0])
    assert (seen[0] != seen[1]).all()


def test_a_second_fit_starts_counting_again():
    stopping = cr.callbacks.EarlyStopping(patience=1)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[Scripted([1, 2, 3]), stopping])
    for _ in range(2):
        assert len(trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=3, verbose=0)) == 2


def test_a_missing_column_is_named():
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[cr.callbacks.EarlyStopping("accuracy")])
    with pytest.raises(ValueError, match=r"EarlyStopping expects the name of a column, got 'accuracy'.*loss"):
        trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=3, verbose=0)


def test_any_number_is_better_than_nan():
    stopping = cr.callbacks.EarlyStopping("loss", patience=2)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error")
    for trainer.epoch, value in enumerate([np.nan, 3.0, np.nan, np.nan], start=1):
        stopping.on_epoch_end(trainer, {"loss": value})
    assert (stopping.best, stopping.best_epoch, trainer.stop) == (3.0, 2, True)


# ---- TimeLimit


@pytest.mark.parametrize("metrics", [[], ["r2_score"]])
@pytest.mark.parametrize("batch_size", [2, 64])
def test_a_time_limit_ends_the_training_in_an_epoch_and_keeps_what_was_learned(batch_size, metrics, monkeypatch):
    learned = []

    class Watch(cr.Callback):
        def on_pause(self, trainer):
            learned.append(trainer.model.parameters.vector.copy())

    now = itertools.count()  # a second passes from look to look
    set_clock(monkeypatch, lambda: next(now), "monotonic")
    x = np.random.default_rng(0).normal(size=(1_000_000, 3))
    model = cr.MLP([3, 64, 1], rng=0)
    before = model.parameters.vector.copy()
    callbacks = [Watch(), cr.callbacks.TimeLimit(0.5)]
    trainer = cr.Trainer(model, "squared_error", batch_size=batch_size, metrics=metrics, callbacks=callbacks)
    history = trainer.fit(x, x[:, :1], epochs=10**6, verbose=0)
    assert history.interrupted
    assert next(now) == 2  # it looked at the start, and at the first pause, which came too late
    assert len(history) == 0
    assert 0 < trainer.step < trainer.steps_per_epoch
    assert (learned[-1] != before).any()
    np.testing.assert_array_equal(model.parameters.vector, learned[-1])


def test_a_time_limit_lets_a_training_end_that_is_in_time(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 7.0)
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[cr.callbacks.TimeLimit(1e-9)])
    history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=5, verbose=0)
    assert (len(history), history.interrupted) == (5, False)


@pytest.mark.parametrize("patience", [1, 2, 7])
def test_the_last_epoch_is_the_same_if_nobody_watches_each(patience):
    def weights_and_losses(*others):
        stopping = cr.callbacks.EarlyStopping("loss", patience, min_delta=0.01, restore_best=False)
        trainer = cr.Trainer(cr.MLP([1, 4, 1], rng=0), "squared_error", cr.SGD(0.1), callbacks=[stopping, *others])
        history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=500, verbose=0)
        return trainer.model.parameters.vector.tolist(), history["loss"], history.reason

    alone = weights_and_losses()
    assert alone == weights_and_losses(cr.Callback())
    assert patience < len(alone[1]) < 500
