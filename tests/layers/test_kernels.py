"""The compiled prediction of a few rows gives what the layers give one by one."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.activations import ACTIVATIONS as BY_NAME
from chainrule.layers.kernels import dense_layers
from chainrule.layers.program import program_of, programs
from chainrule.ops.fused import compiled

needs_kernels = pytest.mark.skipif(compiled is None, reason="this installation has no compiled kernels in use")


def one_by_one(model, x):
    """As the layers themselves compute it, each in NumPy's products."""
    return model.forward(x)


@pytest.mark.parametrize("name", sorted(BY_NAME))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_activation_predicts_as_its_layer(name, dtype, rng):
    inside, alone = cr.Linear(5, 7, activation=name), type(BY_NAME[name])()
    model = cr.Sequential([inside, alone, cr.Linear(7, 3, bias=False)], rng=0, dtype=dtype)
    x = 3 * rng.standard_normal((4, 5)).astype(dtype)
    np.testing.assert_allclose(model.predict(x), one_by_one(model, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", range(11))
@pytest.mark.parametrize("sizes", [[1, 1], [7, 8, 9], [17, 33, 2], [100, 64, 10]], ids=str)
def test_any_number_of_rows_and_columns(rows, sizes, rng):
    model, x = cr.MLP(sizes, rng=0), rng.standard_normal((rows, sizes[0])).astype(np.float32)
    y = model.predict(x)
    assert (y.shape, y.dtype) == ((rows, sizes[-1]), np.float32)
    np.testing.assert_allclose(y, one_by_one(model, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer", [cr.Dropout(0.5), cr.GaussianNoise(1.0), cr.Flatten()], ids=lambda layer: type(layer).__name__
)
def test_layers_that_do_nothing_in_prediction_are_left_out(layer):
    model = cr.Sequential([layer, cr.Linear(3, 2)], rng=0)
    np.testing.assert_array_equal(model.predict(np.ones((2, 3))), cr.MLP([3, 2], rng=0).predict(np.ones((2, 3))))


def test_a_parameter_changed_afterwards_counts():
    leaky = cr.LeakyReLU(0.5)
    model = cr.Sequential([cr.Linear(1, 1, activation=leaky, initializer="ones")])
    assert model.predict([[-1.0]]) == -0.5
    leaky.slope = 0.25
    model.parameters["0.b"][:] = -1.0
    assert model.predict([[-1.0]]) == -0.5


def test_a_layer_derived_from_one_with_a_kernel_computes_for_itself():
    class Twice(cr.ReLU):
        def apply(self, x, out):
            return np.multiply(x, 2, out=out)

    class Shifted(cr.Linear):
        def forward(self, x, work):
            return super().forward(x, work) + 1

    assert program_of(Twice()) is None
    assert program_of(Shifted(1, 1)) is None
    model = cr.Sequential([Shifted(1, 1, activation=Twice(), initializer="ones")])
    assert model.predict([[-3.0]]) == -5.0


@needs_kernels
def test_what_has_a_kernel_is_told_by_its_number():
    model = cr.Sequential([cr.Linear(2, 3, activation="relu"), cr.Tanh(), cr.Linear(3, 1, bias=False)])
    (W, b, relu, _), alone, (_, no_bias, none, _) = dense_layers(programs(model.layers))
    assert W is model.layers[0].W
    assert b is model.layers[0].b
    assert relu == compiled.ACTIVATIONS["relu"]
    assert alone == (None, None, compiled.ACTIVATIONS["tanh"], 0.0)
    assert no_bias is None
    assert none == -1


@needs_kernels
def test_each_compiled_activation_belongs_to_a_layer():
    assert set(compiled.ACTIVATIONS) <= BY_NAME.keys()


def dense(inputs, outputs, dtype=np.float32):
    return np.ones((inputs, outputs), dtype), np.zeros(outputs, dtype), -1, 0.0


@needs_kernels
@pytest.mark.parametrize(
    ("layers", "x"),
    [
        ([], np.ones((2, 3), np.float32)),
        ([dense(1, 1)] * 65, np.ones((1, 1), np.float32)),
        ([dense(3, 2)], np.ones((2, 4), np.float32)),
        ([dense(3, 2)], np.ones((2, 3))),
        ([dense(3, 2)], np.ones((2, 3), int)),
        ([dense(3, 2)], np.ones((2, 6), np.float32)[:, ::2]),
        ([dense(3, 2)], np.ones(3, np.float32)),
        ([dense(3, 2)], [[1.0, 1.0, 1.0]]),
        ([dense(3, 2), dense(3, 2)], np.ones((2, 3), np.float32)),
        ([(np.ones((3, 2), np.float32), np.zeros(3, np.float32), -1, 0.0)], np.ones((2, 3), np.float32)),
        ([(np.ones((3, 4), np.float32)[:, ::2], None, -1, 0.0)], np.ones((2, 3), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_left_to_the_layers(layers, x):
    assert compiled.forward(layers, x) is None


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_affine_map_of_a_few_rows_at_any_address(dtype, rng):
    """Against the product in higher precision, W and x beginning in the middle of a cache line."""
    for rows, inputs, outputs in [(1, 31, 17), (1, 8, 16), (3, 9, 65), (8, 100, 1)]:
        x, W, b = (rng.standard_normal(n + 1).astype(dtype)[1:] for n in (rows * inputs, inputs * outputs, outputs))
        x, W = x.reshape(rows, inputs), W.reshape(inputs, outputs)
        want = x.astype(np.longdouble) @ W.astype(np.longdouble) + b
        size = np.abs(x).astype(np.float64) @ np.abs(W) + np.abs(b)
        error = np.abs(compiled.forward([(W, b, -1, 0.0)], x) - want) / (size * np.finfo(dtype).eps)
        assert error.max() < 8


@needs_kernels
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_number_shows(wrong):
    model, x = cr.MLP([3, 2], rng=0), np.zeros((1, 3), np.float32)
    model.layers[0].W[1, 1] = wrong
    y = model.predict(x)
    assert np.isfinite(y[0, 0])
    assert np.isnan(y[0, 1])


@needs_kernels
@pytest.mark.parametrize("kind", ["PBLD", "PiecewiseLinear"])
def test_arrays_that_a_kernel_cannot_read_in_place_are_read_by_numpy(kind, rng):
    """A copy would keep the numbers of the first prediction."""
    layer = cr.PBLD(3, 4, 3) if kind == "PBLD" else cr.PiecewiseLinear([[-1, 0, 1]] * 3, 4)
    model, x = cr.Sequential([layer], rng=0), rng.standard_normal((5, 3)).astype(np.float32)
    for name in layer.parameter_shapes():
        array = np.asfortranarray(rng.standard_normal(getattr(layer, name).shape).astype(np.float32))
        vars(layer)[name] = array
        before = model.predict(x)
        array[...] *= 2
        assert not np.array_equal(model.predict(x), before)
        np.testing.assert_allclose(model.predict(x), model.forward(x), rtol=1e-4, atol=1e-5)
