"""What every loss promises: the gradient is that of the number returned, weights count samples, no input breaks it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import losses

Array = np.ndarray
Problem = Callable[[np.random.Generator, int], tuple[Array, Array]]


def labels(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 4)), rng.integers(4, size=n)


def soft_labels(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 4)), rng.dirichlet(np.ones(4), size=n)


def probabilities(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.dirichlet(np.ones(4) * 3, size=n), rng.integers(4, size=n)


def soft_probabilities(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.dirichlet(np.ones(4) * 3, size=n), rng.dirichlet(np.ones(4), size=n)


def bits(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 3)), rng.integers(2, size=(n, 3))


def soft_bits(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 3)), rng.uniform(size=(n, 3))


def bit_probabilities(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.uniform(0.05, 0.95, size=(n, 3)), rng.uniform(size=(n, 3))


def numbers(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 3)), rng.normal(size=(n, 3))


def counts(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 3)), rng.poisson(2, size=(n, 3))


def three_for_each(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 6)), rng.normal(size=(n, 2))


def two_for_each(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(n, 4)), rng.normal(size=(n, 2))


CASES: list[tuple[losses.Loss, Problem]] = [
    (losses.CrossEntropy(), labels),
    (losses.CrossEntropy(), soft_labels),
    (losses.CrossEntropy(label_smoothing=0.2), labels),
    (losses.CrossEntropy(label_smoothing=0.2), soft_labels),
    (losses.CrossEntropy(class_weight=(1, 0.5, 0, 3)), labels),
    (losses.CrossEntropy(label_smoothing=0.2, class_weight={1: 4.0}), soft_labels),
    (losses.CrossEntropy(from_logits=False), probabilities),
    (losses.CrossEntropy(from_logits=False, label_smoothing=0.2, class_weight={1: 4.0}), probabilities),
    (losses.CrossEntropy(from_logits=False, class_weight=(1, 0.5, 0, 3)), soft_probabilities),
    (losses.BinaryCrossEntropy(), bits),
    (losses.BinaryCrossEntropy(), soft_bits),
    (losses.BinaryCrossEntropy(from_logits=False), bit_probabilities),
    (losses.SquaredError(), numbers),
    (losses.HalfSquaredError(), numbers),
    (losses.AbsoluteError(), numbers),
    (losses.Huber(), numbers),
    (losses.Huber(delta=0.3), numbers),
    (losses.LogCosh(), numbers),
    (losses.Poisson(), counts),
    (losses.Quantile(), three_for_each),
    (losses.Quantile(levels=(0.25, 0.6)), two_for_each),
    (losses.GaussianNLL(), two_for_each),
    (losses.GaussianNLL(floor=0.5), two_for_each),
]
each_loss = pytest.mark.parametrize(
    ("loss", "problem"), CASES, ids=[f"{loss}-{problem.__name__}" for loss, problem in CASES]
)
N = 5
WEIGHTS = {
    "unweighted": None,
    "weighted": np.array([0.5, 2.0, 0.25, 1.0, 3.0]),
    "some-weigh-nothing": np.array([0.0, 2.0, 0.0, 1.0, 1.0]),
}


def test_every_loss_has_a_case() -> None:
    assert {type(loss) for loss, _ in CASES} == set(losses.LOSSES.values())
    assert {name for name in losses.__all__ if isinstance(getattr(losses, name), type)} == {
        cls.__name__ for cls in (losses.Loss, *losses.LOSSES.values())
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@each_loss
def test_the_gradient_is_that_of_the_value(
    loss: losses.Loss, problem: Problem, weight: Array | None, dtype: type, rng: np.random.Generator
) -> None:
    """Along random directions and along every axis; for float32, against the value at the same point in float64."""
    z, y = problem(rng, N)
    z, y = z.astype(dtype), y.astype(dtype) if y.dtype.kind == "f" else y
    value, dz = loss(z, y, weight)
    assert isinstance(value, float)
    assert dz.dtype == dtype
    assert dz.shape == z.shape

    def precise(at: Array) -> float:
        return loss(at, y.astype(np.float64) if y.dtype.kind == "f" else y, weight)[0]

    h, exact = 1e-5, z.astype(np.float64)
    directions = np.concatenate([rng.normal(size=(3, *z.shape)), np.eye(z.size).reshape(-1, *z.shape)])
    numeric = [(precise(exact + h * v) - precise(exact - h * v)) / (2 * h) for v in directions]
    analytic = [np.sum(dz * v, dtype=np.float64) for v in directions]
    assert value == pytest.approx(precise(exact), rel=1e-9 if dtype == np.float64 else 1e-6)
    np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=2e-8 if dtype == np.float64 else 2e-6)
    assert np.abs(numeric).max() > 0.01  # there was something to compare


@each_loss
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), times=st.lists(st.integers(0, 3), min_size=N, max_size=N))
def test_a_weight_of_two_is_a_row_given_twice(loss: losses.Loss, problem: Problem, seed: int, times: list[int]) -> None:
    z, y = problem(np.random.default_rng(seed), N)
    value, dz = loss(z, y, np.array(times))
    if sum(times) == 0:
        assert value == 0.0
        assert not dz.any()
        return
    rows = np.repeat(np.arange(N), times)
    repeated, d_rows = loss(z[rows], y[rows])
    gathered = np.zeros_like(z)
    np.add.at(gathered, rows, d_rows)
    assert value == pytest.approx(repeated, rel=1e-12, abs=1e-14)
    np.testing.assert_allclose(dz, gathered, rtol=1e-12, atol=1e-14)


@each_loss
def test_only_the_ratio_of_weights_counts(loss: losses.Loss, problem: Problem, rng: np.random.Generator) -> None:
    z, y = problem(rng, N)
    for scale in (1e-3, 1e3):
        value, dz = loss(z, y, np.full(N, scale))
        assert value == pytest.approx(loss(z, y)[0], rel=1e-12)
        np.testing.assert_allclose(dz, loss(z, y)[1], rtol=1e-12, atol=1e-15)


@each_loss
def test_inputs_may_be_read_only_and_scattered_and_stay_as_they_are(
    loss: losses.Loss, problem: Problem, rng: np.random.Generator
) -> None:
    z, y = problem(rng, N)
    weight = rng.uniform(size=N)
    expected_value, expected_dz = loss(z, y, weight)
    scattered = [np.repeat(a, 2, axis=0)[::2].copy("F") for a in (z, y)] + [np.repeat(weight, 2)[::2]]
    scattered = [np.repeat(a, 2, axis=-1)[..., ::2] for a in scattered]
    before = [a.copy() for a in scattered]
    for a in scattered:
        a.flags.writeable = False
    value, dz = loss(*scattered)
    assert value == pytest.approx(expected_value, rel=1e-14)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-14)
    assert not any(np.shares_memory(dz, a) for a in scattered)
    for a, b in zip(scattered, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.5, 0.0, 2.0, 1.0])], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("size", [300.0, 1e4])
@each_loss
def test_saturated_outputs_give_finite_numbers_and_the_right_ones(
    loss: losses.Loss, problem: Problem, size: float, weight: Array | None, rng: np.random.Generator
) -> None:
    """Warnings are errors here; float64 has the range to say what is right."""
    z, y = problem(rng, N)
    if getattr(loss, "from_logits", True):
        z = size * rng.choice([-1.0, -1.0, 0.5, 1.0], size=z.shape)
    else:
        z = (z == z.max(axis=1, keepdims=True)).astype(float)
    z, y = z.astype(np.float32), y.astype(np.float32) if y.dtype.kind == "f" else y
    value, dz = loss(z, y, weight)
    assert np.isfinite(value)
    assert np.isfinite(dz).all()
    expected_value, expected_dz = loss(z.astype(np.float64), y, weight)
    assert value == pytest.approx(expected_value, rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-4, atol=1e-6)


@each_loss
def test_float16_targets_and_weights_do_not_change_the_dtype(
    loss: losses.Loss, problem: Problem, rng: np.random.Generator
) -> None:
    z, y = problem(rng, N)
    if y.dtype.kind == "f":
        y = y.astype(np.float16)
    value, dz = loss(z.astype(np.float32), y, np.ones(N, np.float16))
    assert dz.dtype == np.float32
    assert value == pytest.approx(loss(z, y)[0], rel=1e-5)


@pytest.mark.parametrize("weight", [None, np.ones(N)], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("output", [np.nan, np.inf])
@each_loss
def test_outputs_that_diverged_show_in_the_value(
    loss: losses.Loss, problem: Problem, output: float, weight: Array | None, rng: np.random.Generator
) -> None:
    """And in the value alone: no warning comes first."""
    z, y = problem(rng, N)
    assert not np.isfinite(loss(np.full_like(z, output), y, weight)[0])
