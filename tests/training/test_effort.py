"""How many calls of functions a short training takes: the arithmetic of a small network is less than that."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.fused import compiled
from effort import calls

pytestmark = pytest.mark.skipif(compiled is None, reason="there are no compiled kernels")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(320, 4)), RNG.integers(0, 3, 320)


@pytest.fixture(autouse=True)
def _clock_stands_still(monkeypatch):
    """How many epochs run together depends on how long they take."""
    monkeypatch.setattr("time.perf_counter", lambda: 1.0)


def fit(epochs, *callbacks, validation=None, sample="all"):
    model = cr.MLP([4, 8, 3], rng=0)
    settings = {"batch_size": 32, "callbacks": callbacks, "sample": sample}
    cr.Trainer(model, "cross_entropy", "adam", **settings).fit(X, Y, validation=validation, epochs=epochs, verbose=0)


def calls_of_an_epoch(make, **settings):
    fit(2, *make(), **settings)
    few, many = (calls(lambda epochs=epochs: fit(epochs, *make(), **settings)) for epochs in (20, 60))
    return (many - few) / 40


def test_one_epoch_of_a_small_network():
    fit(1)
    assert calls(lambda: fit(1)) < 2400


def test_an_epoch_that_nobody_watches_costs_little_whatever_its_order():
    assert calls_of_an_epoch(list, sample=np.arange) < 120
    assert calls_of_an_epoch(lambda: [cr.callbacks.EarlyStopping("loss", 1000, restore_best=False)]) < 120


def test_the_average_of_the_weights_costs_a_few_calls_a_step():
    alone = calls_of_an_epoch(lambda: [cr.Callback()])
    averaged = calls_of_an_epoch(lambda: [cr.callbacks.WeightAverage(0.9)])
    assert averaged < alone + 10 * 20


def test_the_validation_of_an_epoch():
    alone = calls_of_an_epoch(lambda: [cr.Callback()])
    stopping = calls_of_an_epoch(lambda: [cr.callbacks.EarlyStopping(patience=1000)], validation=0.2)
    assert stopping < alone + 200
