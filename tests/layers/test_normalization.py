"""Normalisation layers: statistics of the batch, of the row, and running ones (against PyTorch: pytorch/)."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


@pytest.fixture
def x(rng):
    return rng.normal(3, 2, size=(50, 4))


@pytest.mark.parametrize(("layer", "axis"), [(cr.BatchNorm(4, epsilon=1e-12), 0), (cr.LayerNorm(4, epsilon=1e-12), 1)])
def test_training_standardises_then_gain_and_bias_choose_again(layer, axis, x):
    model = cr.Sequential([layer], dtype="float64")
    y = model.forward(x, training=True)
    np.testing.assert_allclose(y.mean(axis=axis), 0, atol=1e-13)
    np.testing.assert_allclose(y.var(axis=axis), 1, rtol=1e-9)
    standard = y.copy()
    layer.gain[:], layer.bias[:] = (1, 2, 3, 0), (0, 0, 1, 5)
    np.testing.assert_allclose(model.forward(x, training=True), standard * layer.gain + layer.bias, rtol=1e-13)


def test_a_row_is_normalised_alike_in_training_and_prediction(x):
    model = cr.Sequential([cr.LayerNorm(4)], dtype="float64")
    np.testing.assert_array_equal(model.predict(x), model.forward(x, training=True))
    np.testing.assert_allclose(model.predict(x[:1]), model.predict(x)[:1], rtol=1e-14)


def test_the_running_statistics_approach_those_of_the_data(x):
    layer = cr.BatchNorm(4)
    model = cr.Sequential([layer], dtype="float64")
    for _ in range(200):
        model.forward(x, training=True)
    np.testing.assert_allclose(layer.running_mean, x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.running_variance, x.var(axis=0, ddof=1), rtol=1e-6)
    np.testing.assert_allclose(model.predict(x).mean(axis=0), 0, atol=1e-6)


def test_a_momentum_of_one_takes_the_last_batch(x):
    layer = cr.BatchNorm(4, momentum=1)
    cr.Sequential([layer]).forward(x, training=True)
    np.testing.assert_allclose(layer.running_variance, x.var(axis=0, ddof=1), rtol=1e-5)


def test_prediction_uses_the_running_statistics_and_leaves_them(x):
    layer = cr.BatchNorm(4, epsilon=1e-12)
    model = cr.Sequential([layer], dtype="float64")
    layer.running_mean[:], layer.running_variance[:] = 3, 4
    np.testing.assert_allclose(model.predict(x), (x - 3) / 2, rtol=1e-12)
    np.testing.assert_allclose(model.predict(x[:1]), (x[:1] - 3) / 2, rtol=1e-12)
    assert (layer.running_mean == 3).all()
    assert (layer.running_variance == 4).all()


def test_the_running_statistics_are_buffers_and_not_parameters():
    model = cr.Sequential([cr.Linear(2, 4), cr.Residual([cr.BatchNorm(4)])], rng=0)
    assert list(model.buffers) == ["1.0.running_mean", "1.0.running_variance"]
    assert list(model.parameters)[2:] == ["1.0.gain", "1.0.bias"]
    model.buffers["1.0.running_mean"][:] = 7
    assert (model.layers[1].layers[0].running_mean == 7).all()


def test_a_new_model_begins_with_new_statistics(x):
    layer = cr.BatchNorm(4)
    cr.Sequential([layer]).forward(x, training=True)
    layer.initialize(np.random.default_rng(0))
    assert not layer.running_mean.any()
    assert (layer.running_variance == 1).all()


@pytest.mark.parametrize("rows", [0, 1])
def test_one_row_has_no_variance_to_train_with(rows):
    model = cr.Sequential([cr.BatchNorm(4)])
    says = rf"BatchNorm\(4\) expects at least two rows in training, got {rows}; drop the last short batch \(drop_last"
    with pytest.raises(ValueError, match=says):
        model.forward(np.ones((rows, 4)), training=True)
    assert np.isfinite(model.buffers["0.running_variance"]).all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: cr.BatchNorm(0), "BatchNorm expects features >= 1"),
        (lambda: cr.BatchNorm(3, momentum=0), "BatchNorm expects momentum > 0 and <= 1, got 0"),
        (lambda: cr.BatchNorm(3, epsilon=0), "BatchNorm expects epsilon > 0"),
        (lambda: cr.LayerNorm(3, epsilon=-1), "LayerNorm expects epsilon > 0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
