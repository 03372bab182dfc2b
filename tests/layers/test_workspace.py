"""What lies between forward and backward: backward is for the last forward(training=True), whatever came since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import LAYERS
from changes import FRONTS, layer_of

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.normal(size=(12, 6)), RNG.normal(size=(30, 6))
TARGET = RNG.normal(size=(12, 8))
ACTIVATIONS = [name for name in LAYERS if issubclass(LAYERS[name], cr.Activation)]


def model_of(name: str, within: bool, dtype: str) -> cr.Sequential:
    """With the layer in the middle and at the end, or an activation within dense layers."""
    make = lambda: [cr.Linear(8, 8, LAYERS[name]())] if within else [layer_of(name)]  # noqa: E731
    return cr.Sequential([cr.Linear(6, 8), *make(), cr.Linear(8, 8), *make()], rng=0, dtype=dtype)


MODELS = [(name, False) for name in LAYERS if name not in FRONTS] + [(name, True) for name in ACTIVATIONS]


def gradients(model: cr.Sequential, between: Callable[[cr.Sequential], Any] = lambda model: None) -> list[np.ndarray]:
    model.rng = 1
    z = model.forward(FIRST, training=True)
    dz = cr.SquaredError()(z, TARGET)[1]
    between(model)
    dx = model.backward(dz, input_gradient=True)
    assert dx is not None
    return [dx.copy(), model.gradients.vector.copy()]


BETWEEN: dict[str, Callable[[cr.Sequential], Any]] = {
    "a forward pass": lambda model: model.forward(SECOND),
    "a prediction": lambda model: model.predict(SECOND),
    "one row at a time": lambda model: model.predict(SECOND, batch_size=1),
    "a penalty": lambda model: model.penalty(),
    "another backward": lambda model: model.backward(np.ones((12, 8)), input_gradient=True),
    "an evaluation": lambda model: cr.Trainer(model, "squared_error").evaluate(SECOND, np.ones((30, 8))),
    "a copy": lambda model: model.astype("float32").forward(SECOND, training=True),
}


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "within"), MODELS)
def test_nothing_between_forward_and_backward_changes_the_gradient(
    name: str, within: bool, dtype: str, between: str
) -> None:
    model = model_of(name, within, dtype)
    expected = gradients(model)
    if name == "BatchNorm":
        model = model_of(name, within, dtype)  # its running statistics have moved
    for mine, theirs in zip(gradients(model, BETWEEN[between]), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_after_two_forward_passes_backward_is_for_the_second() -> None:
    model = model_of("Tanh", False, "float64")
    expected = gradients(model)
    model.forward(SECOND, training=True)
    for mine, theirs in zip(gradients(model), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    model.forward(SECOND, training=True)
    with pytest.raises(ValueError, match=r"^backward expects a gradient of shape \(30, 8\), got \(12, 8\)\.$"):
        model.backward(np.ones((12, 8)))


def test_backward_after_a_fit_says_what_is_missing() -> None:
    model = model_of("Tanh", False, "float64")
    gradients(model)
    cr.Trainer(model, "squared_error").fit(FIRST, TARGET, epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"^backward expects a forward pass before it, got none; call forward\(x, tr"):
        model.backward(np.ones((12, 8)))


def test_the_gradient_of_a_loss_may_overwrite_the_output_of_a_linear_layer() -> None:
    model = cr.MLP([6, 8, 8], "tanh", rng=0, dtype="float64")
    expected = gradients(model)
    z = model.forward(FIRST, training=True)
    _, dz = cr.SquaredError()(z, TARGET, out=z)
    model.backward(dz)
    np.testing.assert_array_equal(model.gradients.vector, expected[1])
