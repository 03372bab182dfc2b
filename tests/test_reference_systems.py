"""The five reference systems, each against a small network written for this in plain NumPy (``oracles/``).

Both begin with the same parameters and see the same batches, drawn from equal generators; then every parameter must
agree to 1e-10 after each ten of a hundred steps, and the loss at every step.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import oracles
from oracles import dense_regression, image_classifier, layered_mlp, leaky_relu_regression, sampled_sigmoid

STEPS = 100
TOLERANCE = 1e-10


class Recorder(cr.Callback):
    """The loss of every step, and the parameters as they stand after each ten."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.points: list[np.ndarray] = []

    def on_batch_end(self, trainer: Any, loss: float) -> None:
        self.losses.append(loss)
        if len(self.losses) % 10 == 0:
            self.points.append(trainer.model.parameters.vector.copy())


def our_path(model: cr.Sequential, loss: Any, optimizer: Any, x: Any, y: Any, epochs: int, **how: Any) -> Recorder:
    recorder = Recorder()
    cr.Trainer(model, loss, optimizer, callbacks=[recorder], **how).fit(x, y, epochs=epochs, verbose=0)
    return recorder


def assert_same_path(ours: Recorder, start: np.ndarray, theirs: Iterator[tuple[float, list[Any]]]) -> None:
    """``theirs`` gives at every step the loss before it and the arrays W₁, b₁, W₂, b₂, ... after it, W as (I, O)."""
    steps = list(theirs)
    assert len(steps) == len(ours.losses) == STEPS
    np.testing.assert_allclose(ours.losses, [loss for loss, _ in steps], rtol=TOLERANCE, atol=TOLERANCE)
    path = [np.concatenate([np.ravel(array) for array in arrays]) for _, arrays in steps[9::10]]
    np.testing.assert_allclose(ours.points, path, rtol=0, atol=TOLERANCE)
    assert np.abs(ours.points[-1] - start).max() > 0.01  # and it did go somewhere


def weights(model: cr.Sequential) -> list[np.ndarray]:
    return [array.copy() for name, array in model.parameters.items() if name.endswith(".W")]


def biases(model: cr.Sequential) -> list[np.ndarray]:
    return [array.copy() for name, array in model.parameters.items() if name.endswith(".b")]


def pairs(W: list[np.ndarray], b: list[np.ndarray] | None) -> list[np.ndarray]:
    if b is None:
        return [w.copy() for w in W]
    return [array.copy() for pair in zip(W, b, strict=True) for array in pair]


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """310 real scans (N, 8, 8), their labels (N,) and the same one-hot (N, 10); ten batches of 32, the last of 22."""
    pytest.importorskip("sklearn")
    named = cr.data.load_named("digits")
    labels = named.y[:310]
    return named.x[:310].reshape(-1, 8, 8).astype(np.float64), labels, np.eye(10)[labels]


# A · a layered perceptron


