"""The dense layer: activation inside or behind, penalties, initial values, and what it refuses."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.activations import ACTIVATIONS


@pytest.fixture
def x(rng):
    return rng.standard_normal((7, 4))


def run(model, x, dy):
    """y, dx and the gradients."""
    y = model.forward(x, training=True).copy()
    return y, model.backward(dy, input_gradient=True).copy(), model.gradients.vector.copy()


@pytest.mark.parametrize("activation", [*ACTIVATIONS, cr.LeakyReLU(0.3), cr.ELU(0.5)], ids=str)
def test_an_activation_inside_is_the_layer_behind(activation, x, rng):
    layer = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    inside = cr.Sequential([cr.Linear(4, 3, activation=activation)], rng=0, dtype="float64")
    behind = cr.Sequential([cr.Linear(4, 3), layer], dtype="float64")
    behind.parameters.vector[:] = inside.parameters.vector
    dy = rng.standard_normal((7, 3))
    for a, b in zip(run(inside, x, dy), run(behind, x, dy), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


def test_without_bias_there_is_no_b(x):
    model = cr.Sequential([cr.Linear(4, 3, bias=False)], rng=0)
    assert list(model.parameters) == ["0.W"]
    assert not model.predict(np.zeros((1, 4))).any()
    model.backward(model.forward(x, training=True))


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.25), (0.5, 0.25)])
def test_the_penalty_is_on_the_weights_alone(l1, l2):
    """W = 1, −2, 0, 3: Σ|W| = 6 and ΣW² = 14, with derivatives sign W and 2W."""
    layer = cr.Linear(4, 1, l1=l1, l2=l2)
    model = cr.Sequential([layer], dtype="float64")
    layer.W[:, 0], layer.b[:] = (1, -2, 0, 3), 100
    assert model.penalty() == pytest.approx(6 * l1 + 14 * l2)
    model.forward(np.zeros((2, 4)), training=True)
    model.backward(np.zeros((2, 1)))
    np.testing.assert_allclose(layer.dW[:, 0], l1 * np.array([1, -1, 0, 1]) + l2 * np.array([2, -4, 0, 6]))
    assert layer.db[0] == 0


def test_penalties_of_several_layers_add_up():
    model = cr.MLP([3, 4, 2], l2=0.5, rng=0, dtype="float64")
    assert model.penalty() == pytest.approx(0.5 * sum(np.sum(model.parameters[name] ** 2) for name in ("0.W", "1.W")))


def test_a_penalty_in_float32_is_summed_in_float64():
    layer = cr.Linear(1, 1, l2=1.0)
    cr.Sequential([layer])
    layer.W[:] = 0.1
    assert layer.penalty() == pytest.approx(float(np.float32(0.1) ** 2), rel=1e-7)
    assert type(layer.penalty()) is float


def test_the_penalty_of_large_weights_is_that_of_each_number(rng):
    layer = cr.Linear(300, 200, l1=0.3, l2=0.5)
    model = cr.Sequential([layer], rng=0, dtype="float64")
    W = layer.W[:] = rng.standard_normal((300, 200))
    assert model.penalty() == pytest.approx(0.3 * np.abs(W).sum() + 0.5 * np.square(W).sum(), rel=1e-12)
    model.forward(np.zeros((1, 300)), training=True)
    model.backward(np.zeros((1, 200)))
    np.testing.assert_allclose(layer.dW, 0.3 * np.sign(W) + W, rtol=1e-14)


VARIANCE_OF_THE_RULE = {  # of 200 inputs and 300 outputs
    None: 2 / 500,  # Glorot
    "identity": 2 / 500,
    "tanh": 2 / 500,
    "sigmoid": 2 / 500,
    "hard_sigmoid": 2 / 500,
    "softmax": 2 / 500,
    "selu": 1 / 200,  # LeCun
    "relu": 2 / 200,  # He
    "gelu": 2 / 200,
    "leaky_relu": 2 / 200,
}


@pytest.mark.parametrize(("activation", "variance"), VARIANCE_OF_THE_RULE.items())
def test_the_first_weights_fit_the_activation(activation, variance):
    layer = cr.Linear(200, 300, activation=activation)
    cr.Sequential([layer], rng=0)
    assert layer.W.var(dtype=np.float64) == pytest.approx(variance, rel=0.05)
    assert layer.W.mean(dtype=np.float64) == pytest.approx(0, abs=0.002)
    assert not layer.b.any()


def test_an_activation_of_ones_own_names_its_rule_or_inherits_it():
    class Wide(cr.Tanh):
        pass

    class Ones(cr.ReLU):
        initializer = "ones"

    wide, ones = cr.Linear(200, 300, activation=Wide()), cr.Linear(2, 3, activation=Ones())
    cr.Sequential([wide], rng=0), cr.Sequential([ones], rng=0)
    assert wide.W.var(dtype=np.float64) == pytest.approx(2 / 500, rel=0.05)
    assert (ones.W == 1).all()


@pytest.mark.parametrize("initializer", ["ones", lambda shape, rng, dtype: np.ones(shape)])
def test_another_rule_may_be_named_or_given(initializer):
    layer = cr.Linear(2, 3, initializer=initializer, bias_initializer="ones")
    cr.Sequential([layer])
    assert (layer.W == 1).all()
    assert (layer.b == 1).all()


@pytest.mark.parametrize("shape", [(3,), (), (1, 3), (3, 2)])
def test_first_weights_of_another_shape_are_refused(shape):
    layer = cr.Linear(2, 3, initializer=lambda *_: np.ones(shape))
    with pytest.raises(ValueError, match=r"Linear\(2 → 3\) expects an initializer that gives W of shape \(2, 3\), got"):
        cr.Sequential([layer])


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(in_features=0), ValueError, "Linear expects in_features >= 1, got 0"),
        (dict(out_features=2.0), TypeError, "Linear expects out_features to be an integer, got 2.0"),
        (dict(l1=-1), ValueError, "Linear expects l1 >= 0, got -1"),
        (dict(l2="a"), TypeError, "Linear expects l2 to be a number, got 'a'"),
        (dict(activation="rleu"), ValueError, r"'rleu' \(did you mean 'relu'\?\)"),
        (dict(activation=cr.PReLU(2)), TypeError, r"an activation without parameters, got PReLU\(2\); put it after"),
        (dict(initializer="he"), ValueError, "the name of an initializer, got 'he'"),
        (dict(initializer=3), TypeError, "the name of an initializer or a callable, got 3"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        cr.Linear(**(dict(in_features=3, out_features=2) | arguments))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_warm_step_with_penalties_allocates_nothing_as_large_as_the_weights(dtype):
    model = cr.Sequential([cr.Linear(600, 400, l1=0.1, l2=0.1)], rng=0, dtype=dtype)
    x, dy = np.ones((4, 600), dtype), np.ones((4, 400), dtype)
    model.forward(x, training=True)
    model.backward(dy)
    tracemalloc.start()
    try:
        model.forward(x, training=True)
        model.backward(dy)
        assert tracemalloc.get_traced_memory()[1] < model.parameters["0.W"].nbytes / 4
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("layer", [cr.Linear, cr.BatchNorm], ids=["Linear", "BatchNorm"])
def test_a_layer_is_not_written_out_in_each_step(layer, x, monkeypatch):
    layer = layer(4, 3) if layer is cr.Linear else layer(4)
    model = cr.Sequential([layer])
    written = []
    monkeypatch.setattr(type(layer), "__repr__", lambda self: written.append(self) or "")
    model.forward(x)
    assert not written


def test_scale_begins_as_the_identity_and_multiplies_each_feature(x):
    layer = cr.Scale(4)
    model = cr.Sequential([layer], dtype="float64")
    np.testing.assert_array_equal(model.predict(x), x)
    layer.gain[:] = [1, 10, 0, -1]
    np.testing.assert_allclose(model.predict(x), x * [1, 10, 0, -1])


def test_rows_of_another_width_are_refused_with_a_remedy():
    model = cr.MLP([3, 2], rng=0)
    with pytest.raises(ValueError, match=r"got \(4, 5\); pass 3 columns, or make the layer for 5\."):
        model.predict(np.ones((4, 5)))
