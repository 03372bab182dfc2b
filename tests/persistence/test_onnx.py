"""ONNX files say what the model says, for every layer and any number of rows."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
import onnx
import onnxruntime

import chainrule as cr
from chainrule.layers import LAYERS
from chainrule.layers.activations import ACTIVATIONS, name_of
from chainrule.layers.base import walk
from chainrule.persistence import onnx as tool
from chainrule.persistence.onnx import runtime
from persistence.onnx_networks import (
    BATCHES,
    KINDS,
    MANY,
    ORDINARY,
    assert_same,
    facts_of,
    network,
    random_layer,
    random_network,
)


@pytest.mark.parametrize("seed", range(ORDINARY))
def test_random_networks_agree(seed, tmp_path):
    assert_same(*random_network(seed), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ORDINARY, ORDINARY + MANY))
def test_many_random_networks_agree(seed, tmp_path):
    assert_same(*random_network(seed), tmp_path)


def test_the_random_networks_have_every_layer_activation_and_nested_blocks():
    layers = [layer for seed in range(ORDINARY) for _, layer in walk(random_network(seed)[0].layers)]
    assert {type(layer) for layer in layers} == {LAYERS[kind] for kind in KINDS}
    layers += [layer for seed in range(ORDINARY, ORDINARY + MANY) for _, layer in walk(random_network(seed)[0].layers)]
    assert {one.activation and name_of(one.activation) for one in layers if type(one) is cr.Linear} >= set(
        ACTIVATIONS
    ) - {"leaky_relu"}
    assert any(isinstance(inner, cr.Residual) for one in layers if type(one) is cr.Residual for inner in one.layers)


def test_the_default_opset_is_one_that_browsers_run_too(tmp_path):
    versions = []
    for options in ({}, {"opset": None}):
        cr.export(network(), tmp_path / "n.onnx", **options)
        versions += [one.version for one in onnx.load(tmp_path / "n.onnx").opset_import]
    assert versions == [21, runtime.newest_opset()]


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_an_older_version_of_the_operators(opset, tmp_path):
    model, shape = random_network(0)
    assert_same(model, shape, tmp_path, opset=opset)
    assert [one.version for one in onnx.load(tmp_path / "model.onnx").opset_import] == [opset]


# --- options


@pytest.fixture(scope="module")
def digits():
    """A network that was trained, and rows that it did not see."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    model = cr.Sequential([cr.Linear(64, 64), cr.BatchNorm(64), cr.GELU(), cr.LayerNorm(64), cr.Linear(64, 10)], rng=0)
    cr.Trainer(model, "cross_entropy", "adam", 64, rng=0).fit(x[400:], y[400:], epochs=8, verbose=0)
    return model, x[:400], y[:400]


@pytest.mark.parametrize(("precision", "most", "share"), [("float16", 0.02, 0.55), ("int8", 0.3, 0.4)])
def test_smaller_numbers_are_nearly_as_good(precision, most, share, digits, tmp_path):
    model, x, y = digits
    path = tmp_path / "small.onnx"
    whole = cr.export(model, tmp_path / "whole.onnx")
    done = cr.export(model, path, precision=precision, X=x)
    assert done.bytes < share * whole.bytes + 4000
    z = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    assert z.dtype == np.float32
    assert 0 < np.abs(z - model.predict(x)).max() < most * np.abs(z).max()
    assert np.mean(z.argmax(axis=1) == y) > np.mean(model.predict(x).argmax(axis=1) == y) - 0.01
    assert done.checked is not None
    assert 1e-5 < done.checked < most * 10
    assert bool(done.notes) == (precision == "int8")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert facts_of(path) == facts_of(tmp_path / "whole.onnx")
    for rows in BATCHES:
        assert tool.check(model, path, np.resize(x, (rows, 64))) < most * 10


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_in_float16(kind, tmp_path):
    """One at a time: behind several that narrow the spread of their outputs, nothing of it is left in float16."""
    layer = random_layer(kind, 6, np.random.default_rng(0))
    model = cr.Sequential([layer, cr.Linear(layer.out_features if kind == "Linear" else 6, 3)], rng=0)
    assert cr.export(model, tmp_path / "n.onnx", precision="float16", input_shape=(6,)).checked < 0.02


