"""First weights from data: units of spread one, zero at a mean of some rows, whatever the columns are like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.chain import forward_through

ROWS = 400
TOLERANCE = {"float32": 1e-4, "float64": 1e-12}
BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])


def data(seed: int = 0) -> np.ndarray:
    """Columns of very different means and scales, two of them constant."""
    x = np.random.default_rng(seed).normal(size=(ROWS, 6)) * [1, 100, 0.01, 0, 3, 0] + [0, 500, 0, 7, -1, 0]
    return x


def network(dtype: str = "float32", rate: float = 0.0) -> cr.Sequential:
    layers = [cr.Linear(6, 40, "relu"), cr.Dropout(rate), cr.Linear(40, 30, bias=False), cr.BatchNorm(30)]
    layers += [cr.ParametricActivation(30, "selu"), cr.Dropout(rate), cr.Linear(30, 5)]
    return cr.Sequential(layers, rng=0, dtype=dtype)


def outputs(model: cr.Sequential, x: np.ndarray, training: bool = True) -> dict[int, np.ndarray]:
    """What each Linear makes of the rows, before its activation."""
    found, h = {}, x.astype(model.dtype)
    for index, layer in enumerate(model.layers):
        if isinstance(layer, cr.Linear):
            found[index] = h @ layer.W + (layer.b if layer.bias else 0)
        h = forward_through([layer], h, cr.Workspace(training, model.rng))
    return found


@BOTH
def test_every_output_of_every_dense_layer_has_unit_spread(dtype: str) -> None:
    model, x = network(dtype), data()
    cr.initialize_from_data(model, x)
    for z in outputs(model, x).values():
        np.testing.assert_allclose(z.std(axis=0, dtype=float), 1, rtol=TOLERANCE[dtype])


@BOTH
def test_the_directions_of_the_weights_stay(dtype: str) -> None:
    model, drawn = network(dtype), network(dtype)
    cr.initialize_from_data(model, data())
    for index in (0, 2, 6):
        W, V = (net.layers[index].W for net in (model, drawn))
        np.testing.assert_allclose(W / np.linalg.norm(W, axis=0), V / np.linalg.norm(V, axis=0), atol=1e-6)


@BOTH
def test_each_unit_is_zero_within_the_range_of_its_outputs(dtype: str) -> None:
    model, x = network(dtype), data()
    cr.initialize_from_data(model, x)
    found = outputs(model, x)
    for index in (0, 6):
        z = found[index]
        assert (z.min(axis=0) <= 1e-6).all()
        assert (z.max(axis=0) >= -1e-6).all()
        assert (model.layers[index].b + z.mean(axis=0)).std() > 0.05  # no two alike


def test_dropout_is_on_as_in_training() -> None:
    x = data()
    model, other = network("float64", rate=0.4), network("float64")
    cr.initialize_from_data(model, x, rng=3)
    model.rng = np.random.default_rng(4)
    spreads = outputs(model, x)[6].std(axis=0)
    np.testing.assert_allclose(spreads, 1, rtol=0.25)
    assert np.abs(spreads - 1).max() > 1e-3  # another mask
    cr.initialize_from_data(other, x, rng=3)
    assert model.layers[6].W.std() < other.layers[6].W.std()  # dropout spreads its input


@BOTH
@pytest.mark.parametrize("x", [np.zeros((7, 6)), np.full((7, 6), 3.3), np.full((7, 6), 1e6), np.ones((1, 6))], ids=str)
def test_constant_rows_leave_the_weights(x: np.ndarray, dtype: str) -> None:
    layers = lambda: [cr.Linear(6, 40, "relu"), cr.Linear(40, 3)]  # noqa: E731
    model, drawn = (cr.Sequential(layers(), rng=0, dtype=dtype) for _ in range(2))
    cr.initialize_from_data(model, x)
    for index in (0, 1):
        np.testing.assert_array_equal(model.layers[index].W, drawn.layers[index].W)
    assert np.isfinite(model.parameters.vector).all()
    assert np.abs(model.predict(x)).max() <= 1e-5 * np.abs(x).max()  # the biases take away what is the same


def test_tiny_numbers_stay_finite() -> None:
    model = cr.Sequential([cr.Linear(6, 8), cr.Linear(8, 1)], rng=0)
    cr.initialize_from_data(model, data() * 1e-36)
    assert np.isfinite(model.parameters.vector).all()


def test_the_seed_decides_and_statistics_stay() -> None:
    models = [network("float64", 0.3) for _ in range(3)]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        before = {name: array.copy() for name, array in model.buffers.items()}
        cr.initialize_from_data(model, data(), rng=seed)
        for name, array in model.buffers.items():
            np.testing.assert_array_equal(array, before[name])
    vectors = [model.parameters.vector.tobytes() for model in models]
    assert vectors[0] == vectors[1] != vectors[2]


def test_sparse_rows_and_images() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x = data() * (np.random.default_rng(1).random((ROWS, 6)) < 0.3)
    one, other = (cr.Sequential([cr.Linear(6, 9, "relu"), cr.Linear(9, 2)], rng=0, dtype="float64") for _ in "ab")
    cr.initialize_from_data(one, x, rng=0)
    cr.initialize_from_data(other, sparse.csr_matrix(x), rng=0)
    np.testing.assert_allclose(one.parameters.vector, other.parameters.vector, rtol=1e-9)
    images = cr.Sequential([cr.Flatten(), cr.Linear(6, 9)], rng=0)
    cr.initialize_from_data(images, data().reshape(ROWS, 2, 3))
    np.testing.assert_allclose(images.predict(data().reshape(ROWS, 2, 3)).std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "x", "error", "says"),
    [
        (network(), np.ones((3, 5)), ValueError, r"expects input of shape \(N, 6\), got \(3, 5\)"),
        (network(), np.ones((0, 6)), ValueError, "initialize_from_data expects at least one row in x, got none"),
        (network(), np.full((3, 6), np.nan), ValueError, "initialize_from_data expects finite numbers in x"),
        (network(), np.full((3, 6), 3e38), ValueError, r"in what Linear\(6 → 40, relu\) makes of x"),
        ([cr.Linear(2, 2)], np.ones((3, 2)), TypeError, "initialize_from_data expects a Sequential model, got list"),
    ],
)
def test_what_does_not_fit_is_refused(model: Any, x: np.ndarray, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        cr.initialize_from_data(model, x)
