"""Flatten and Residual."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize("shape", [(5, 4), (5, 2, 3), (5, 2, 3, 4), (0, 2, 3), (5,)])
def test_flatten_makes_rows_and_its_gradient_takes_them_apart(shape, rng):
    x = rng.standard_normal(shape)
    model = cr.Sequential([cr.Flatten()], dtype="float64")
    y = model.forward(x, training=True)
    np.testing.assert_array_equal(y, x.reshape(shape[0], int(np.prod(shape[1:]))))
    np.testing.assert_array_equal(model.backward(y, input_gradient=True), x)


def test_flatten_takes_images_in_any_layout(rng):
    x = rng.standard_normal((3, 4, 5)).transpose(2, 0, 1)
    np.testing.assert_array_equal(cr.Sequential([cr.Flatten()], dtype="float64").predict(x), x.reshape(5, 12))


def test_flatten_tells_its_width_where_it_knows_the_shape():
    assert cr.Flatten().output_shape((28, 28)) == (784,)
    assert cr.Flatten().output_shape(None) is None


def test_residual_adds_what_its_layers_compute(rng):
    x, dy = rng.standard_normal((2, 6, 4))
    inside = cr.Sequential([cr.Linear(4, 5, "tanh"), cr.Linear(5, 4)], rng=0, dtype="float64")
    around = cr.Sequential([cr.Residual([cr.Linear(4, 5, "tanh"), cr.Linear(5, 4)])], dtype="float64")
    around.parameters.vector[:] = inside.parameters.vector
    np.testing.assert_allclose(around.forward(x, training=True), x + inside.forward(x, training=True), rtol=1e-14)
    dx = around.backward(dy, input_gradient=True)
    np.testing.assert_allclose(dx, dy + inside.backward(dy, input_gradient=True), rtol=1e-14)
    np.testing.assert_array_equal(around.gradients.vector, inside.gradients.vector)


def test_residuals_may_stand_inside_each_other(rng):
    block = cr.Residual([cr.Linear(3, 3), cr.Residual([cr.Tanh(), cr.Linear(3, 3)])])
    model = cr.Sequential([cr.Linear(2, 3), block, cr.BatchNorm(3)], rng=0)
    assert list(model.parameters)[2:6] == ["1.0.W", "1.0.b", "1.1.1.W", "1.1.1.b"]
    assert cr.gradcheck(model, rng.standard_normal((5, 2)), rng.standard_normal((5, 3)), "squared_error").passed


def test_one_layer_need_not_be_a_list():
    assert repr(cr.Residual(cr.Linear(3, 3))) == "Residual([Linear(3 → 3)])"


@pytest.mark.parametrize("in_front", [[], [cr.Linear(2, 4)]], ids=["seen with a batch", "seen before"])
def test_layers_inside_a_residual_must_keep_the_width(in_front):
    says = r"expects its layers to keep rows of shape \(4,\), got \(5,\); end with a Linear as wide as the input"
    with pytest.raises(ValueError, match=says):
        cr.Sequential([*in_front, cr.Residual([cr.Linear(4, 5)])]).predict(np.ones((3, 4)))


@pytest.mark.parametrize(
    ("layers", "error", "says"),
    [
        ([], ValueError, "Residual expects at least one layer, got an empty list"),
        (["relu"], TypeError, r"Residual expects a list of layers, got 'relu' at position 0; write \[Linear"),
        ([cr.ReLU], TypeError, "Residual expects a list of layers, got <class"),
    ],
)
def test_what_is_no_layer_is_refused(layers, error, says):
    with pytest.raises(error, match=says):
        cr.Residual(layers)
