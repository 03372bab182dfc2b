"""ParametricActivation: each feature learns how much of an activation it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.layers.activations import ACTIVATIONS
from chainrule.layers.kernels import dense_layers
from chainrule.layers.program import programs
from chainrule.ops.fused import KERNELS, compiled

FAR = np.array([[-1e4, -300, -30, -1, -1e-3, 0, 1e-6, 0.5, 1, 30, 300, 1e4]]).repeat(3, axis=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_at_first_it_is_the_activation_itself(name: str, dtype: str) -> None:
    layer = cr.ParametricActivation(FAR.shape[1], name)
    model = cr.Sequential([layer], dtype=dtype)
    np.testing.assert_array_equal(model.forward(FAR), getattr(ops, name)(FAR.astype(dtype)))


@pytest.mark.parametrize("name", ["relu", "selu", "mish"])
def test_each_feature_lies_between_its_input_and_the_activation(name: str) -> None:
    layer = cr.ParametricActivation(FAR.shape[1], name)
    model = cr.Sequential([layer], dtype="float64")
    layer.amount[:] = np.linspace(-0.5, 1.5, FAR.shape[1])
    f = getattr(ops, name)(FAR)
    np.testing.assert_allclose(model.predict(FAR), FAR + layer.amount * (f - FAR), rtol=1e-12)
    layer.amount[:] = 0
    np.testing.assert_array_equal(model.predict(FAR), FAR)


def network(dtype: str = "float32") -> cr.Sequential:
    layers: list[cr.Layer] = [cr.ParametricActivation(7, cr.ELU(0.5)), cr.Scale(7), cr.Linear(7, 40)]
    layers += [cr.ParametricActivation(40, "selu"), cr.Scale(40), cr.Tanh(), cr.ParametricActivation(40, "mish")]
    model = cr.Sequential([*layers, cr.Linear(40, 3), cr.ParametricActivation(3, "relu")], rng=0, dtype=dtype)
    for array in model.parameters.values():
        if array.ndim == 1:
            array[:] = np.linspace(-0.5, 1.5, array.size)
    return model


@pytest.mark.skipif(KERNELS != "fused", reason="compiled kernels are not in use")
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize("rows", [1, 3, 4, 97, 200])
def test_predictions_by_kernels_are_those_of_the_layers(rows: int, dtype: str, tolerance: float) -> None:
    model, x = network(dtype), np.random.default_rng(rows).normal(size=(rows, 7)).astype(dtype)
    dense = dense_layers(programs(model.layers) or ())
    assert dense is not None
    y = compiled.forward(dense, x)
    np.testing.assert_allclose(y, model.forward(x), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(model.predict(x), y)


@pytest.mark.skipif(KERNELS != "fused", reason="compiled kernels are not in use")
@pytest.mark.parametrize("vector", [np.ones(4, np.float32), np.ones(3), np.ones(6, np.float32)[::2]])
@pytest.mark.parametrize("activation", [0, -1])
def test_vectors_that_do_not_fit_are_left_to_the_layers(vector: np.ndarray, activation: int) -> None:
    x, ones = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    assert compiled.forward([(vector, None, activation, 0.0)], x) is None
    assert compiled.forward([(ones, vector, -1, 0.0)], x) is None
    np.testing.assert_array_equal(compiled.forward([(2 * ones, ones, -1, 0.0)], x), 3 * x)


class Twice(cr.Activation):
    """An activation that only Python knows."""

    def apply(self, x: Any, out: Any) -> Any:
        return np.multiply(x, 2, out=out)

    def pull_back(self, dy: Any, x: Any, y: Any, out: Any) -> Any:
        return np.multiply(dy, 2, out=out)


@pytest.mark.parametrize("activation", [Twice(), "softmax", "identity"], ids=str)
def test_an_activation_without_a_kernel_is_trained_as_well(activation: Any) -> None:
    model = cr.Sequential([cr.Linear(3, 4), cr.ParametricActivation(4, activation), cr.Linear(4, 1)], rng=0)
    x = np.random.default_rng(0).normal(size=(40, 3))
    history = cr.Trainer(model, "squared_error", cr.Adam(0.05)).fit(x, x[:, :1] * x[:, 1:2], epochs=20, verbose=0)
    assert history["loss"][-1] < history["loss"][0]
    np.testing.assert_allclose(model.predict(x), model.forward(x), rtol=1e-5, atol=1e-6)


def test_it_is_described_by_the_name_of_its_activation() -> None:
    layer = cr.ParametricActivation(3, "selu")
    assert layer.config() == {"type": "ParametricActivation", "features": 3, "activation": "selu"}
    assert repr(layer) == "ParametricActivation(3, selu)"
    assert repr(cr.ParametricActivation(3, cr.ELU(0.5))) == "ParametricActivation(3, ELU(alpha=0.5))"


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (lambda: cr.ParametricActivation(0, "selu"), ValueError, "ParametricActivation expects features >= 1"),
        (lambda: cr.ParametricActivation(3, "sellu"), ValueError, "did you mean 'selu'"),
        (lambda: cr.ParametricActivation(3, None), TypeError, "an Activation, got None"),  # type: ignore[arg-type]
        (lambda: network().predict(np.ones((2, 6))), ValueError, r"expects input of shape \(N, 7\)"),
        (lambda: cr.convert.state_dict(network()), ValueError, r"PReLU, got ParametricActivation\(7, ELU"),
    ],
)
def test_what_does_not_fit_is_refused(act: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        act()
