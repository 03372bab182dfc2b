"""TabM: members over shared layers, each trained on its own error, averaged in prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.kernels import Mean, compiled_network
from chainrule.layers.program import programs
from chainrule.losses import EachMember
from chainrule.ops.fused import KERNELS

K, X = 5, np.random.default_rng(0).normal(size=(300, 4))
ACTIVATIONS = {None: lambda z: z, "softmax": cr.ops.softmax, "sigmoid": cr.ops.sigmoid}
EACH = pytest.mark.parametrize("activation", ACTIVATIONS)


def network(activation: str | None = None, dtype: str = "float64", **options: object) -> cr.Sequential:
    front = cr.PiecewiseLinear([[-1, 0, 1]] * 4, 2)
    shared = [cr.Linear(8, 6, "tanh"), cr.ParametricActivation(6, "selu")]
    return cr.Sequential([front, cr.TabM(8, shared, 3, K, [2] * 4, activation, **options)], rng=0, dtype=dtype)


def alone(model: cr.Sequential, member: int) -> cr.Sequential:
    """One member as an ordinary network."""
    tabm = model.layers[1]
    layers = [
        cr.PiecewiseLinear(model.layers[0].edges, 2), cr.Scale(8), cr.Linear(8, 6, "tanh"),
        cr.ParametricActivation(6, "selu"), cr.Linear(6, 3),
    ]  # fmt: skip
    own = cr.Sequential(layers, dtype=model.dtype)
    shared = [model.parameters[name] for name in ("1.0.W", "1.0.b", "1.1.amount")]
    arrays = [*(model.parameters[f"0.{name}"] for name in ("steps", "slope", "bias")), tabm.r[member], *shared]
    own.parameters.vector[:] = np.concatenate([np.ravel(one) for one in (*arrays, tabm.A[member], tabm.c[member])])
    return own


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_member_is_a_network_and_predictions_are_their_mean(activation: str | None, dtype: str) -> None:
    model, then = network(activation, dtype), ACTIVATIONS[activation]
    outputs = [alone(model, member).predict(X) for member in range(K)]
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(model.forward(X, training=True), np.stack(outputs, axis=1), rtol=0, atol=tolerance)
    expected = np.mean([then(z) for z in outputs], axis=0)
    for y in (model.predict(X), model.forward(X), model.predict(X[:1])):
        np.testing.assert_allclose(then(y), expected[: len(y)], rtol=0, atol=tolerance)


@EACH
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_the_mean_of_that_of_each_member(activation: str | None, weighted: bool) -> None:
    """Not that of the loss of the mean; what members share gets the sum."""
    model, y = network(activation), np.random.default_rng(1).integers(0, 3, 300)
    weight = np.random.default_rng(2).uniform(0.1, 2, 300) if weighted else None
    value, dz = EachMember("cross_entropy")(model.forward(X, training=True), y, weight)
    dx = model.backward(dz, input_gradient=True)
    values, shared, inputs = [], [], []
    for member in range(K):
        own = alone(model, member)
        each, d = cr.losses.get_loss("cross_entropy")(own.forward(X, training=True), y, weight)
        inputs.append(own.backward(d, input_gradient=True))
        values.append(each)
        shared.append(own.gradients["2.W"].copy())
        np.testing.assert_allclose(model.layers[1].dA[member], own.gradients["4.W"] / K, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(model.layers[1].dr[member], own.gradients["1.gain"] / K, rtol=1e-9, atol=1e-14)
    assert value == pytest.approx(np.mean(values))
    np.testing.assert_allclose(model.gradients["1.0.W"], np.mean(shared, axis=0), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(dx, np.mean(inputs, axis=0), rtol=1e-9, atol=1e-14)


@EACH
def test_gradients_are_proved(activation: str | None) -> None:
    assert cr.gradcheck(network(activation), X[:9], np.arange(9) % 3, EachMember("cross_entropy")).passed


def test_the_loss_of_a_prediction_is_the_loss_itself() -> None:
    z, y = X[:, :3], np.arange(300) % 3
    value, dz = EachMember("cross_entropy")(z, y)
    expected, other = cr.losses.get_loss("cross_entropy")(z, y)
    assert value == expected
    np.testing.assert_array_equal(dz, other)


def test_it_begins_with_the_published_values() -> None:
    signs = cr.TabM(500, [cr.Linear(500, 16)], 2, 20)
    normal = cr.TabM(500, [cr.Linear(500, 16)], 2, 20, [5] * 100)
    for layer in (signs, normal):
        cr.Sequential([layer], rng=0)
        for drawn in (layer.A, layer.c):
            assert np.abs(drawn).max() <= 0.25
        assert layer.A.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.1)
    assert set(signs.r.ravel().tolist()) == {-1.0, 1.0}
    assert abs(signs.r.mean()) < 0.05
    assert normal.r.std() == pytest.approx(1, rel=0.1)
    np.testing.assert_array_equal(normal.r.reshape(20, 100, 5), np.repeat(normal.r[:, ::5, None], 5, axis=2))


def test_it_learns_and_validates_on_the_mean() -> None:
    y = X[:, :1] * X[:, 1:2]
    model = cr.Sequential([cr.TabM(4, [cr.Linear(4, 32, "relu")], 1)], rng=0)
    trainer = cr.Trainer(model, EachMember("squared_error"), cr.AdamW(5e-3), batch_size=50, rng=0)
    history = trainer.fit(X, y, epochs=60, verbose=0, validation=(X, y))
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    assert history["validation_loss"][-1] == pytest.approx(float(np.mean((model.predict(X) - y) ** 2)), rel=1e-4)
    each = model.forward(X, training=True)[:, :, 0]
    assert each.std(axis=1).mean() > 1e-3


def test_metrics_of_the_training_rows_are_those_of_the_mean() -> None:
    model, y = network("softmax"), np.arange(300) % 3
    trainer = cr.Trainer(model, EachMember("cross_entropy"), cr.SGD(0.0), metrics=["accuracy"], batch_size=100)
    history = trainer.fit(X, y, epochs=1, verbose=0, validation=(X, y))
    assert history["accuracy"] == history["validation_accuracy"] == [np.mean(model.predict(X).argmax(axis=1) == y)]


@pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")
@EACH
def test_it_is_predicted_by_kernels(activation: str | None) -> None:
    program = programs(network(activation).layers)
    assert program is not None
    assert isinstance(compiled_network(program), Mean)


@EACH
@pytest.mark.parametrize("suffix", [".onnx", ".h", ".safetensors"])
def test_a_file_answers_as_the_model(activation: str | None, suffix: str, tmp_path: Path) -> None:
    model, path = network(activation, "float32"), tmp_path / f"model{suffix}"
    if suffix == ".safetensors":
        cr.save(model, path)
        np.testing.assert_array_equal(cr.load(path).predict(X), model.predict(X))
        return
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    checked = cr.export(model, path).checked
    assert checked is not None
    assert checked < 1e-4


def test_onnx_holds_shared_weights_once(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    sizes = [
        cr.export(cr.Sequential([cr.TabM(200, [cr.Linear(200, 100)], 1, k)], rng=0), tmp_path / "model.onnx").bytes
        for k in (2, 8)
    ]
    assert sizes[1] < 1.4 * sizes[0]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="expects groups of 4 columns in all, got 5"):
        cr.TabM(4, [cr.Linear(4, 3)], 1, groups=[2, 3])
    with pytest.raises(ValueError, match=r"Linear\(5 → 3\) expects 5 inputs, got 4"):
        cr.TabM(4, [cr.Linear(5, 3)], 1)
    with pytest.raises(TypeError, match="groups as a list of widths, got 3"):
        cr.TabM(4, [cr.Linear(4, 3)], 1, groups=3)  # type: ignore[arg-type]