def layered_mlp_path(oracle: layered_mlp.LayeredMLP, x: Any, targets: Any, seed: int) -> Iterator[tuple[float, Any]]:
    rng = np.random.default_rng(seed)
    for _ in range(STEPS // 10):
        for xb, tb in layered_mlp.shuffled_batches(rng, x, targets, 32):
            yield oracle.step(xb, tb), pairs(oracle.W, oracle.b)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("penalty", [{}, {"l1": 1e-3}, {"l2": 1e-2}], ids=["plain", "L1", "L2"])
@pytest.mark.parametrize(
    "softmax, loss",
    [(True, "cross-entropy"), (True, "sq-error"), (False, "sq-error")],
    ids=["softmax cross-entropy", "softmax sq-error", "linear sq-error"],
)
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_layered_mlp(
    digits: Any, activation: str, softmax: bool, loss: str, penalty: dict[str, float], bias: bool
) -> None:
    x, labels, onehot = digits[0].reshape(-1, 64), *digits[1:]
    model = cr.MLP([64, 16, 12, 10], activation, softmax=softmax, bias=bias, **penalty, rng=1, dtype="float64")
    start = model.parameters.vector.copy()
    oracle = layered_mlp.LayeredMLP(
        weights(model), biases(model) if bias else None, activation, softmax, loss, rate=0.1, **penalty
    )
    our_loss = cr.CrossEntropy(from_logits=False) if loss == "cross-entropy" else cr.SquaredError()
    y = labels if loss == "cross-entropy" else onehot
    ours = our_path(model, our_loss, cr.SGD(0.1), x, y, epochs=10, batch_size=32, rng=5)
    assert_same_path(ours, start, layered_mlp_path(oracle, x, onehot, seed=5))


def test_layered_mlp_with_the_same_dropout_masks(digits: Any) -> None:
    x, labels, onehot = digits[0].reshape(-1, 64), *digits[1:]
    model = cr.MLP([64, 16, 12, 10], "relu", softmax=True, dropout=0.25, rng=2, dtype="float64")
    start, rng = model.parameters.vector.copy(), copy.deepcopy(model.rng)

    def keep(shape: tuple[int, ...]) -> np.ndarray:
        return cr.ops.dropout(np.ones(shape), 0.25, rng)[1]

    oracle = layered_mlp.LayeredMLP(weights(model), biases(model), "relu", True, "cross-entropy", rate=0.1, keep=keep)
    loss = cr.CrossEntropy(from_logits=False)
    ours = our_path(model, loss, cr.SGD(0.1), x, labels, epochs=10, batch_size=32, rng=5)
    assert_same_path(ours, start, layered_mlp_path(oracle, x, onehot, seed=5))


# B · regression with leaky ReLU

LEAKY_X = np.array([[2.0], [-1.0], [3.0]])
LEAKY_Y = np.array([[3.0], [1.0], [5.0]])
SEEDS = range(50)
# Of these seeds, those whose loss is still too high after 100 epochs, and where they are.
LATE = {
    (1, 1, 1): {0, 3, 14, 16, 33}  # on the plateau ½ var y = 4/3, where every output is the mean of y
    | {13, 46, 19, 31},  # on the way down from there
    (1, 4, 3, 1): {0, 3, 7, 20, 32, 37, 38, 40, 43}  # on the plateau
    | {8, 22, 47}  # in the valley near 1/3, where 2 and 3 are taken for the same
    | {5, 10, 17, 18, 23, 24, 26, 28, 29, 36, 41, 45, 49},  # on the way
}


def leaky_model(sizes: tuple[int, ...], seed: int) -> cr.Sequential:
    return cr.MLP(sizes, cr.LeakyReLU(0.01), initializer=cr.initializers.Normal(0.1), rng=seed, dtype="float64")


def leaky_path(params: dict[str, np.ndarray]) -> Iterator[tuple[float, list[np.ndarray]]]:
    for _ in range(STEPS):
        Y_hat, cache = leaky_relu_regression.forward(params, LEAKY_X.T)
        loss = leaky_relu_regression.half_mean_square(Y_hat, LEAKY_Y.T)
        grads = leaky_relu_regression.backward(params, cache, Y_hat, LEAKY_Y.T)
        params = leaky_relu_regression.update(params, grads, 0.1)
        yield loss, [array.T for array in params.values()]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 4, 3, 1)], ids=str)
def test_leaky_relu_regression(sizes: tuple[int, ...], seed: int) -> None:
    model = leaky_model(sizes, seed)
    start, params = model.parameters.vector.copy(), {}
    for k, (W, b) in enumerate(zip(weights(model), biases(model), strict=True), start=1):
        params |= {f"W{k}": W.T, f"b{k}": b[:, None]}
    ours = our_path(model, cr.HalfSquaredError(), cr.SGD(0.1), LEAKY_X, LEAKY_Y, epochs=STEPS, batch_size=None)
    assert_same_path(ours, start, leaky_path(params))


def printed_losses(sizes: tuple[int, ...], seed: int) -> list[float]:
    """The losses as ``Progress(every=5)`` prints them: of epoch 1, 5, 10, ..., 100."""
    out = io.StringIO()
    progress = cr.callbacks.Progress(every=5, file=out)
    trainer = cr.Trainer(leaky_model(sizes, seed), "half_squared_error", cr.SGD(0.1), None, callbacks=[progress])
    trainer.fit(LEAKY_X, LEAKY_Y, epochs=100)
    return [float(number) for number in re.findall(r"loss (\S+)", out.getvalue())]


