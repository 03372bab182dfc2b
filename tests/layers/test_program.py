"""A layer's program says what the layer computes, and what gives one is computed by kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.layers.program import Call, program_of, programs, run
from chainrule.ops.fused import compiled
from chainrule.proof.table import LAYERS
from chainrule.training.stages import stages_of

needs_kernels = pytest.mark.skipif(compiled is None, reason="this installation has no compiled kernels in use")


def trained_a_little(layer: cr.Layer, rng: np.random.Generator) -> cr.Sequential:
    """A model of the layer between two others, none of whose parameters and statistics is as it was made."""
    model = cr.Sequential([cr.Linear(4, 6), layer, cr.Linear(6, 3)], rng=rng, dtype="float64")
    model.parameters.vector[:] += 0.3 * rng.standard_normal(model.parameters.vector.shape)
    for _ in range(5):
        model.forward(3 + rng.standard_normal((8, 4)), training=True)
    return model


@pytest.mark.parametrize("name", LAYERS)
def test_the_program_of_every_layer_computes_its_prediction(name: str, rng: np.random.Generator) -> None:
    model, x = trained_a_little(LAYERS[name](), rng), 3 * rng.standard_normal((7, 4))
    program = programs(model.layers)
    assert program is not None
    np.testing.assert_allclose(run(program, x), model.forward(x), rtol=1e-12, atol=1e-12)


class Gate(cr.Layer):
    """y = tanh(xW) of the user's own, said in primitives."""

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"W": (3, 5)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.W[:] = rng.standard_normal((3, 5))

    def forward(self, x: Any, work: Any) -> Any:
        work["x"], work["y"] = x, np.tanh(x @ self.W)
        return work["y"]

    def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
        dz = dy * (1 - work["y"] ** 2)
        self.dW[:] = work["x"].T @ dz
        return dz @ self.W.T

    def program(self, training: bool = False) -> Any:
        return Call("affine", {"W": self.W}), Call("tanh")


class Renormed(Gate):
    """Another equation, about which nothing is said."""

    def forward(self, x: Any, work: Any) -> Any:
        return 2 * super().forward(x, work)


def test_a_class_that_changes_an_equation_has_no_program_until_it_states_one() -> None:
    class Said(Renormed):
        def program(self, training: bool = False) -> Any:
            return Call("affine", {"W": 2 * self.W}), Call("tanh")

    model = cr.Sequential([Renormed()], rng=0)
    assert program_of(model.layers[0]) is None
    assert program_of(cr.Sequential([Said()]).layers[0]) is not None
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(model.predict(x), model.forward(x))


@needs_kernels
def test_a_layer_of_ones_own_with_a_program_is_trained_by_a_plan(rng: np.random.Generator, monkeypatch: Any) -> None:
    x, y = rng.standard_normal((60, 3)), rng.standard_normal((60, 2))

    def trained(silent: bool) -> np.ndarray:
        if silent:
            monkeypatch.setattr(Gate, "program", lambda self, training=False: None)
        model = cr.Sequential([Gate(), cr.Linear(5, 2)], rng=0, dtype="float64")
        assert (stages_of(model, x) is None) == silent
        cr.Trainer(model, "squared_error", cr.Adam(0.01), batch_size=16, rng=1).fit(x, y, epochs=3, verbose=0)
        np.testing.assert_allclose(model.predict(x), model.forward(x), rtol=1e-12)
        return model.parameters.vector.copy()

    np.testing.assert_allclose(trained(False), trained(True), rtol=1e-12)


def test_a_program_of_arrays_that_are_not_learned_is_trained_op_by_op(rng: np.random.Generator) -> None:
    class Mixed(cr.Layer):
        def forward(self, x: Any, work: Any) -> Any:
            return x @ np.eye(3)[::-1]

        def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
            return dy @ np.eye(3)[::-1]

        def program(self, training: bool = False) -> Any:
            return (Call("affine", {"W": np.eye(3)[::-1].copy()}),)

    model, x = cr.Sequential([Mixed(), cr.Linear(3, 2)], rng=0, dtype="float64"), rng.standard_normal((40, 3))
    cr.Trainer(model, "squared_error", "sgd", batch_size=8, rng=1).fit(x, x[:, :2], epochs=2, verbose=0)
    np.testing.assert_allclose(model.predict(x), model.forward(x), rtol=1e-12)


CHANGES = {
    "a setting of an activation": lambda model: setattr(model.layers[0].activation, "slope", 0.5),
    "another activation": lambda model: setattr(model.layers[0], "activation", "tanh"),
    "another layer": lambda model: model.layers.__setitem__(1, cr.Tanh()),
    "one more layer": lambda model: model.layers.append(cr.Sigmoid()),
    "a method of a layer": lambda model: setattr(model.layers[1], "forward", lambda x, work: x + 1),
    "a method of an activation": lambda model: setattr(
        model.layers[0].activation, "apply", lambda x, out: np.add(x, 1, out=out)
    ),
    "the numbers of W": lambda model: model.layers[0].W.__setitem__(..., 0.25),
    "all parameters": lambda model: model.parameters.vector.__imul__(2),
    "the dtype": lambda model: model.__setstate__(model.astype("float64").__getstate__()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_prediction_sees_what_changed_after_the_one_before(name: str, rng: np.random.Generator) -> None:
    model = cr.Sequential([cr.Linear(3, 4, cr.LeakyReLU(0.1)), cr.Softplus()], rng=0)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    before = model.predict(x)
    CHANGES[name](model)
    after = model.predict(x)
    np.testing.assert_allclose(after, model.forward(x), rtol=1e-6)
    assert after.shape != before.shape or not np.array_equal(after, before)


def test_a_call_without_its_number_has_the_default_of_its_op(rng: np.random.Generator) -> None:
    class Leaky(cr.Activation):
        def apply(self, x: Any, out: Any) -> Any:
            return ops.leaky_relu(x, out=out)

        def pull_back(self, dy: Any, x: Any, y: Any, out: Any) -> Any:
            return ops.leaky_relu_backward(dy, y, out=out)

        def program(self, training: bool = False) -> Any:
            return (Call("leaky_relu"),)

    model, x = cr.Sequential([cr.Linear(3, 3, Leaky())], rng=0, dtype="float64"), rng.standard_normal((20, 3))
    np.testing.assert_allclose(model.predict(x), model.forward(x), rtol=1e-12)
    trained = [model, cr.Sequential([cr.Linear(3, 3), cr.LeakyReLU()], rng=0, dtype="float64")]
    trained[1].parameters.vector[:] = model.parameters.vector
    for one in trained:
        cr.Trainer(one, "squared_error", "sgd", batch_size=8, rng=1).fit(x, x, epochs=2, verbose=0)
    np.testing.assert_allclose(*(one.parameters.vector for one in trained), rtol=1e-12)


def test_every_elementwise_op_is_the_meaning_of_its_own_call(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 5))
    np.testing.assert_array_equal(run((Call("leaky_relu", numbers={"slope": 0.3}),), x), ops.leaky_relu(x, 0.3))
    np.testing.assert_allclose(run((Call("add", branches=((Call("tanh"),),)),), x), x + np.tanh(x), rtol=1e-14)
