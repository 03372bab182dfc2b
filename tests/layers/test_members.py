"""Members: networks side by side, whose outputs or probabilities are averaged."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.kernels import Mean, compiled_network
from chainrule.layers.program import programs
from chainrule.ops.fused import KERNELS

X = np.hstack([np.random.default_rng(0).normal(size=(400, 3)), np.random.default_rng(1).integers(0, 5, (400, 1))])
ACTIVATIONS = {None: lambda z: z, "softmax": cr.ops.softmax, "sigmoid": cr.ops.sigmoid}
EACH = pytest.mark.parametrize("activation", ACTIVATIONS)


def member(seed: int, dtype: str = "float32", codes: int = 5) -> cr.Sequential:
    front = cr.Columns([(2, [cr.PBLD(2)]), (1, [cr.PiecewiseLinear([[-1, 0, 1]], 2)]), (1, [cr.Embedding(codes, 3)])])
    return cr.Sequential([front, cr.Scale(13), cr.Linear(13, 8, "selu"), cr.Linear(8, 3)], rng=seed, dtype=dtype)


def ensemble(activation: str | None, dtype: str = "float32", count: int = 4) -> tuple[cr.Sequential, list[Any]]:
    networks = [member(seed, dtype) for seed in range(count)]
    return cr.Sequential([cr.Members(networks, activation)], rng=9, dtype=dtype), networks


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_follows_an_output_of_one_member_follows_the_mean(activation: str | None, dtype: str) -> None:
    model, networks = ensemble(activation, dtype)
    then = ACTIVATIONS[activation]
    expected = np.mean([then(one.predict(X)) for one in networks], axis=0)
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    for y in (model.predict(X), model.forward(X), model.predict(X, batch_size=7)):
        np.testing.assert_allclose(then(y), expected, rtol=0, atol=tolerance)
        assert y.dtype == model.dtype
    if KERNELS == "fused":  # BLAS rounds a row by its place in the batch
        np.testing.assert_array_equal(np.vstack([model.predict(X[i : i + 1]) for i in range(9)]), model.predict(X)[:9])


@EACH
def test_parameters_are_those_of_the_members_in_turn(activation: str | None) -> None:
    model, networks = ensemble(activation)
    np.testing.assert_array_equal(model.parameters.vector, np.concatenate([one.parameters.vector for one in networks]))
    before = model.predict(X)
    networks[0].parameters.vector[:] = 0  # a copy
    np.testing.assert_array_equal(model.predict(X), before)
    np.testing.assert_array_equal(copy.deepcopy(model).predict(X), before)


def test_running_statistics_are_copied_too() -> None:
    network = cr.Sequential([cr.Linear(4, 3), cr.BatchNorm(3)], rng=0)
    network.forward(X, training=True)
    model = cr.Sequential([cr.Members([network, network])])
    np.testing.assert_allclose(model.predict(X), network.predict(X), rtol=1e-6)


def test_lists_of_layers_begin_with_values_of_their_own() -> None:
    model = cr.Sequential([cr.Members([[cr.Linear(4, 2)], [cr.Linear(4, 2)]])], rng=0)
    assert not np.array_equal(model.parameters["0.0.W"], model.parameters["0.1.W"])


@EACH
def test_gradients_are_proved(activation: str | None) -> None:
    model, _ = ensemble(activation, count=2)
    loss = {None: "squared_error", "softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}[activation]
    y = np.eye(3)[np.arange(9) % 3] if activation != "softmax" else np.arange(9) % 3
    assert cr.gradcheck(model, X[:9], y, loss).passed


@EACH
def test_probabilities_that_vanish_keep_their_gradient_finite(activation: str | None) -> None:
    networks = [[cr.Linear(1, 2, bias=False)] for _ in range(2)]
    model = cr.Sequential([cr.Members(networks, activation)])
    model.parameters.vector[:] = 1000.0, -1000.0, 1000.0, -1000.0
    for x in ([[1.0]], [[-1.0]]):
        assert np.isfinite(model.forward(x, training=True)).all()
        model.backward(np.ones((1, 2), np.float32))
        assert np.isfinite(model.gradients.vector).all()


@EACH
def test_members_learn_together(activation: str | None) -> None:
    model, _ = ensemble(activation)
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    history = cr.Trainer(model, "cross_entropy", cr.Adam(0.01), batch_size=50, rng=0).fit(X, y, epochs=20, verbose=0)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


@pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")
@EACH
def test_members_are_predicted_by_kernels(activation: str | None) -> None:
    model, _ = ensemble(activation)
    for layers in (model.layers, [*model.layers, cr.Softmax()]):
        program = programs(layers)
        assert program is not None
        assert isinstance(compiled_network(program), Mean)


@EACH
@pytest.mark.parametrize("suffix", [".onnx", ".h"])
def test_a_file_of_members_answers_as_the_model(activation: str | None, suffix: str, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model, _ = ensemble(activation)
    checked = cr.export(model, tmp_path / f"model{suffix}").checked
    assert checked is not None
    assert checked < 1e-4


@EACH
def test_saved_and_loaded_they_predict_the_same_bits(activation: str | None, tmp_path: Path) -> None:
    model, _ = ensemble(activation)
    cr.save(model, tmp_path / "model")
    twin = cr.load(tmp_path / "model")
    assert repr(twin) == repr(model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_a_code_that_one_member_does_not_know_is_named() -> None:
    model = cr.Sequential([cr.Members([member(0), member(1, codes=4)])])
    x = X.copy()
    x[7, 3] = 4
    with pytest.raises(ValueError, match="codes that are whole numbers from 0 to 3, got 4 at row "):
        model.predict(x)


@pytest.mark.parametrize(
    ("networks", "error", "says"),
    [
        ([], TypeError, r"Members expects a list of networks, got \[\]; write Members\(\[model1, model2\]\)"),
        ([[]], ValueError, "Members expects at least one layer, got an empty list"),
        ([["relu"]], TypeError, "Members expects a list of layers, got 'relu' at position 0"),
        ([[cr.Linear(3, 2)], [cr.Linear(4, 2)]], ValueError, "expects members of equal inputs, got 3 and 4"),
    ],
)
def test_what_is_no_network_is_refused(networks: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        cr.Members(networks)


def test_members_of_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expects members of equal outputs, got \(2,\) and \(3,\)"):
        cr.Sequential([cr.Members([[cr.Linear(4, 2)], [cr.Linear(4, 3)]])])