@pytest.mark.parametrize("sizes, limit", [((1, 1, 1), 0.35), ((1, 4, 3, 1), 0.05)], ids=str)
def test_leaky_relu_regression_prints_a_falling_loss(sizes: tuple[int, ...], limit: float) -> None:
    printed = {seed: printed_losses(sizes, seed) for seed in SEEDS}
    assert {len(losses) for losses in printed.values()} == {21}
    assert all(5.7 < losses[0] < 6.3 for losses in printed.values())
    assert all(losses[-1] < 1.334 for losses in printed.values())
    assert {seed for seed, losses in printed.items() if losses[-1] >= limit} == LATE[sizes]


# C · a sigmoid network that samples one mini-batch an epoch


def sigmoid_problem() -> tuple[np.ndarray, np.ndarray, cr.Sequential, sampled_sigmoid.SigmoidNetwork]:
    """A bump over two inputs, and twice the same network with W and b from U[−½, ½]."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (60, 2))
    y = np.exp(-3 * (x**2).sum(axis=1, keepdims=True))
    rule = cr.initializers.Uniform(-0.5, 0.5)
    layers = [
        cr.Linear(inputs, outputs, activation="sigmoid", initializer=rule, bias_initializer=rule)
        for inputs, outputs in ((2, 5), (5, 4), (4, 1))
    ]
    model = cr.Sequential(layers, rng=4, dtype="float64")
    return x, y, model, sampled_sigmoid.SigmoidNetwork(weights(model), biases(model))


def test_sampled_sigmoid_network() -> None:
    x, y, model, oracle = sigmoid_problem()
    start = model.parameters.vector.copy()

    def path() -> Iterator[tuple[float, list[np.ndarray]]]:
        rng = np.random.default_rng(7)
        for _ in range(STEPS):
            rows = rng.choice(60, 8, replace=False)
            error = oracle.error(x[rows], y[rows])
            oracle.learn(x[rows], y[rows], rate=2.0)
            yield error, pairs([w.T for w in oracle.weights], oracle.biases)

    sampling: dict[str, Any] = {"batch_size": 8, "sample": "one", "rng": 7}
    ours = our_path(model, cr.HalfSquaredError(), cr.SGD(2.0), x, y, epochs=STEPS, **sampling)
    assert_same_path(ours, start, path())


def test_the_gradient_of_a_sampled_batch_is_the_mean_of_its_samples() -> None:
    x, y, model, oracle = sigmoid_problem()
    ((xb, yb),) = cr.batches(x, y, size=8, sample="one", rng=11)
    assert len(np.unique(xb, axis=0)) == 8
    model.backward(cr.HalfSquaredError()(model.forward(xb, training=True), yb)[1])
    single = [oracle.sample_gradients(sample, answer) for sample, answer in zip(xb, yb, strict=True)]
    vectors = [np.concatenate([a.T.ravel() for pair in zip(*one, strict=True) for a in pair]) for one in single]
    np.testing.assert_allclose(model.gradients.vector, np.mean(vectors, axis=0), rtol=0, atol=1e-14)


# D · a classifier of images


def classifier_models(seed: int, hidden: str, last: str) -> tuple[cr.Sequential, list[Any]]:
    """Flatten, 64 → 20, σ, 20 → 10, and ``last`` behind it: ours, and the oracle's layers."""
    ours: dict[str, type[cr.Layer]] = {"relu": cr.ReLU, "tanh": cr.Tanh, "sigmoid": cr.Sigmoid, "softmax": cr.Softmax}
    theirs = {
        "relu": image_classifier.ReLU,
        "tanh": image_classifier.Tanh,
        "sigmoid": image_classifier.Sigmoid,
        "softmax": image_classifier.Softmax,
    }
    rule = cr.initializers.HeNormalWithBias()
    first, second = cr.Linear(64, 20, initializer=rule), cr.Linear(20, 10, initializer=rule)
    model = cr.Sequential([cr.Flatten(), first, ours[hidden](), second, ours[last]()], rng=seed, dtype="float64")
    dense = [image_classifier.Dense(W, b) for W, b in zip(weights(model), biases(model), strict=True)]
    return model, [image_classifier.FlattenImages(), dense[0], theirs[hidden](), dense[1], theirs[last]()]


