"""Each activation layer is its op, with its parameters, in both directions."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.layers import Workspace
from chainrule.layers.activations import ACTIVATIONS, get_activation

LAYERS = {
    "elu": (cr.ELU(0.5), dict(alpha=0.5)),
    "gelu": (cr.GELU(), {}),
    "gelu_tanh": (cr.GELU("tanh"), {}),
    "hard_sigmoid": (cr.HardSigmoid(), {}),
    "identity": (cr.Identity(), {}),
    "leaky_relu": (cr.LeakyReLU(0.2), dict(slope=0.2)),
    "mish": (cr.Mish(), {}),
    "relu": (cr.ReLU(), {}),
    "selu": (cr.SELU(), {}),
    "sigmoid": (cr.Sigmoid(), {}),
    "silu": (cr.SiLU(), {}),
    "softmax": (cr.Softmax(), {}),
    "softplus": (cr.Softplus(), {}),
    "tanh": (cr.Tanh(), {}),
}


def test_every_named_activation_is_in_the_table():
    assert set(LAYERS) == set(ACTIVATIONS)
    assert {name: type(layer) for name, (layer, _) in LAYERS.items()} == {n: type(a) for n, a in ACTIVATIONS.items()}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_its_op(name, rng):
    (layer, parameters), (x, dy) = LAYERS[name], rng.standard_normal((2, 5, 4))
    model = cr.Sequential([layer], dtype="float64")
    y = getattr(ops, name)(x, **parameters)
    np.testing.assert_array_equal(model.forward(x, training=True), y)
    backward = getattr(ops, name + "_backward")
    signature = inspect.signature(backward).parameters
    known = {"x": x, "y": y, **parameters}
    expected = backward(dy, **{key: value for key, value in known.items() if key in signature})
    np.testing.assert_array_equal(model.backward(dy, input_gradient=True), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_does_not_keep_its_input_may_write_over_it(name, rng):
    """What Linear relies on: y in the place of x changes nothing where ``keeps_input`` is false."""
    (layer, _), (x, dy) = LAYERS[name], rng.standard_normal((2, 5, 4))
    y = layer.apply(x, out=np.empty_like(x))
    dx = layer.pull_back(dy, x, y, out=np.empty_like(x))
    z = x.copy()
    over = layer.apply(z, out=z)
    again = layer.pull_back(dy, x if layer.keeps_input else z, over, out=np.empty_like(x))
    np.testing.assert_array_equal(over, y)
    np.testing.assert_array_equal(again, dx)


@pytest.mark.parametrize("shape", [(700, 100), (3, 30_000), (50, 20, 30), (0, 30_000)])
@pytest.mark.parametrize("name", LAYERS)
def test_of_a_large_batch_each_row_is_as_it_is_alone(name, shape, rng):
    """Blocks of rows end where they like: between rows, though, for a softmax needs the whole of its row."""
    (layer, _), x, dy = LAYERS[name], rng.standard_normal(shape), rng.standard_normal(shape)
    work = Workspace(True, rng)
    y = layer.apply(x, out=np.empty_like(x))
    np.testing.assert_allclose(layer.forward(x, work), y, rtol=1e-12)
    dx = layer.pull_back(dy, x, y, out=np.empty_like(x))
    np.testing.assert_allclose(layer.backward(dy, work), dx, rtol=1e-12, atol=1e-15)


class Doubling(cr.Activation):
    """It writes into no array that it is given, as it should, but makes its own."""

    def apply(self, x, out):
        return 2 * x

    def pull_back(self, dy, x, y, out):
        return 2 * dy


@pytest.mark.parametrize("temporaries", [False, True])
@pytest.mark.parametrize("rows", [3, 3000])
def test_an_activation_that_returns_another_array_than_out_works_all_the_same(rows, temporaries, rng, monkeypatch):
    monkeypatch.setattr(Doubling, "temporaries", temporaries)
    x, dy = rng.standard_normal((2, rows, 30))
    model = cr.Sequential([cr.Linear(30, 30, Doubling(), initializer=lambda shape, rng, dtype: np.eye(30))], rng=0)
    model = model.astype("float64")
    np.testing.assert_allclose(model.forward(x, training=True), 2 * x)
    np.testing.assert_allclose(model.backward(dy, input_gradient=True), 2 * dy)


@pytest.mark.parametrize("rows", [1, 100, 3000])
def test_the_slopes_of_prelu_learn_from_every_row(rows, rng):
    x, dy = rng.standard_normal((2, rows, 30))
    model = cr.Sequential([cr.PReLU(30)], dtype="float64")
    y = model.forward(x, training=True)
    np.testing.assert_array_equal(y, np.where(x > 0, x, 0.25 * x))
    dx = model.backward(dy, input_gradient=True)
    np.testing.assert_array_equal(dx, np.where(x > 0, dy, 0.25 * dy))
    np.testing.assert_allclose(model.gradients["0.slope"], np.where(x > 0, 0, x * dy).sum(axis=0), rtol=1e-12)


def test_prelu_begins_with_its_start_and_learns_each_slope():
    layer = cr.PReLU(2, start=0.5)
    model = cr.Sequential([layer], dtype="float64")
    np.testing.assert_array_equal(
        model.forward(np.array([[-2.0, 4.0], [-1.0, -3.0]]), training=True), [[-1, 4], [-0.5, -1.5]]
    )
    model.backward(np.ones((2, 2)))
    np.testing.assert_array_equal(layer.dslope, [-3, -3])


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: cr.LeakyReLU(-0.1), ValueError, "LeakyReLU expects slope >= 0 and <= 1, got -0.1"),
        (lambda: cr.LeakyReLU(2), ValueError, "LeakyReLU expects slope"),
        (lambda: cr.ELU(0), ValueError, "ELU expects alpha > 0, got 0"),
        (lambda: cr.GELU("tahn"), ValueError, r"GELU expects the name of an approximation.*did you mean 'tanh'"),
        (lambda: cr.PReLU(0), ValueError, "PReLU expects features >= 1"),
        (lambda: cr.PReLU(2, start="a"), TypeError, "PReLU expects start to be a number"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_an_activation_and_none_stand_for_themselves():
    layer = cr.LeakyReLU(0.2)
    assert get_activation("f", layer) is layer
    assert get_activation("f", None) is None


class Bump(cr.Activation):
    """exp(−x²): an activation of one's own."""

    keeps_input = True

    def apply(self, x, out):
        return np.exp(-x * x, out=out)

    def pull_back(self, dy, x, y, out):
        return np.multiply(-2 * x * y, dy, out=out)


@pytest.mark.parametrize(
    "layers", [[cr.Linear(3, 4, activation=Bump())], [cr.Linear(3, 4), Bump()]], ids=["in", "behind"]
)
def test_an_activation_of_ones_own_goes_inside_and_behind(layers, rng):
    model = cr.Sequential([*layers, cr.Linear(4, 2)], rng=0)
    assert cr.gradcheck(model, rng.standard_normal((5, 3)), rng.standard_normal((5, 2)), "squared_error").passed
