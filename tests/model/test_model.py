"""A model as its layers: what it accepts as a layer, its summary, its description, and what MLP makes."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr


def test_a_layer_is_used_once(x):
    layer = cr.Linear(4, 4)
    with pytest.raises(
        ValueError, match=r"each layer object once, got Linear\(4 → 4\) twice in this model; make a new"
    ):
        cr.Sequential([layer, cr.Residual([layer])])


def test_a_layer_belongs_to_one_model():
    layer = cr.Linear(4, 4)
    cr.Sequential([layer])
    with pytest.raises(ValueError, match=r"each layer object once, got Linear\(4 → 4\) already in another model"):
        cr.Sequential([cr.Residual([layer])])


def test_layers_that_were_refused_may_be_used_again():
    layer = cr.Linear(4, 5)
    with pytest.raises(ValueError, match="expects 4 inputs"):
        cr.Sequential([layer, cr.Linear(4, 5)])
    assert cr.Sequential([layer, cr.Linear(5, 1)]).predict(np.ones((1, 4))).shape == (1, 1)


@pytest.mark.parametrize(
    ("layers", "error", "says"),
    [
        ([], ValueError, "Sequential expects at least one layer, got an empty list"),
        ([cr.ReLU(), "relu"], TypeError, r"Sequential expects a list of layers, got 'relu' at position 1; write"),
        ([cr.MLP([2, 1])], TypeError, "Sequential expects a list of layers, got Sequential"),
    ],
)
def test_anything_but_a_layer_is_refused(layers, error, says):
    with pytest.raises(error, match=says):
        cr.Sequential(layers)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(rng="0"), TypeError, "Sequential expects rng to be a non-negative int"),
        (dict(dtype="float16"), ValueError, "Sequential expects dtype float32 or float64"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        cr.Sequential([cr.Linear(2, 2)], **arguments)


def test_the_summary_is_a_table_of_layers_shapes_and_counts(model):
    head, *rows, total = (line.rsplit(maxsplit=1) for line in model.summary().splitlines())
    assert " ".join(head).split() == ["layer", "output", "shape", "parameters"]
    assert [int(count) for _, count in rows] == [30, 12, 0, 54, 21]
    assert [row.rsplit("  ", 1)[1] for row, _ in rows] == ["(N, 6)"] * 4 + ["(N, 3)"]
    assert total == ["total", "117"]
    assert len({len(line) for line in model.summary().splitlines()}) == 1


def test_the_summary_leaves_open_what_the_first_batch_decides():
    lines = cr.Sequential([cr.Flatten(), cr.Linear(784, 100)]).summary().splitlines()
    assert lines[1].split() == ["Flatten()", "(N,", "…)", "0"]
    assert lines[3].split() == ["total", "78,500"]


def test_a_model_is_written_as_its_layers():
    assert repr(cr.MLP([4, 5, 3], dropout=0.5)) == "Sequential([Linear(4 → 5, relu), Dropout(), Linear(5 → 3)])"


# Descriptions.


def test_a_model_is_rebuilt_from_its_description_as_json(model, x):
    twin = cr.Sequential.from_config(json.loads(json.dumps(model.config())), rng=0)
    assert repr(twin) == repr(model)
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))


def test_a_description_keeps_the_dtype():
    config = cr.MLP([2, 1], dtype="float64").config()
    assert cr.Sequential.from_config(config).dtype == np.float64
    del config["dtype"]
    assert cr.Sequential.from_config(config).dtype == np.float32


@pytest.mark.parametrize("config", [None, [], {}, {"layers": "Linear"}, {"layers": None}])
def test_what_describes_no_model_is_refused(config):
    with pytest.raises(ValueError, match='a model\'s description expects a list "layers"'):
        cr.Sequential.from_config(config)


# MLP.


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (dict(), "Linear(4 → 5, relu), Linear(5 → 6, relu), Linear(6 → 3)"),
        (dict(activation="tanh"), "Linear(4 → 5, tanh), Linear(5 → 6, tanh), Linear(6 → 3)"),
        (dict(output_activation="sigmoid"), "Linear(4 → 5, relu), Linear(5 → 6, relu), Linear(6 → 3, sigmoid)"),
        (dict(softmax=True), "Linear(4 → 5, relu), Linear(5 → 6, relu), Linear(6 → 3), Softmax()"),
        (
            dict(dropout=0.2),
            "Linear(4 → 5, relu), Dropout(rate=0.2), Linear(5 → 6, relu), Dropout(rate=0.2), Linear(6 → 3)",
        ),
        (
            dict(bias=False, l1=0.1, l2=0.2),
            "Linear(4 → 5, relu, no bias, l1=0.1, l2=0.2), Linear(5 → 6, relu, no bias, l1=0.1, l2=0.2), "
            "Linear(6 → 3, no bias, l1=0.1, l2=0.2)",
        ),
    ],
)
def test_an_mlp_is_a_row_of_dense_layers(arguments, written):
    assert repr(cr.MLP([4, 5, 6, 3], **arguments)) == f"Sequential([{written}])"


def test_an_mlp_passes_on_its_initializer_and_dtype():
    model = cr.MLP([2, 3, 1], initializer="ones", dtype="float64")
    assert (model.parameters["0.W"] == 1).all()
    assert model.dtype == np.float64


@pytest.mark.parametrize(
    ("sizes", "arguments", "error", "says"),
    [
        (5, {}, ValueError, r"MLP expects the sizes of at least the input and the output, got 5; for a network w"),
        ([5], {}, ValueError, r"got \[5\]"),
        (None, {}, ValueError, "got None"),
        ([4, 0, 1], {}, ValueError, "Linear expects out_features >= 1, got 0"),
        ([4, 2.5], {}, TypeError, "Linear expects out_features to be an integer, got 2.5"),
        ([4, 1], dict(dropout=1.0), ValueError, "MLP expects dropout >= 0 and < 1, got 1.0"),
        ([4, 1], dict(activation="rleu"), ValueError, "did you mean 'relu'"),
        ([4, 2, 1], dict(activation="rleu"), ValueError, "did you mean 'relu'"),
        (
            [4, 2],
            dict(softmax=True, output_activation="tanh"),
            ValueError,
            "softmax=True or an output_activation, got both",
        ),
    ],
)
def test_an_mlp_that_makes_no_sense_is_refused(sizes, arguments, error, says):
    with pytest.raises(error, match=says):
        cr.MLP(sizes, **arguments)