def classifier_path(oracle: image_classifier.Classifier, images: Any, onehot: Any) -> Iterator[tuple[float, list[Any]]]:
    rng = np.random.default_rng(9)
    for _ in range(STEPS // 10):
        order = rng.permutation(len(images))
        for start in range(0, len(images), 32):
            rows = order[start : start + 32]
            loss = oracle.step(images[rows], onehot[rows])
            yield loss, [layer.params.copy() for layer in oracle.layers if layer.params is not None]


OPTIMIZERS = {
    "plain": lambda: (cr.SGD(0.1), image_classifier.Momentum(0.1, 0.0)),
    "momentum": lambda: (cr.SGD(0.1, momentum=0.9, dampening=0.9), image_classifier.Momentum(0.1, 0.9)),
    "adam": lambda: (cr.Adam(0.003, betas=(0.9, 0.99)), image_classifier.Adam(0.003, 0.9, 0.99)),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "last, loss", [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("softmax", "squared_error")]
)
@pytest.mark.parametrize("hidden", ["relu", "tanh", "sigmoid"])
def test_image_classifier(digits: Any, hidden: str, last: str, loss: str, optimizer: str) -> None:
    images, labels, onehot = digits
    model, layers = classifier_models(6, hidden, last)
    start = model.parameters.vector.copy()
    ours, theirs = OPTIMIZERS[optimizer]()
    our_loss: Any = {
        "cross_entropy": cr.CrossEntropy(from_logits=False),
        "binary_cross_entropy": cr.BinaryCrossEntropy(from_logits=False),
        "squared_error": cr.SquaredError(),
    }[loss]
    y = labels if loss == "cross_entropy" else onehot
    path = our_path(model, our_loss, ours, images, y, epochs=10, batch_size=32, rng=9)
    oracle = image_classifier.Classifier(layers, loss, theirs)
    assert_same_path(path, start, classifier_path(oracle, images, onehot))


@pytest.mark.parametrize(
    "last, loss, our_loss",
    [
        ("softmax", "cross_entropy", cr.CrossEntropy()),
        ("sigmoid", "binary_cross_entropy", cr.BinaryCrossEntropy()),
    ],
)
def test_image_classifier_with_the_loss_on_logits(digits: Any, last: str, loss: str, our_loss: cr.Loss) -> None:
    """The last activation may be left to the loss, which is the same function, and finite at any magnitude."""
    images, labels, onehot = digits
    with_last, layers = classifier_models(6, "relu", last)
    model = cr.Sequential([cr.Flatten(), cr.Linear(64, 20), cr.ReLU(), cr.Linear(20, 10)], dtype="float64")
    model.parameters.vector[:] = start = with_last.parameters.vector.copy()
    y = labels if loss == "cross_entropy" else onehot
    path = our_path(model, our_loss, cr.SGD(0.1), images, y, epochs=10, batch_size=32, rng=9)
    oracle = image_classifier.Classifier(layers, loss, image_classifier.Momentum(0.1, 0.0))
    assert_same_path(path, start, classifier_path(oracle, images, onehot))


# E · regression from dense layers


@pytest.mark.parametrize("sizes", [(10, 1), (10, 12, 1), (10, 12, 6, 1)], ids=str)
@pytest.mark.parametrize("activation, slope", [("relu", 0.0), (cr.LeakyReLU(0.01), 0.01)], ids=["relu", "leaky"])
def test_dense_regression(sizes: tuple[int, ...], activation: Any, slope: float) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_diabetes(return_X_y=True)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), ((y - y.mean()) / y.std())[:, None]
    model = cr.MLP(sizes, activation, rng=8, dtype="float64")
    start = model.parameters.vector.copy()
    transposed = [W.T.copy() for W in weights(model)]
    oracle = dense_regression.train(x, y, transposed, biases(model), slope, rate=0.05, steps=STEPS)
    ours = our_path(model, cr.SquaredError(), cr.SGD(0.05), x, y, epochs=STEPS, batch_size=None)
    assert_same_path(ours, start, ((loss, pairs([w.T for w in W], b)) for loss, W, b in oracle))


@pytest.mark.parametrize("oracle", sorted(Path(oracles.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_an_oracle_knows_numpy_alone(oracle: Path) -> None:
    imported = re.findall(r"^\s*(?:from|import) +([\w.]+)", oracle.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(imported) <= {"__future__", "numpy", "math"}
