"""One vector under many views; forward and backward; copies that stand alone."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from effort import peak_of
from model.steps import snapshot, step


def test_names_count_the_layers_and_go_inside(model):
    inside = ["3.0.gain", "3.0.bias", "3.1.W", "3.1.b"]
    assert list(model.parameters) == ["0.W", "0.b", "1.gain", "1.bias", *inside, "4.W", "4.b"]
    assert list(model.gradients) == list(model.parameters)
    assert model.gradients.slices == model.parameters.slices


def test_layers_see_the_vectors_memory(model, x):
    linear = model.layers[0]
    assert np.shares_memory(linear.W, model.parameters.vector)
    assert np.shares_memory(linear.dW, model.gradients.vector)
    model.parameters.vector[:] = 0
    assert not linear.W.any()
    assert not model.predict(x).any()
    step(model, x)
    np.testing.assert_array_equal(linear.dW, model.gradients["0.W"])


def test_backward_sets_gradients_and_does_not_add(model, x):
    model.backward(np.ones_like(model.forward(x, training=True)))
    first = model.gradients.vector.copy()
    model.gradients.vector[:] = 1e6
    model.backward(np.ones((50, 3)))
    np.testing.assert_array_equal(model.gradients.vector, first)


# Copies.

TWINS = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "astype": lambda model: model.astype("float32"),
}


@pytest.fixture(params=TWINS.values(), ids=TWINS.keys())
def twin_of(request):
    return request.param


def test_a_copy_predicts_alike_and_draws_alike(model, x, twin_of):
    step(model, x)
    twin = twin_of(model)
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    np.testing.assert_array_equal(twin.forward(x, training=True), model.forward(x, training=True))


def test_a_copy_stands_alone(model, x, twin_of):
    step(model, x)
    twin, before = twin_of(model), snapshot(model)
    step(twin, x)
    assert snapshot(model) == before
    assert snapshot(twin) != before


def test_a_copys_views_are_its_own_vectors(model, x, twin_of):
    twin = twin_of(model)
    step(twin, x)
    for name in ("W", "b"):
        assert np.shares_memory(getattr(twin.layers[0], name), twin.parameters.vector)
        assert np.shares_memory(getattr(twin.layers[0], "d" + name), twin.gradients.vector)
        assert not np.shares_memory(getattr(twin.layers[0], name), model.parameters.vector)
    assert twin.gradients.vector.any()


def test_a_copy_holds_no_batch(model, rng, twin_of):
    small = len(pickle.dumps(model))
    model.predict(rng.standard_normal((10_000, 4)))
    step(model, rng.standard_normal((10_000, 4)))
    assert len(pickle.dumps(model)) < small + 100
    assert len(pickle.dumps(twin_of(model))) < small + 100
    with pytest.raises(ValueError, match="backward expects a forward pass before it"):
        twin_of(model).backward(np.ones((10_000, 3)))


def test_metadata_goes_with_a_copy(model, twin_of):
    model.metadata["classes"] = ["a", "b"]
    twin = twin_of(model)
    twin.metadata["classes"].append("c")
    assert model.metadata == {"classes": ["a", "b"]}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_another_dtype_computes_the_same_to_rounding(model, x, dtype):
    twin = model.astype(dtype)
    assert twin.dtype == twin.parameters.vector.dtype == twin.predict(x).dtype == np.dtype(dtype)
    assert model.dtype == np.float32
    np.testing.assert_allclose(twin.predict(x), model.predict(x), rtol=1e-4, atol=1e-5)


def test_another_dtype_must_be_one_of_two(model):
    with pytest.raises(ValueError, match="astype expects dtype float32 or float64, got 'float16'"):
        model.astype("float16")


# Forward and backward.


def test_another_generator_may_be_assigned(x):
    """As when a training is resumed: the next dropout is the new generator's first."""
    model = cr.Sequential([cr.Dropout(0.5)], rng=0)
    first = model.forward(x, training=True).copy()
    model.forward(x, training=True)
    model.rng = np.random.default_rng(0)
    np.testing.assert_array_equal(model.forward(x, training=True), first)


def test_a_shallow_copy_is_a_deep_one(model, x):
    twin = copy.copy(model)
    step(model, x)
    assert np.abs(model.gradients.vector).max() > 0
    assert not np.shares_memory(twin.layers[0].W, model.layers[0].W)


def test_a_short_batch_uses_the_same_room(x):
    model = cr.MLP([4, 6, 3], rng=0)
    first = model.forward(x, training=True)
    short = model.forward(x[:13], training=True)
    assert np.shares_memory(short, first)
    np.testing.assert_array_equal(short, model.predict(x[:13]))
    assert model.backward(np.ones((13, 3)), input_gradient=True).shape == (13, 4)


def test_a_step_allocates_nothing_large_once_it_is_warm():
    model, x = cr.MLP([200, 300, 10], rng=0), np.ones((1000, 200), np.float32)
    dy = np.ones((1000, 10), np.float32)

    def forward_and_backward():
        model.forward(x, training=True)
        model.backward(dy)

    peaks = [peak_of(forward_and_backward)[1] for _ in range(3)]
    assert peaks[-1] < 0.5 * 1000 * 300 * 4  # half of one hidden batch; a boolean mask of it is a quarter


@pytest.mark.parametrize(
    "prepare", [lambda model, x: None, lambda model, x: model.forward(x)], ids=["none", "prediction"]
)
def test_backward_needs_a_forward_in_training(model, x, prepare):
    prepare(model, x)
    says = r"backward expects a forward pass before it, got none; call forward\(x, training=True\)\."
    with pytest.raises(ValueError, match=says):
        model.backward(np.ones((50, 3)))


def test_backward_refuses_to_mix_two_batches(model, x):
    model.forward(x, training=True)
    with pytest.raises(ValueError, match="at least two rows"):
        model.forward(x[:1], training=True)
    with pytest.raises(ValueError, match="backward expects a forward pass before it"):
        model.backward(np.ones((50, 3)))


@pytest.mark.parametrize(
    ("dy", "error", "says"),
    [
        (np.ones((50, 4)), ValueError, r"backward expects a gradient of shape \(50, 3\), got \(50, 4\)"),
        (np.ones((49, 3)), ValueError, r"got \(49, 3\)"),
        (1.0, ValueError, r"got \(\)"),
        ([["a"] * 3] * 50, TypeError, "backward expects dy to be an array of numbers"),
    ],
)
def test_a_gradient_has_the_outputs_shape(model, x, dy, error, says):
    model.forward(x, training=True)
    with pytest.raises(error, match=says):
        model.backward(dy)


@pytest.mark.parametrize("dy", [np.ones((50, 3)), np.ones((50, 3), int), [[1.0] * 3] * 50], ids=["f8", "int", "list"])
def test_a_gradient_of_another_kind_is_converted(model, x, dy):
    model.forward(x, training=True)
    dx = model.backward(dy, input_gradient=True)
    assert dx.dtype == np.float32


def test_the_same_seed_gives_the_same_parameters():
    first, again, other = (cr.MLP([4, 5, 3], rng=seed).parameters.vector for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
