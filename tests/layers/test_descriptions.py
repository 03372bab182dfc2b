"""A layer is described by the arguments of its constructor, as JSON and as text."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import LAYERS as BY_NAME
from chainrule.layers import layer_from_config


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
