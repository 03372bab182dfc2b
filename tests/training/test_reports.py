"""What a training reports: losses over rows and weights, validation, metrics, learning rates."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics
from training.small import net, regression

# ---- the loss of an epoch


@pytest.mark.parametrize("size", [7, 16, 39])
def test_an_epochs_loss_is_the_mean_over_rows_whatever_the_batches(numbers, size):
    """With a learning rate of 0 every batch meets the same model; the last batch is short."""
    trainer = regression(optimizer=cr.SGD(0), batch_size=size)
    history = trainer.fit(*numbers, epochs=1, verbose=0)
    assert history["loss"][0] == pytest.approx(trainer.evaluate(*numbers)["loss"], rel=1e-5)


def test_an_epochs_loss_is_the_weighted_mean_with_weights(numbers, rng):
    weight = rng.uniform(0, 3, 40)
    trainer = regression(optimizer=cr.SGD(0), batch_size=7)
    history = trainer.fit(*numbers, sample_weight=weight, epochs=1, verbose=0)
    assert history["loss"][0] == pytest.approx(trainer.evaluate(*numbers, sample_weight=weight)["loss"], rel=1e-5)


def test_a_weight_of_two_is_a_row_twice(numbers):
    x, y = numbers
    weight = np.where(np.arange(40) < 10, 2.0, 1.0)
    models = [net(dtype="float64") for _ in range(2)]
    weighted, doubled = (regression(model, batch_size=None) for model in models)
    histories = [
        weighted.fit(x, y, sample_weight=weight, epochs=5, verbose=0),
        doubled.fit(np.concatenate([x, x[:10]]), np.concatenate([y, y[:10]]), epochs=5, verbose=0),
    ]
    np.testing.assert_allclose(models[0].parameters.vector, models[1].parameters.vector, rtol=1e-12, atol=1e-14)
    assert histories[0]["loss"] == pytest.approx(histories[1]["loss"], rel=1e-12)


def test_rows_of_weight_zero_teach_nothing(numbers):
    x, y = numbers
    weight = (np.arange(40) < 20).astype(float)
    models = [net(dtype="float64") for _ in range(2)]
    regression(models[0], batch_size=None).fit(x, y, sample_weight=weight, epochs=3, verbose=0)
    regression(models[1], batch_size=None).fit(x[:20], y[:20], epochs=3, verbose=0)
    np.testing.assert_allclose(models[0].parameters.vector, models[1].parameters.vector, rtol=1e-12, atol=1e-14)


# ---- metrics


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_are_of_the_outputs_as_they_were_in_training(classes, weighted, rng):
    weight = rng.uniform(0.5, 2, 60) if weighted else None
    trainer = cr.Trainer(
        net(3), "cross_entropy", cr.SGD(0), batch_size=7, metrics=["accuracy", metrics.balanced_accuracy]
    )
    history = trainer.fit(*classes, sample_weight=weight, epochs=1, verbose=0)
    scores = trainer.evaluate(*classes, sample_weight=weight)
    assert history["accuracy"][0] == pytest.approx(scores["accuracy"])
    assert history["balanced_accuracy"][0] == pytest.approx(scores["balanced_accuracy"])


def test_custom_metrics_have_their_names_as_columns(numbers):
    def largest_error(y, z, weight=None):
        return np.abs(z - y).max()

    class Bias:
        def __call__(self, y, z, weight=None):
            return np.mean(z - y)

    history = regression(metrics=[largest_error, Bias()]).fit(*numbers, validation=0.1, epochs=1, verbose=0)
    assert {"largest_error", "Bias", "validation_largest_error", "validation_Bias"} <= set(history.columns)


def test_the_record_has_these_columns_in_numbers_that_json_can_hold(classes):
    def spread(y, z, weight=None):
        return z.std()  # a float32, which JSON knows nothing of

    def loss(z, y, weight=None):
        value, dz = cr.CrossEntropy()(z, y, weight)
        return np.float32(value), dz

    trainer = cr.Trainer(net(3), loss, metrics=["accuracy", spread])
    history = trainer.fit(*classes, validation=0.2, epochs=3, verbose=0)
    held_out = ["validation_loss", "validation_accuracy", "validation_spread"]
    assert history.columns == ["loss", "accuracy", "spread", "learning_rate", "seconds", *held_out]
    assert json.loads(history.to_json()) == {"interrupted": False, "rows": history.rows}
    assert all(len(history[name]) == 3 for name in history.columns)
    assert all(seconds > 0 for seconds in history["seconds"])


def test_evaluation_uses_neither_dropout_nor_batch_statistics(numbers):
    model = cr.Sequential([cr.Linear(3, 8), cr.BatchNorm(8), cr.Dropout(0.5), cr.Linear(8, 2)], rng=0)
    trainer = regression(model)
    x, y = numbers
    first, parameters = trainer.evaluate(x, y), model.parameters.vector.copy()
    assert trainer.evaluate(x, y) == first
    assert trainer.evaluate(x[:1], y[:1])["loss"] == pytest.approx(
        np.sum((model.predict(x[:1]) - y[:1]) ** 2), rel=1e-6
    )
    np.testing.assert_array_equal(model.parameters.vector, parameters)
    assert not model.buffers["1.running_mean"].any()


@pytest.mark.parametrize(
    ("activation", "loss"), [(None, cr.BinaryCrossEntropy()), ("sigmoid", cr.BinaryCrossEntropy(from_logits=False))]
)
@pytest.mark.parametrize("metric", ["accuracy", "binary_accuracy"])
def test_accuracy_of_one_output_cuts_logits_at_0_and_probabilities_at_a_half(activation, loss, metric, rng):
    x = rng.standard_normal((200, 1))
    model = cr.MLP([1, 1], output_activation=activation, rng=0)
    model.parameters.vector[:] = 5.0, 0.0
    scores = cr.Trainer(model, loss, metrics=[metric]).evaluate(x, (x > 0).astype(int))
    assert scores[metric] == 1.0


# ---- learning rates


def test_the_learning_rate_of_each_epoch_is_recorded(numbers):
    schedule = cr.schedules.WarmupCosine(0.1, warmup=0.5)
    history = regression(optimizer=cr.SGD(schedule), batch_size=10).fit(*numbers, epochs=4, verbose=0)
    assert history["learning_rate"] == [schedule(4 * epoch, 16) for epoch in range(4)]


def test_a_second_fit_continues_in_its_schedule(numbers):
    schedule = cr.schedules.WarmupCosine(0.1, warmup=0.5)
    trainer = regression(optimizer=cr.SGD(schedule), batch_size=10)
    trainer.fit(*numbers, epochs=2, verbose=0)
    assert trainer.optimizer.total_steps == 8
    assert trainer.fit(*numbers, epochs=2, verbose=0)["learning_rate"] == [schedule(8, 16), schedule(12, 16)]


@pytest.mark.parametrize("held_out", [False, True])
def test_a_plateau_of_the_loss_reduces_the_rate(held_out):
    """A constant loss never improves; where there is validation, it is the one that is watched."""
    falling = iter(range(100, 0, -1))

    def loss(z, y, weight=None):
        watched = len(y) == (5 if held_out else 20)
        return (1.0 if watched else float(next(falling))), np.zeros_like(z)

    x, y = np.ones((20, 3)), np.ones((20, 2))
    optimizer = cr.SGD(cr.schedules.ReduceOnPlateau(1.0, factor=0.5, patience=0))
    validation = (x[:5], y[:5]) if held_out else None
    history = cr.Trainer(net(), loss, optimizer, batch_size=None).fit(x, y, validation=validation, epochs=4, verbose=0)
    assert history["learning_rate"] == [1.0, 1.0, 0.5, 0.25]
