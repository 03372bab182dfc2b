"""Rows held out are scored after each epoch and never learned from."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics
from training.small import net, regression


@pytest.mark.parametrize("weighted", [False, True])
def test_validation_data_are_scored_after_each_epoch(classes, weighted, rng):
    x, y = classes
    weight = rng.uniform(0.5, 2, 20) if weighted else None
    trainer = cr.Trainer(net(3), "cross_entropy", metrics=["accuracy"])
    held_out = (x[40:], y[40:], weight) if weighted else (x[40:], y[40:])
    history = trainer.fit(x[:40], y[:40], validation=held_out, epochs=2, verbose=0)
    scores = trainer.evaluate(*held_out)
    assert history["validation_loss"][-1] == scores["loss"]
    assert history["validation_accuracy"][-1] == scores["accuracy"]
    assert scores["accuracy"] == pytest.approx(metrics.accuracy(y[40:], trainer.model.predict(x[40:]), weight))


@pytest.mark.parametrize("batch_size", [8, None])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_held_out_by_number_are_scored_and_not_learned_from(numbers, weighted, batch_size, rng):
    x, y = numbers
    weight = rng.uniform(0.5, 2, len(x)) if weighted else None
    aside = np.array([3, 0, 17])
    kept = np.setdiff1d(np.arange(len(x)), aside)
    parts = [[None if array is None else array[rows] for array in (x, y, weight)] for rows in (kept, aside)]
    by_number, copied = (regression(rng=0, batch_size=batch_size, metrics=["r2_score"]) for _ in range(2))
    history = by_number.fit(x, y, weight, validation=aside, epochs=3, verbose=0)
    expected = copied.fit(*parts[0], validation=tuple(parts[1]), epochs=3, verbose=0)
    np.testing.assert_array_equal(by_number.model.parameters.vector, copied.model.parameters.vector)
    for column in set(history.columns) - {"seconds"}:
        assert history[column] == expected[column], column


def test_validation_data_are_not_learned_from(numbers):
    x, y = numbers
    with_them, without = regression(rng=0), regression(rng=0)
    with_them.fit(x[:30], y[:30], validation=(x[30:], y[30:]), epochs=3, verbose=0)
    without.fit(x[:30], y[:30], epochs=3, verbose=0)
    np.testing.assert_array_equal(with_them.model.parameters.vector, without.model.parameters.vector)


class Recorder:
    """A loss that notes which rows it saw: x's first column is the row's number."""

    def __init__(self):
        self.trained, self.scored = [], []

    def __call__(self, z, y, weight=None):
        seen = self.scored if len(y) == 10 else self.trained
        seen.extend(y[:, 0].astype(int))
        return 0.0, np.zeros_like(z)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_fraction_is_set_aside_once_for_all_epochs(weighted):
    x, y = np.ones((50, 3)), np.arange(50.0)[:, None]
    loss = Recorder()
    weight = np.ones(50) if weighted else None
    cr.Trainer(net(1), loss, cr.SGD(0), batch_size=8).fit(x, y, weight, validation=0.2, epochs=3, verbose=0)
    assert len(set(loss.scored)) == 10
    assert len(set(loss.trained)) == 40
    assert sorted(set(loss.scored) | set(loss.trained)) == list(range(50))


@pytest.mark.parametrize("nothing", [None, 0, 0.0])
def test_no_validation(numbers, nothing):
    history = regression().fit(*numbers, validation=nothing, epochs=1, verbose=0)
    assert "validation_loss" not in history


def test_labels_written_as_floats_are_stratified_too(rng):
    y, seen = np.repeat([0.0, 1.0], [90, 10]), []

    def metric(y, z, weight=None):
        seen.append(int(y.sum()))
        return 0.0

    trainer = cr.Trainer(net(), "cross_entropy", metrics=[metric])
    trainer.fit(rng.standard_normal((100, 3)), y, validation=0.1, epochs=1, verbose=0)
    assert seen == [9, 1]


def test_a_fraction_of_labels_keeps_their_shares():
    y = np.repeat([0, 1], [80, 20])
    seen = []

    def loss(z, y, weight=None):
        seen.append(y)
        return 0.0, np.zeros_like(z)

    cr.Trainer(net(2), loss, cr.SGD(0), batch_size=None).fit(np.ones((100, 3)), y, validation=0.1, epochs=1, verbose=0)
    assert [np.bincount(labels).tolist() for labels in seen] == [[72, 18], [8, 2]]
