"""Products of operands rounded to bfloat16, against NumPy's of operands that ml_dtypes has rounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.fused import KERNELS
from chainrule.training.tempo import Tempo

fused = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")
Array = np.ndarray[Any, Any]
#: rows, inputs, outputs: below and above a tile, a panel and a block. Rows are powers of two, for exact means.
SHAPES = [(1, 1, 1), (2, 3, 5), (8, 6, 16), (32, 33, 64), (16, 1030, 70), (512, 20, 17), (8, 9, 1100), (1024, 5, 3)]


def rounded(x: Array) -> Array:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    return x.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)


def one_step(model: cr.Sequential, x: Array, y: Array, **others: Any) -> list[Array]:
    """The gradients of the weights that the squared error of all rows has."""
    given = {"optimizer": "sgd", "batch_size": None, "products": "bfloat16"} | others
    trainer = cr.Trainer(model, "squared_error", **given)
    trainer.fit(x, y, epochs=1, verbose=0)
    return [array for name, array in model.gradients.items() if name.endswith("W")]


def whole_numbers(rng: np.random.Generator, most: int, shape: tuple[int, ...]) -> Array:
    """Few enough for every sum of their products to be exact in float32, in whatever order."""
    return rng.integers(-most, most + 1, shape).astype(np.float32)


@fused
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SHAPES)
def test_all_three_products_are_those_of_rounded_operands(rows: int, inputs: int, outputs: int) -> None:
    rng = np.random.default_rng(rows + inputs + outputs)
    model = cr.Sequential([cr.Linear(inputs, outputs), cr.Linear(outputs, 2)], rng=0)
    W1, b1, W2, b2 = (array for _, array in model.parameters.items())
    for array, most in ((W1, 3), (W2, 1), (b2, 2)):
        array[:] = whole_numbers(rng, most, array.shape)
    b1[:] = 257 + 2 * np.arange(outputs) % 30  # odd numbers above 256 are halfway between two of bfloat16
    x, y = whole_numbers(rng, 1, (rows, inputs)), whole_numbers(rng, 2, (rows, 2))
    h = x @ W1.astype(float) + b1
    z = (rounded(h) @ W2.astype(float) + b2).astype(np.float32)
    dz = rounded(cr.losses.SquaredError()(z, y, None)[1])
    dh = rounded(dz @ W2.astype(float).T)
    expected = x.T.astype(float) @ dh, rounded(h).T @ dz

    for got, due in zip(one_step(model, x, y), expected, strict=True):
        np.testing.assert_allclose(got, due, rtol=1e-6, atol=1e-6 * np.abs(due).max())
    assert (rounded(h) != h).any()


@fused
@pytest.mark.parametrize("shape", [(7, 5, 3), (1001, 13, 20), (33, 700, 65)])
def test_operands_are_rounded_to_the_nearest_and_ties_to_even(shape: tuple[int, int, int]) -> None:
    rows, inputs, outputs = shape
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, inputs)).astype(np.float32)
    x[0], x[1] = 1 + 2**-8, 1 + 3 * 2**-8  # halfway: down to 1, up to 1 + 2⁻⁶
    y = rng.normal(size=(rows, outputs)).astype(np.float32)
    model = cr.Sequential([cr.Linear(inputs, outputs)], rng=0)
    ((_, W), (_, b)) = model.parameters.items()
    z = (rounded(x) @ rounded(W) + b).astype(np.float32)
    due = rounded(x).T @ rounded(cr.losses.SquaredError()(z, y, None)[1])

    (got,) = one_step(model, x, y)

    assert np.abs(got - due).max() < 2e-4 * np.abs(due).max() < np.abs(got - exact_gradient(x, y)).max()


def exact_gradient(x: Array, y: Array) -> Array:
    """The same without rounding."""
    model = cr.Sequential([cr.Linear(x.shape[1], y.shape[1])], rng=0)
    cr.Trainer(model, "squared_error", "sgd", batch_size=None).fit(x, y, epochs=1, verbose=0)
    return model.gradients.vector[: x.shape[1] * y.shape[1]].reshape(x.shape[1], -1)


def trained(monkeypatch: pytest.MonkeyPatch, threads: int, seed: int = 0) -> bytes:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "4")
    monkeypatch.setattr(Tempo, "choose", lambda tempo, steps: (threads, steps))
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(300, 50)).astype(np.float32), rng.integers(0, 4, 300)
    model = cr.MLP([50, 70, 30, 4], dropout=0.1, rng=seed)
    trainer = cr.Trainer(model, "cross_entropy", "adam", batch_size=128, rng=seed, products="bfloat16")
    trainer.fit(x, y, epochs=3, verbose=0)
    return model.parameters.vector.tobytes()


@fused
def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({trained(monkeypatch, threads) for threads in (1, 2, 3, 4)}) == 1


@fused
def test_it_resumes_with_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(int)

    def trainer(products: str | None) -> cr.Trainer:
        saving = cr.callbacks.Checkpoint(tmp_path, every=2)
        return cr.Trainer(cr.MLP([6, 8, 2], rng=0), "cross_entropy", callbacks=[saving], rng=1, products=products)

    whole = trainer("bfloat16")
    whole.fit(x, y, epochs=4, verbose=0)
    half = trainer("bfloat16")
    half.fit(x, y, epochs=2, verbose=0)
    again = trainer("bfloat16").resume(tmp_path)
    again.fit(x, y, epochs=4, verbose=0)

    assert again.products == "bfloat16"
    np.testing.assert_array_equal(again.model.parameters.vector, whole.model.parameters.vector)


@fused
def test_an_estimator_learns_with_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5)).astype(np.float32)
    y = x[:, 0] * x[:, 1] > 0
    given = {"max_iter": 300, "learning_rate_init": 0.01, "tol": 0.01, "random_state": 0}
    model = cr.MLPClassifier((64,), products="bfloat16", **given)
    assert model.fit(x[:400], y[:400]).score(x[400:], y[400:]) > 0.9


@fused
def test_of_two_numbers_side_by_side_the_second_is_added_first() -> None:
    """As the instruction does, so that all processors have the same bits."""
    model = cr.Sequential([cr.Linear(2, 1)], rng=0)
    model.parameters.vector[:] = 1
    one_step(model, np.array([[2.0**-24, -1]], np.float32), np.zeros((1, 1), np.float32))
    assert model.gradients.vector[-1] == 2.0**-23  # 2 z; (1 + 2⁻²⁴) − 1 is 0 in float32


@fused
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_fit_that_is_refused_leaves_an_estimator_as_it_was() -> None:
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    model = cr.MLPClassifier((8,), max_iter=5, random_state=0)
    with pytest.raises(ValueError, match="float32"):
        model.set_params(products="bfloat16").fit(x.astype(float), x[:, 0] > 0)
    assert not hasattr(model, "model_")
    before = model.fit(x, x[:, 0] > 0).predict_proba(x)
    with pytest.raises(ValueError, match="float32"):
        model.fit(x.astype(float), x[:, 0] > 0)
    assert np.array_equal(model.predict_proba(x), before)


@fused
def test_numbers_that_are_not_finite_end_training() -> None:
    x, y = np.full((8, 2), 3e38, np.float32), np.zeros((8, 1), np.float32)
    with pytest.raises(cr.DivergenceError):
        one_step(cr.MLP([2, 1], rng=0), x, y)


class Twice(cr.Layer):
    """A user's layer, without a kernel."""

    def forward(self, x: Array, training: bool = False) -> Array:
        return 2 * x

    def backward(self, dy: Array) -> Array:
        return 2 * dy


