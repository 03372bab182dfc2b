"""What all layers share: shapes, dtypes, gradients and workspaces, in both directions."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import Workspace, layer_from_config
from chainrule.proof.table import LAYERS

EACH_LAYER = pytest.mark.parametrize("make_layer", LAYERS.values(), ids=LAYERS.keys())


def model_of(layer, dtype="float32"):
    """The layer with parameters that are neither 0 nor 1."""
    model = cr.Sequential([layer], rng=0, dtype=dtype)
    model.parameters.vector[:] += 0.3 * np.random.default_rng(1).standard_normal(model.parameters.vector.shape)
    return model


@EACH_LAYER
def test_a_layer_is_rebuilt_from_its_description_as_json(make_layer, x):
    layer = make_layer()
    twin = layer_from_config(json.loads(json.dumps(layer.config())))
    assert type(twin) is type(layer)
    assert twin.config() == layer.config()
    assert repr(twin) == repr(layer)
    model, rebuilt = model_of(layer), cr.Sequential([twin])
    rebuilt.parameters.vector[:] = model.parameters.vector
    np.testing.assert_array_equal(rebuilt.predict(x), model.predict(x))


@EACH_LAYER
def test_a_copy_of_a_layer_leaves_the_arrays_to_its_own_model(make_layer, x):
    model = model_of(make_layer())
    for twin in (copy.deepcopy(model.layers[0]), pickle.loads(pickle.dumps(model.layers[0]))):
        second = cr.Sequential([twin])
        assert not np.shares_memory(second.parameters.vector, model.parameters.vector)
        assert second.predict(x).shape == (7, 6)


@EACH_LAYER
def test_both_directions_keep_shape_and_dtype(make_layer, x, rng):
    model = model_of(make_layer())
    y = model.forward(x, training=True)
    dx = model.backward(rng.standard_normal(y.shape), input_gradient=True)
    assert (y.shape, y.dtype) == (x.shape, np.float32)
    assert (dx.shape, dx.dtype) == (x.shape, np.float32)
    assert model.layers[0].output_shape((6,)) == (6,)


@EACH_LAYER
def test_neither_x_nor_dy_is_modified(make_layer, x, rng):
    model, dy = model_of(make_layer()), rng.standard_normal((7, 6)).astype(np.float32)
    before = x.copy(), dy.copy()
    model.forward(x, training=True)
    model.backward(dy, input_gradient=True)
    model.predict(x)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dy, before[1])


@EACH_LAYER
def test_a_read_only_batch_will_do(make_layer, x, rng):
    model, dy = model_of(make_layer()), rng.standard_normal((7, 6)).astype(np.float32)
    x.flags.writeable = dy.flags.writeable = False
    assert model.forward(x, training=True).shape == (7, 6)
    assert model.backward(dy, input_gradient=True).shape == x.shape


@EACH_LAYER
def test_a_second_backward_sets_the_same_gradients_again(make_layer, x, rng):
    model, dy = model_of(make_layer()), rng.standard_normal((7, 6)).astype(np.float32)
    model.forward(x, training=True)
    first = model.backward(dy, input_gradient=True).copy(), model.gradients.vector.copy()
    second = model.backward(dy, input_gradient=True), model.gradients.vector
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@EACH_LAYER
def test_the_first_layer_returns_no_dx_unless_asked(make_layer, x, rng):
    model = model_of(make_layer())
    dy = rng.standard_normal((7, 6)).astype(np.float32)
    model.forward(x, training=True)
    model.backward(dy, input_gradient=True)
    gradients = model.gradients.vector.copy()
    assert model.backward(dy) is None
    np.testing.assert_array_equal(model.gradients.vector, gradients)


@EACH_LAYER
def test_no_batch_stays_on_the_layer(make_layer, x):
    model = model_of(make_layer())
    layer = model.layers[0]
    before = set(vars(layer))
    model.backward(model.forward(x, training=True), input_gradient=True)
    assert set(vars(layer)) == before


@EACH_LAYER
def test_saturated_inputs_stay_finite_both_ways(make_layer, rng):
    """Through the layer itself, at |x| = 1e4 in float32; warnings are errors here."""
    model = model_of(make_layer())
    x = 1e4 * rng.choice([-1, 0, 1], (7, 6)).astype(np.float32)
    y = model.forward(x, training=True)
    dx = model.backward(np.ones_like(y), input_gradient=True)
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()
    assert np.isfinite(model.gradients.vector).all()
    assert np.isfinite(model.predict(x)).all()


@EACH_LAYER
def test_an_empty_batch_is_predicted_as_an_empty_batch(make_layer):
    assert model_of(make_layer()).predict(np.empty((0, 6))).shape == (0, 6)


@pytest.mark.parametrize("name", ["Linear", "Scale", "PReLU", "BatchNorm", "LayerNorm", "Residual"])
@pytest.mark.parametrize(("shape", "remedy"), [((5, 7), ""), ((5, 2, 3), r".*put Flatten\(\) in front\."), ((6,), "")])
def test_a_batch_of_the_wrong_width_or_rank_is_refused(name, shape, remedy):
    with pytest.raises(ValueError, match=rf"expects input of shape \(N, 6\), got \({shape[0]},.*\){remedy}"):
        model_of(LAYERS[name]()).predict(np.ones(shape))


@pytest.mark.parametrize("name", ["Linear", "Scale", "PReLU", "BatchNorm", "LayerNorm", "Residual"])
@pytest.mark.parametrize(
    ("in_front", "says"),
    [
        (cr.Linear(4, 5), r"expects 6 inputs, got 5 from the layer in front of it; make the two widths equal\."),
        (cr.Linear(4, 7), "expects 6 inputs, got 7 from"),
    ],
)
def test_layers_that_do_not_fit_are_refused_when_put_together(name, in_front, says):
    with pytest.raises(ValueError, match=says):
        cr.Sequential([in_front, LAYERS[name]()])


class Images(cr.Layer):
    """Rows as pictures, to have something of rank 3 in front of a dense layer."""

    def forward(self, x, work):
        return x.reshape(len(x), 2, 3)

    def backward(self, dy, work, input_gradient=True):
        return dy.reshape(len(dy), 6)

    def output_shape(self, input_shape):
        return (2, 3)


def test_a_missing_flatten_is_named_when_put_together():
    with pytest.raises(ValueError, match=r"expects 6 inputs, got 2 × 3 from .*; put Flatten\(\) between them"):
        cr.Sequential([Images(), cr.Linear(6, 1)])
    assert cr.Sequential([Images(), cr.Flatten(), cr.Linear(6, 1)]).predict(np.ones((4, 6))).shape == (4, 1)


# ---- workspaces


@pytest.fixture
def work(rng):
    return Workspace(True, rng)


def test_the_same_room_comes_back_for_a_batch_that_is_no_longer(work):
    room = work.array("y", np.ones((8, 3)))
    assert np.shares_memory(work.array("y", np.ones((8, 3))), room)
    short = work.array("y", np.ones((5, 3)))
    assert short.shape == (5, 3)
    assert np.shares_memory(short, room)


@pytest.mark.parametrize(
    "like", [np.ones((9, 3)), np.ones((8, 4)), np.ones((8, 3), np.float32), np.ones((8, 3, 1))],
    ids=["longer", "wider", "another dtype", "another rank"],
)  # fmt: skip
def test_new_room_is_made_for_what_does_not_fit(work, like):
    room = work.array("y", np.ones((8, 3)))
    new = work.array("y", like)
    assert (new.shape, new.dtype) == (like.shape, like.dtype)
    assert not np.shares_memory(new, room)


def test_two_names_have_two_rooms(work):
    like = np.ones((8, 3))
    assert not np.shares_memory(work.array("y", like), work.array("dx", like))


def test_a_row_may_have_another_width(work):
    assert work.array("z", np.ones((8, 3), np.float32), 5).shape == (8, 5)


def test_an_inner_layer_has_a_workspace_of_its_own_that_comes_back(work):
    assert work.child(0) is work.child(0)
    assert work.child(0) is not work.child(1)
    assert work.child(0).training
    assert work.child(0).rng is work.rng