def test_a_constant_row_in_float16(tmp_path):
    """Its ε is 0 as a half, its squares are infinite: layer normalisation is computed in float32."""
    model = cr.Sequential([cr.LayerNorm(3, epsilon=1e-9)])
    tool.write(model, tmp_path / "n.onnx", precision="float16")
    assert tool.check(model, tmp_path / "n.onnx", np.float32([[5, 5, 5], [-3000, 0, 3000]])) < 1e-2


def test_parameters_too_large_for_float16_are_refused(tmp_path):
    model = cr.MLP([2, 2], rng=0)
    model.parameters["0.W"][0, 0] = 1e5
    with pytest.raises(ValueError, match=r"±65504 for float16, got larger ones in 0\.W; use float32"):
        cr.export(model, tmp_path / "n.onnx", precision="float16")


def test_int8_without_weights_says_so(tmp_path):
    done = cr.export(cr.Sequential([cr.Scale(3)]), tmp_path / "n.onnx", precision="int8")
    assert done.notes == ["no layer has weights that int8 could hold"]
    assert done.checked == 0


@pytest.mark.parametrize(
    ("layers", "function"),
    [
        ([cr.Linear(4, 3)], cr.ops.softmax),
        ([cr.Linear(4, 1)], cr.ops.sigmoid),
        ([cr.Linear(4, 3), cr.Softmax()], cr.ops.identity),
        ([cr.Linear(4, 1, "sigmoid")], cr.ops.identity),
    ],
    ids=["softmax", "sigmoid", "its own softmax", "its own sigmoid"],
)
def test_probabilities(layers, function, tmp_path):
    model = cr.Sequential(copy.deepcopy(layers), rng=0)
    done = cr.export(model, tmp_path / "n.onnx", outputs="probabilities")
    assert done.checked < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "n.onnx")
    assert [one.name for one in session.get_outputs()] == ["probabilities"]
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], function(model.predict(x)), atol=1e-6)


def test_numbers_have_no_probabilities(tmp_path):
    model = cr.MLP([2, 1], rng=0)
    model.metadata = {"task": "regression"}
    with pytest.raises(ValueError, match='expects a classifier for outputs="probabilities", got a regression model'):
        cr.export(model, tmp_path / "n.onnx", outputs="probabilities")


def test_images_are_flat_rows_unless_their_shape_is_given(tmp_path):
    model = cr.Sequential([cr.Flatten(), cr.Dropout(0.1), cr.Linear(12, 2)], rng=0)
    for options, shape in (({}, (12,)), ({"input_shape": (3, 4)}, (3, 4))):
        assert cr.export(model, tmp_path / "n.onnx", **options).checked < 1e-5
        dims = onnx.load(tmp_path / "n.onnx").graph.input[0].type.tensor_type.shape.dim
        assert tuple(dim.dim_value for dim in dims[1:]) == shape
    with pytest.raises(ValueError, match="expects 12 inputs, got 20 from the layer before"):
        cr.export(model, tmp_path / "n.onnx", input_shape=(4, 5))


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([cr.Residual([cr.Tanh(), cr.Linear(5, 5)])], (5,)),
        ([cr.GaussianNoise(), cr.Residual([cr.ReLU()]), cr.Scale(2)], (2,)),
    ],
    ids=repr,
)
def test_the_layers_tell_the_width(layers, shape, tmp_path):
    assert cr.export(cr.Sequential(layers, rng=0), tmp_path / "n.onnx").checked < 1e-5
    dims = onnx.load(tmp_path / "n.onnx").graph.input[0].type.tensor_type.shape.dim
    assert tuple(dim.dim_value for dim in dims[1:]) == shape


def test_layers_that_do_not_tell_the_width(tmp_path):
    model = cr.Sequential([cr.Tanh()])
    with pytest.raises(ValueError, match=r"expects to know the shape of one row.*pass input_shape=\(I,\)"):
        cr.export(model, tmp_path / "n.onnx")
    assert cr.export(model, tmp_path / "n.onnx", input_shape=(3,)).checked < 1e-5


def test_float64_becomes_float32_and_says_so(tmp_path):
    done = cr.export(cr.MLP([2, 3], rng=0, dtype="float64"), tmp_path / "n.onnx")
    assert done.notes == ["the model computes in float64, the file in float32"]