MADE: dict[str, Callable[[], cr.Sequential]] = {
    "compiled kernels": lambda: cr.Sequential([cr.Linear(2, 2), Twice(), cr.Linear(2, 1)], rng=0),
    "float32": lambda: cr.MLP([2, 1], rng=0, dtype=np.float64),
}


@pytest.mark.parametrize("expected", MADE)
def test_what_cannot_be_had_is_refused(expected: str) -> None:
    x, y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)
    with pytest.raises(ValueError, match=f"products='bfloat16'.*{'' if KERNELS == 'fused' else 'NumPy|'}{expected}"):
        one_step(MADE[expected](), x, y)


@fused
def test_the_parts_without_a_kernel_are_named() -> None:
    x, y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)
    with pytest.raises(ValueError, match=r"compiled kernels, got .*Twice.*, Muon\(.*; pass products=None"):
        one_step(MADE["compiled kernels"](), x, y, optimizer="muon")
    with pytest.raises(ValueError, match="got data, an augmentation or an order of layers without them"):
        one_step(cr.MLP([2, 1], rng=0), x, y, augment=[lambda x, y, rng: (x, y)])


@fused
def test_a_batch_of_one_row_is_an_error_of_its_layer_alone() -> None:
    def made(size: int) -> cr.Trainer:
        model = cr.Sequential([cr.Linear(6, 8), cr.BatchNorm(8), cr.Linear(8, 2)], rng=0)
        return cr.Trainer(model, "cross_entropy", batch_size=size, products="bfloat16")

    x, y = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32), np.arange(300) % 2
    with pytest.raises(ValueError, match=r"at least two rows.*drop_last=True"):
        made(23).fit(x, y, epochs=1, verbose=0)
    made(15).fit(cr.data.stream(x, y), epochs=1, verbose=0)  # of whose first 256 rows one would be left


@pytest.mark.parametrize("products", ["float16", "BFLOAT16", 16, True, np.zeros(2)])
def test_other_products_are_refused(products: Any) -> None:
    with pytest.raises(ValueError, match='products="bfloat16" or None, got'):
        cr.Trainer(cr.MLP([2, 1]), "squared_error", products=products)
