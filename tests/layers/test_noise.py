"""Noise in training, none in prediction, and the same noise from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

NOISE = pytest.mark.parametrize("layer", [cr.Dropout(0.4), cr.GaussianNoise(0.5)], ids=repr)


@NOISE
def test_prediction_is_the_identity(layer, rng):
    x = rng.standard_normal((20, 5))
    model = cr.Sequential([layer], rng=0, dtype="float64")
    np.testing.assert_array_equal(model.predict(x), x)
    np.testing.assert_array_equal(model.forward(x), x)


@NOISE
def test_training_keeps_the_mean(layer):
    y = cr.Sequential([layer], rng=0).forward(np.ones((500, 100)), training=True)
    assert y.mean(dtype=np.float64) == pytest.approx(1, abs=0.02)
    assert y.std() > 0.4


@NOISE
def test_a_seed_gives_the_same_noise_and_each_step_a_new_one(layer):
    x = np.ones((20, 5))
    first, twin = (cr.Sequential([layer], rng=3) for _ in range(2))
    once = first.forward(x, training=True).copy()
    np.testing.assert_array_equal(twin.forward(x, training=True), once)
    assert (first.forward(x, training=True) != once).any()


@pytest.mark.parametrize("layer", [cr.Dropout(0), cr.GaussianNoise(0)], ids=repr)
def test_no_noise_is_the_identity_in_training_too(layer, rng):
    x, dy = rng.standard_normal((2, 6, 3))
    model = cr.Sequential([layer], dtype="float64")
    np.testing.assert_array_equal(model.forward(x, training=True), x)
    np.testing.assert_array_equal(model.backward(dy, input_gradient=True), dy)


def test_dropouts_gradient_goes_where_the_numbers_went():
    model = cr.Sequential([cr.Dropout(0.5)], rng=0)
    y = model.forward(np.ones((20, 5)), training=True)
    np.testing.assert_array_equal(model.backward(np.ones((20, 5)), input_gradient=True), y)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: cr.Dropout(1), "Dropout expects rate >= 0 and < 1, got 1"),
        (lambda: cr.Dropout(-0.1), "Dropout expects rate"),
        (lambda: cr.GaussianNoise(-1), "GaussianNoise expects sigma >= 0, got -1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
