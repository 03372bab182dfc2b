"""What all layers share: description and rebuilding, shapes, workspaces, and how one writes a layer of one's own."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import LAYERS as BY_NAME
from chainrule.layers import Workspace, layer_from_config
from chainrule.proof.table import LAYERS

EACH_LAYER = pytest.mark.parametrize("make_layer", LAYERS.values(), ids=LAYERS.keys())


@pytest.fixture
def x(rng):
    return rng.standard_normal((7, 6)).astype(np.float32)


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
        (cr.Linear(4, 5), r"expects 6 inputs, got 5 from the layer before it; make the two widths equal\."),
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


# ---- descriptions


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, 'expects a mapping with a "type", got None'),
        ([], 'expects a mapping with a "type"'),
        ({"in_features": 3}, 'expects a mapping with a "type"'),
        ({"type": 3}, 'expects a mapping with a "type"'),
        ({"type": "Liner"}, r"'Liner' \(did you mean 'Linear'\?\)"),
        ({"type": "eval"}, "the name of a layer, got 'eval'"),
        ({"type": "ReLU", "slope": 1}, "ReLU expects the arguments of its constructor"),
        ({"type": "Linear", "in_features": "3", "out_features": 2}, "expects in_features to be an integer"),
        ({"type": "Linear", "in_features": 3}, "Linear expects the arguments of its constructor"),
        (
            {"type": "Residual", "layers": ["relu"]},
            r"^Residual expects the arguments of its constructor, got \{[^(]*\}: Residual expects a list of layers, "
            r"got 'relu' at position 0; write \[Linear\(\.\.\.\), ReLU\(\), \.\.\.\]\.$",
        ),
        ({"type": "Residual", "layers": [{"class": "ReLU"}]}, 'expects a mapping with a "type"'),
    ],
)
def test_a_description_that_fits_no_layer_is_refused(config, says):
    with pytest.raises((ValueError, TypeError), match=says):
        layer_from_config(config)


class Columns(cr.Layer):
    """Some of the columns, in another order: an argument that is a list of numbers."""

    def __init__(self, columns=(0,)):
        self.columns = columns

    def forward(self, x, work):
        work["x"] = x
        return x[:, list(self.columns)]

    def backward(self, dy, work, input_gradient=True):
        dx = np.zeros_like(work["x"])
        dx[:, list(self.columns)] = dy
        return dx


@pytest.mark.parametrize(
    "layer",
    [
        cr.Linear(6, 2, activation=cr.LeakyReLU(0.2)),
        cr.Residual([cr.Residual([cr.Linear(6, 6, activation=cr.GELU("tanh"))])]),
        Columns((2, 0)),
    ],
    ids=str,
)
def test_arguments_that_are_layers_or_lists_are_described_too(layer, x):
    config = json.loads(json.dumps(cr.Sequential([layer], rng=0).config()))
    twin = cr.Sequential.from_config(config, rng=0, custom_layers={"Columns": Columns})
    np.testing.assert_array_equal(twin.predict(x), cr.Sequential([copy.deepcopy(layer)], rng=0).predict(x))


def test_an_initializer_that_is_no_name_is_left_out():
    config = cr.Linear(3, 2, initializer=cr.initializers.Normal(0.5)).config()
    assert "initializer" not in config
    assert config["bias_initializer"] == "zeros"
    assert "initializer" not in cr.Linear(3, 2, initializer=lambda shape, rng, dtype: np.ones(shape)).config()


@pytest.mark.parametrize(
    ("columns", "described"),
    [
        (np.int64(3), 3),
        ([np.int64(1), np.uint8(0)], [1, 0]),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
    ],
)
def test_numbers_of_numpy_are_described_as_those_of_python(columns, described):
    found = Columns(columns).config()["columns"]
    assert json.loads(json.dumps(found)) == described
    assert type(found) is type(described)


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (np.array([3.0, 4.0]), "ndarray"),
        (np.array(3), "ndarray"),
        ({1, 2}, "set"),
        ({"a": 1}, "dict"),
        (b"a", "bytes"),
        (np.complex64(1), "complex64"),
        (np.datetime64("2026-01-01"), "datetime64"),
        ([0, np.sin], "ufunc"),
        ([[object()]], "object"),
    ],
)
def test_an_argument_that_json_cannot_hold_is_refused(columns, kind):
    with pytest.raises(TypeError) as caught:
        Columns(columns).config()
    assert str(caught.value) == (
        "Columns expects constructor arguments that JSON can hold (numbers, text, lists, layers), "
        f"got columns of type {kind}; override config()."
    )


def test_an_inner_layer_that_can_be_called_is_described():
    class Callable(cr.Tanh):
        def __call__(self, x):
            return np.tanh(x)

    assert cr.Linear(3, 2, activation=Callable()).config()["activation"] == {"type": "Callable"}


def test_every_layer_is_known_by_its_name():
    assert {layer.__name__ for layer in BY_NAME.values()} == set(BY_NAME)


@pytest.mark.parametrize(
    ("layer", "written"),
    [
        (cr.ReLU(), "ReLU()"),
        (cr.LeakyReLU(), "LeakyReLU()"),
        (cr.LeakyReLU(0.2), "LeakyReLU(slope=0.2)"),
        (cr.GELU("tanh"), "GELU(approximate='tanh')"),
        (cr.PReLU(3), "PReLU(3)"),
        (cr.BatchNorm(3, momentum=0.5), "BatchNorm(3, momentum=0.5)"),
        (cr.Linear(3, 2), "Linear(3 → 2)"),
        (cr.Linear(3, 2, "relu", bias=False, l2=0.5), "Linear(3 → 2, relu, no bias, l2=0.5)"),
        (cr.Linear(3, 2, cr.LeakyReLU(0.2), l1=1e-4), "Linear(3 → 2, LeakyReLU(slope=0.2), l1=0.0001)"),
        (cr.Residual([cr.ReLU(), cr.Linear(2, 2)]), "Residual([ReLU(), Linear(2 → 2)])"),
    ],
)
def test_a_layer_is_written_with_what_differs_from_its_defaults(layer, written):
    assert repr(layer) == written


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


# ---- a layer of one's own


class Powers(cr.Layer):
    """y = Σₖ aₖ xᵏ for each feature, k = 1 … degree: learned coefficients, a penalty and an own rule to begin."""

    def __init__(self, degree: int = 2) -> None:
        self.degree = degree

    def parameter_shapes(self):
        return {"a": (self.degree,)}

    def initialize(self, rng):
        self.a[:] = rng.uniform(0.5, 1, self.degree)

    def forward(self, x, work):
        work["powers"] = np.stack([x**k for k in range(1, self.degree + 1)], axis=-1)
        work["x"] = x
        return work["powers"] @ self.a

    def backward(self, dy, work, input_gradient=True):
        self.da[:] = np.einsum("ni,nik->k", dy, work["powers"]) + 0.2 * self.a
        return dy * sum(k * a * work["x"] ** (k - 1) for k, a in enumerate(self.a, start=1))

    def penalty(self):
        return float(0.1 * np.sum(self.a**2))


def test_a_layer_of_ones_own_learns_is_proved_and_is_saved_by_its_description(rng):
    x = rng.standard_normal((64, 2))
    y = x.sum(axis=1, keepdims=True) ** 3
    model = cr.Sequential([cr.Linear(2, 2), Powers(3), cr.Linear(2, 1)], rng=0)
    assert list(model.parameters) == ["0.W", "0.b", "1.a", "2.W", "2.b"]
    assert cr.gradcheck(model, x, y, loss="squared_error").passed
    history = cr.Trainer(model, "squared_error", cr.Adam(0.01)).fit(x, y, epochs=20, verbose=0)
    assert history["loss"][-1] < history["loss"][0] / 2
    twin = cr.Sequential.from_config(model.config(), custom_layers={"Powers": Powers})
    twin.parameters.vector[:] = model.parameters.vector
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    with pytest.raises(ValueError, match="the name of a layer, got 'Powers'"):
        cr.Sequential.from_config(model.config())


class Forgetful(cr.Layer):
    def forward(self, x, work):
        return x

    def backward(self, dy, work, input_gradient=True):
        return None


@pytest.mark.parametrize("in_front", [[], [cr.ReLU()]])
def test_a_backward_that_returns_nothing_is_named(in_front):
    model = cr.Sequential([*in_front, Forgetful(), cr.Softmax()])
    model.forward(np.ones((2, 3)), training=True)
    with pytest.raises(TypeError, match=r"backward of Forgetful\(\) expects to return dx, got None"):
        model.backward(np.ones((2, 3)), input_gradient=True)


def test_a_layer_must_have_both_directions():
    with pytest.raises(TypeError, match="abstract"):
        cr.Layer()


# ---- in one model at a time


class Rotation(cr.Layer):
    """Names its parameters as told, and holds None in place of each until a model gives it arrays."""

    def __init__(self, names=("W",)):
        self.names = names
        for name in names:
            setattr(self, name, None)

    def parameter_shapes(self):
        return dict.fromkeys(self.names, (2,))

    def forward(self, x, work):
        return x

    def backward(self, dy, work, input_gradient=True):
        return dy


def test_a_layer_may_declare_its_parameters_before_it_has_them():
    layer = Rotation()
    model = cr.Sequential([layer])
    assert np.shares_memory(layer.W, model.parameters.vector)
    with pytest.raises(ValueError, match=r"each layer object once, got .* already in another model"):
        cr.Sequential([layer])


def test_a_parameter_may_not_be_called_as_the_gradient_of_another():
    with pytest.raises(ValueError, match=r"expects parameters .*, got 'r' and 'dr'; rename one of them\."):
        cr.Sequential([Rotation(("r", "x", "dr"))])


def test_after_a_failure_the_layers_are_free_for_another_attempt():
    healthy, failing = cr.Linear(2, 3), cr.Linear(3, 1, initializer=lambda *_: np.ones(7))
    with pytest.raises(ValueError, match="an initializer that gives W"):
        cr.Sequential([cr.Residual([healthy, cr.Linear(3, 2)]), cr.Linear(2, 3), failing])
    model = cr.Sequential([healthy, cr.Linear(3, 1)])
    assert np.shares_memory(healthy.W, model.parameters.vector)


def test_a_layer_that_takes_no_arrays_leaves_the_others_free():
    class Fixed(Rotation):
        W = property(lambda self: None, lambda self, value: None)
        dW = property(lambda self: None)

    healthy = cr.Linear(2, 2)
    with pytest.raises(AttributeError):
        cr.Sequential([healthy, Fixed()])
    cr.Sequential([healthy])


def test_a_layer_in_a_model_stays_there_when_another_model_refuses_it():
    layer = cr.Linear(2, 2)
    model = cr.Sequential([layer])
    for _ in range(2):
        with pytest.raises(ValueError, match="already in another model"):
            cr.Sequential([cr.Linear(2, 2), layer])
    assert np.shares_memory(layer.W, model.parameters.vector)


def test_an_array_assigned_to_a_parameter_goes_into_the_model():
    """Not beside it, where no optimizer would move it."""
    model = cr.Sequential([cr.Linear(3, 2)], rng=0)
    model.layers[0].W = np.ones((3, 2))
    model.layers[0].W *= 2
    np.testing.assert_array_equal(model.parameters["0.W"], np.full((3, 2), 2.0))
    with pytest.raises(ValueError, match=r"Linear\(3 → 2\) expects an array for W of shape \(3, 2\), got \(2, 3\)"):
        model.layers[0].W = np.ones((2, 3))


def test_a_layer_of_ones_own_may_assign_its_gradient(rng):
    class Shift(cr.Layer):
        def parameter_shapes(self):
            return {"by": (4,)}

        def initialize(self, rng):
            self.by = np.zeros(4)

        def forward(self, x, work):
            return x + self.by

        def backward(self, dy, work, input_gradient=True):
            self.dby = dy.sum(axis=0)
            return dy

    model = cr.Sequential([cr.Linear(3, 4), Shift()], rng=0)
    check = cr.gradcheck(model, rng.standard_normal((5, 3)), rng.standard_normal((5, 4)), "squared_error")
    assert check.passed
