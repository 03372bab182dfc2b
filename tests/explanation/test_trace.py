"""The numbers of a trace equal those of an independent computation: differences of predictions, or NumPy by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.explanation.trace import difference, trace
from chainrule.layers.activations import ACTIVATIONS
from chainrule.losses import get_loss
from chainrule.proof import table

H = 1e-6
ROWS = np.random.default_rng(1).standard_normal((5, 4))
#: Each layer of the proof table in a network of its own: (layers, x).
NETWORKS = {
    name: (lambda make=make: [cr.Linear(4, 6), make(), cr.Linear(6, 3)], ROWS) for name, make in table.LAYERS.items()
} | {
    name: (lambda make=make, width=width: [make(), cr.Linear(width, 3)], x)
    for name, (make, x, width) in table.FRONTS.items()
    if width
}


def network(name: str) -> tuple[cr.Sequential, np.ndarray]:
    make, x = NETWORKS[name]
    model = cr.Sequential(make(), rng=0, dtype="float64")
    rng = np.random.default_rng(2)
    model.parameters.vector[:] += 0.3 * rng.standard_normal(model.parameters.vector.shape)
    for array in model.buffers.values():
        array += rng.uniform(0.1, 0.5, array.shape)
    return model, x


def along(w):
    """The loss ⟨w, z⟩."""
    return lambda z, y, weight=None: (float(np.sum(w * z)), w.copy())


def slopes(array: np.ndarray, value) -> np.ndarray:
    """The central difference of a function along each entry of an array, which it reads."""
    found = np.empty(array.shape)
    for place in np.ndindex(array.shape):
        here = array[place]
        array[place] = here + H
        above = value()
        array[place] = here - H
        found[place] = (above - value()) / (2 * H)
        array[place] = here
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_the_slopes_of_the_prediction(name: str) -> None:
    model, x = network(name)
    w = np.random.default_rng(3).standard_normal((len(x), 3))
    steps, loss = trace(model, x, None, along(w))

    def value() -> float:
        return float(np.sum(w * model.predict(x))) + model.penalty()

    np.testing.assert_allclose(loss.outputs, model.predict(x), rtol=1e-12, atol=1e-12)
    assert abs(loss.value + loss.penalty - value()) < 1e-9
    named = {f"{step.layer}.{p.name}": p.gradient for step in steps for p in step.parameters}
    assert named.keys() == dict(model.parameters).keys()
    for key, gradient in named.items():
        np.testing.assert_allclose(gradient, slopes(model.parameters[key], value), rtol=2e-6, atol=2e-6, err_msg=key)
    first = next(step for step in steps if step.layer == "0" and step.inputs.shape == x.shape)
    moved = x.copy()
    codes = [] if name in table.LAYERS else [k for k in range(x.shape[1]) if set(x[:, k]) <= {0.0, 1.0, 2.0, 3.0}]
    expected = np.zeros(x.shape)
    for column in set(range(x.shape[1])) - set(codes):
        part = moved[:, column]
        expected[:, column] = slopes(part, lambda: float(np.sum(w * model.predict(moved))))
    np.testing.assert_allclose(first.input_gradient, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_in_training_it_is_the_step_that_training_would_take(name: str) -> None:
    model, x = network(name)
    w = np.random.default_rng(3).standard_normal((len(x), 3))
    steps, loss = trace(model, x, None, along(w), cr.SGD(0.5), training=True)
    before = model.parameters.vector.copy()
    z = model.forward(x, training=True)
    np.testing.assert_array_equal(loss.outputs, z)
    dx = model.backward(w, input_gradient=True)
    np.testing.assert_allclose(next(s for s in steps if s.layer == "0").input_gradient, dx, rtol=1e-12, atol=1e-12)
    cr.SGD(0.5).step(model.parameters.vector, model.gradients.vector)
    after = {f"{s.layer}.{p.name}": p.value + p.update for s in steps for p in s.parameters}
    for key, array in model.parameters.items():
        np.testing.assert_allclose(after[key], array, rtol=1e-12, atol=1e-12)
    assert not np.array_equal(before, model.parameters.vector)


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"softmax"}))
def test_an_activation_inside_a_dense_layer_is_a_step_of_its_own(name: str) -> None:
    model = cr.Sequential([cr.Linear(4, 3, name)], rng=0, dtype="float64")
    w = np.random.default_rng(3).standard_normal((5, 3))
    (affine, activation), _ = trace(model, ROWS, None, along(w))
    z = ROWS @ model.parameters["0.W"] + model.parameters["0.b"]
    np.testing.assert_allclose(affine.outputs, z, rtol=1e-12)
    np.testing.assert_array_equal(activation.inputs, affine.outputs)
    function = getattr(ops, activation.op)
    np.testing.assert_allclose(activation.outputs, function(z), rtol=1e-12, atol=1e-12)
    slope = (function(z + H) - function(z - H)) / (2 * H)
    np.testing.assert_allclose(activation.input_gradient, w * slope, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(affine.output_gradient, activation.input_gradient)
    assert (affine.op, activation.op) == ("affine", name)
    assert activation.equation[0].startswith("y = ")
    assert activation.gradient_equation[0].startswith("dx = dy")


def log_softmax(z: np.ndarray) -> np.ndarray:
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def of_labels(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -log_softmax(z)[np.arange(5), y]


def of_bits(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1)


def of_a_normal(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    variance = np.exp(z[:, 2:]) + cr.GaussianNLL().floor
    return (0.5 * np.log(2 * np.pi * variance) + (z[:, :2] - y) ** 2 / (2 * variance)).sum(axis=1)


def of_quantiles(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    below = y[:, :, None] - z.reshape(5, 2, 2)
    return np.maximum(below * [0.2, 0.8], below * [-0.8, -0.2]).sum(axis=(1, 2))


#: What each loss is, sample by sample.
VALUES = {
    "CrossEntropy": of_labels,
    "CrossEntropy (soft labels)": lambda z, y: -(y * log_softmax(z)).sum(axis=1),
    "CrossEntropy (label smoothing)": lambda z, y: 0.9 * of_labels(z, y) - 0.1 * log_softmax(z).mean(axis=1),
    "CrossEntropy (class weights)": of_labels,
    "CrossEntropy (probabilities)": lambda p, y: -np.log(p[np.arange(5), y]),
    "BinaryCrossEntropy": lambda z, y: of_bits(1 / (1 + np.exp(-z)), y),
    "BinaryCrossEntropy (probabilities)": of_bits,
    "PoissonNLL": lambda z, y: (np.exp(z) - y * z).sum(axis=1),
    "Quantile": of_quantiles,
    "GaussianNLL": of_a_normal,
    "SquaredError": lambda z, y: ((z - y) ** 2).sum(axis=1),
    "HalfSquaredError": lambda z, y: ((z - y) ** 2).sum(axis=1) / 2,
    "AbsoluteError": lambda z, y: np.abs(z - y).sum(axis=1),
    "Huber": lambda z, y: np.where(abs(z - y) < 1, (z - y) ** 2 / 2, abs(z - y) - 0.5).sum(axis=1),
    "LogCosh": lambda z, y: np.log(np.cosh(z - y)).sum(axis=1),
}


@pytest.mark.parametrize("name", table.LOSSES)
def test_every_loss_gives_its_value_and_the_slope_of_it(name: str) -> None:
    loss, make_target, width = table.LOSSES[name]
    rng = np.random.default_rng(0)
    layers = [cr.Linear(4, width)] + [cr.Softmax()] * (not getattr(loss, "from_logits", True))
    model = cr.Sequential(layers, rng=0, dtype="float64")
    y = make_target(rng, model.predict(ROWS))
    _, found = trace(model, ROWS, y, loss)
    z = model.predict(ROWS)
    weight = np.array([1.0, 2.0, 0.5, 3.0])[y] if "class weights" in name else np.ones(5)
    assert found.value == pytest.approx(float(weight @ VALUES[name](z, y) / weight.sum()), rel=1e-9)
    np.testing.assert_allclose(found.gradient, slopes(z, lambda: loss(z, y)[0]), rtol=1e-6, atol=1e-8)
    assert found.equation[0].startswith("l = ")
    assert all(line.startswith("d") for line in found.gradient_equation)


def test_a_network_of_two_layers_by_hand() -> None:
    model = cr.Sequential([cr.Linear(2, 3, "tanh", l2=0.1), cr.Linear(3, 1)], rng=0, dtype="float64")
    W, b, V, c = (model.parameters[name] for name in ("0.W", "0.b", "1.W", "1.b"))
    x, y = np.array([[0.5, -2.0]]), np.array([[1.0]])
    steps, loss = trace(model, x, y, get_loss("half_squared_error"), cr.SGD(0.1))
    h = np.tanh(x @ W + b)
    dz = h @ V + c - y
    du = dz @ V.T * (1 - h**2)
    assert loss.value == pytest.approx(float(dz[0, 0] ** 2) / 2)
    assert loss.penalty == pytest.approx(0.1 * float((W**2).sum()))
    expected = {"0.W": x.T @ du + 0.2 * W, "0.b": du[0], "1.W": h.T @ dz, "1.b": dz[0]}
    for step in steps:
        for p in step.parameters:
            gradient = expected[f"{step.layer}.{p.name}"]
            np.testing.assert_allclose(p.gradient, gradient, rtol=1e-12)
            np.testing.assert_allclose(p.update, -0.1 * gradient, rtol=1e-9)
    np.testing.assert_allclose(steps[0].input_gradient, du @ W.T, rtol=1e-12)
    assert [step.op for step in steps] == ["affine", "tanh", "affine"]
    assert "λ₂ W" in steps[0].gradient_equation[1]


def test_the_optimizer_goes_on_from_its_present_state() -> None:
    model = cr.Sequential([cr.Linear(2, 1)], rng=0, dtype="float64")
    optimizer, g = cr.SGD(0.1, momentum=0.5), np.array([1.0, -2.0, 3.0])
    optimizer.step(model.parameters.vector, g)
    x, y = np.array([[1.0, 2.0]]), np.array([[0.0]])
    steps, _ = trace(model, x, y, get_loss("half_squared_error"), optimizer)
    r = float(model.predict(x)[0, 0])
    W, b = steps[0].parameters
    np.testing.assert_allclose(W.update[:, 0], -0.1 * (r * x[0] + 0.5 * g[:2]), rtol=1e-12)
    np.testing.assert_allclose(b.update, -0.1 * (r + 0.5 * g[2:]), rtol=1e-12)
    assert optimizer.steps_taken == 1


def test_nothing_of_the_user_is_modified() -> None:
    model = cr.Sequential([cr.Linear(4, 6), cr.BatchNorm(6), cr.Dropout(0.5), cr.Linear(6, 2)], rng=0)
    optimizer = cr.Adam(0.1)
    y = np.array([0, 1, 1, 0, 1])

    def state() -> object:
        arrays = [model.parameters.vector, model.gradients.vector, *model.buffers.values(), ROWS, y]
        return (
            [a.copy() for a in arrays],
            model.rng.bit_generator.state,
            dict(optimizer.state),
            list(vars(model.layers[2])),
        )

    before = copy.deepcopy(state())
    for training in (False, True):
        trace(model, ROWS, y, get_loss("cross_entropy"), optimizer, training=training)
        difference(model, ROWS, y, get_loss("cross_entropy"), "0.W", (0, 0), training=training)
    after = state()
    for one, other in zip(before[0], after[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert before[1] == after[1]


@pytest.mark.parametrize("training", [False, True])
def test_the_difference_beside_a_gradient_agrees_with_it(training: bool) -> None:
    model = cr.Sequential([cr.Linear(4, 6, "tanh", l1=0.01), cr.Dropout(0.5), cr.BatchNorm(6), cr.Linear(6, 2)], rng=0)
    y, loss = np.array([0, 1, 1, 0, 1]), get_loss("cross_entropy")
    steps, _ = trace(model, ROWS, y, loss, training=training)
    gradient = steps[0].parameters[0].gradient
    for place in ((0, 0), (2, 3), (3, 5)):
        found = difference(model, ROWS, y, loss, "0.W", place, training=training)
        assert found.slope == pytest.approx(gradient[place], rel=1e-4, abs=1e-6)
        assert found.slope == (found.above - found.below) / (2 * found.span)
    found = difference(model, ROWS, y, loss, "x", (1, 2), training=training)
    assert found.slope == pytest.approx(steps[0].input_gradient[1, 2], rel=1e-4, abs=1e-6)


def test_without_a_loss_it_is_a_forward_pass_alone() -> None:
    model = cr.MLP([4, 6, 2], rng=0)
    steps, loss = trace(model, ROWS)
    assert loss is None
    assert all(step.output_gradient is None and step.input_gradient is None for step in steps)
    assert all(p.gradient is None and p.update is None for step in steps for p in step.parameters)
    np.testing.assert_allclose(steps[-1].outputs, model.predict(ROWS), rtol=1e-5, atol=1e-6)


def test_a_layer_of_the_user_is_one_step_in_the_words_of_its_docstring() -> None:
    class Square(cr.Layer):
        """Square each number.

            y = x²          dx = 2x · dy

        And nothing else.
        """

        def forward(self, x, work):
            work["x"] = x
            return x * x

        def backward(self, dy, work, input_gradient=True):
            return 2 * work["x"] * dy

    class Noisy(Square):
        def backward(self, dy, work, input_gradient=True):
            return 2 * work["mask"] * dy

    w = np.ones((5, 4))
    (step,), _ = trace(cr.Sequential([Square()], dtype="float64"), ROWS, None, along(w))
    assert (step.op, step.equation, step.gradient_equation) == ("square", ("y = x²",), ("dx = 2x · dy",))
    np.testing.assert_allclose(step.input_gradient, 2 * ROWS)
    with pytest.raises(ValueError, match="pass training=True"):
        trace(cr.Sequential([Noisy()], dtype="float64"), ROWS, None, along(w))
