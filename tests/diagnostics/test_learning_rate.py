"""The range test finds rates with which training works, and changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(512, 4))
Y = X[:, :1] * X[:, 1:2]


def trainer(optimizer="adam", **arguments):
    return cr.Trainer(cr.MLP([4, 32, 1], rng=0), "squared_error", optimizer, **arguments)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", cr.SGD(1.0, momentum=0.9), "lion", "muon"], ids=repr)
def test_training_at_the_suggested_rate_learns_and_at_a_hundredth_hardly(optimizer):
    found = cr.learning_rate_range_test(trainer(optimizer), X, Y)
    kind, options = type(trainer(optimizer).optimizer), {}
    if kind is cr.SGD:
        options["momentum"] = getattr(optimizer, "momentum", 0.0)
    losses = []
    for rate in (found.suggestion, found.suggestion / 100):
        history = trainer(kind(rate, **options)).fit(X, Y, epochs=5, verbose=0)
        losses.append(history["loss"][-1])
    assert losses[0] < 0.75 * losses[1]


def test_rates_rise_evenly_and_the_test_ends_when_the_loss_is_lost():
    found = cr.learning_rate_range_test(trainer("sgd"), X, Y, lowest=1e-5, highest=1e5, steps=300)
    ratios = found.rates[1:] / found.rates[:-1]
    np.testing.assert_allclose(ratios, 1e10 ** (1 / 299))
    assert found.rates[0] == 1e-5
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 300
    assert found.rates[-1] < 100


def test_the_first_losses_are_those_of_training_at_the_lowest_rate():
    found = cr.learning_rate_range_test(
        trainer(cr.SGD(1.0), batch_size=64), X, Y, lowest=1e-12, highest=1e-11, steps=16
    )
    history = trainer(cr.SGD(1e-12), batch_size=64).fit(X, Y, epochs=1, verbose=0)
    assert np.mean(found.losses[:8]) == pytest.approx(history["loss"][0], rel=1e-6)


def test_trainer_model_and_optimizer_stay_as_they_are():
    mine = trainer(cr.Adam(0.5))
    before, state = mine.model.parameters.vector.copy(), mine.rng.bit_generator.state
    cr.learning_rate_range_test(mine, X, Y, np.ones(512))
    np.testing.assert_array_equal(mine.model.parameters.vector, before)
    assert mine.optimizer.state == {}
    assert mine.optimizer.learning_rate == 0.5
    assert mine.rng.bit_generator.state == state


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(lowest=0.0), ValueError, "learning_rate_range_test expects lowest > 0"),
        (dict(lowest=1.0, highest=1.0), ValueError, "expects highest > 1"),
        (dict(steps=9), ValueError, "expects steps >= 10"),
        (dict(lowest=1e8, highest=1e30), ValueError, "at least 10 steps before divergence, .*; pass lowest < 1e.08"),
    ],
)
def test_bad_ranges_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        cr.learning_rate_range_test(trainer("sgd"), X, Y, **arguments)


def test_a_model_is_not_a_trainer():
    with pytest.raises(TypeError, match="expects a Trainer"):
        cr.learning_rate_range_test(trainer().model, X, Y)
