"""What every loss promises: the gradient is that of the number returned, weights count samples, no input breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import losses
from losses.table import LOSSES, problem
from ops.table import Draw
from parity import EACH_DTYPE

EACH_LOSS = pytest.mark.parametrize("name", LOSSES)
N = 5
WEIGHTS = {
    "unweighted": None,
    "weighted": np.array([0.5, 2.0, 0.25, 1.0, 3.0]),
    "some-weigh-nothing": np.array([0.0, 2.0, 0.0, 1.0, 1.0]),
}


def given_to(name, rng, dtype="float64"):
    """The loss, z and y."""
    return LOSSES[name][0], *problem(name, Draw(rng, dtype), N, 4)


def test_every_loss_has_a_row():
    assert {type(loss) for loss, _, _ in LOSSES.values()} == set(losses.LOSSES.values())
    assert {name for name in losses.__all__ if isinstance(getattr(losses, name), type)} == {
        cls.__name__ for cls in (losses.Loss, losses.EachMember, *losses.LOSSES.values())
    }


@EACH_DTYPE
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@EACH_LOSS
def test_the_gradient_is_that_of_the_value(name, weight, dtype, rng):
    """Along random directions and along every axis; for float32, against the value at the same point in float64."""
    loss, z, y = given_to(name, rng, dtype)
    value, dz = loss(z, y, weight)
    assert isinstance(value, float)
    assert (dz.dtype, dz.shape) == (dtype, z.shape)

    def precise(at):
        return loss(at, y.astype(np.float64) if y.dtype.kind == "f" else y, weight)[0]

    h, exact = 1e-5, z.astype(np.float64)
    directions = np.concatenate([rng.normal(size=(3, *z.shape)), np.eye(z.size).reshape(-1, *z.shape)])
    numeric = [(precise(exact + h * v) - precise(exact - h * v)) / (2 * h) for v in directions]
    analytic = [np.sum(dz * v, dtype=np.float64) for v in directions]
    assert value == pytest.approx(precise(exact), rel=1e-9 if dtype == "float64" else 1e-6)
    np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=2e-8 if dtype == "float64" else 2e-6)
    assert np.abs(numeric).max() > 0.01  # there was something to compare


@EACH_LOSS
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), times=st.lists(st.integers(0, 3), min_size=N, max_size=N))
def test_a_weight_of_two_is_a_row_given_twice(name, seed, times):
    loss, z, y = given_to(name, np.random.default_rng(seed))
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


@EACH_LOSS
def test_only_the_ratio_of_weights_counts(name, rng):
    loss, z, y = given_to(name, rng)
    expected, gradient = loss(z, y)
    for scale in (1e-3, 1e3):
        value, dz = loss(z, y, np.full(N, scale))
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(dz, gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.5, 0.0, 2.0, 1.0])], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("size", [300.0, 1e4])
@EACH_LOSS
def test_saturated_outputs_give_finite_numbers_and_the_right_ones(name, size, weight, rng):
    """Warnings are errors here; float64 has the range to say what is right."""
    loss, z, y = given_to(name, rng, "float32")
    if getattr(loss, "from_logits", True):
        z = (size * rng.choice([-1.0, -1.0, 0.5, 1.0], size=z.shape)).astype(np.float32)
    else:
        z = (z == z.max(axis=1, keepdims=True)).astype(np.float32)
    value, dz = loss(z, y, weight)
    assert np.isfinite(value)
    assert np.isfinite(dz).all()
    expected, gradient = loss(z.astype(np.float64), y, weight)
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(dz, gradient, rtol=1e-4, atol=1e-6)


@EACH_LOSS
def test_float16_targets_and_weights_do_not_change_the_dtype(name, rng):
    loss, z, y = given_to(name, rng)
    y = y.astype(np.float16) if y.dtype.kind == "f" else y
    value, dz = loss(z.astype(np.float32), y, np.ones(N, np.float16))
    assert dz.dtype == np.float32
    assert value == pytest.approx(loss(z, y)[0], rel=1e-5)


@pytest.mark.parametrize("weight", [None, np.ones(N)], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("output", [np.nan, np.inf])
@EACH_LOSS
def test_outputs_that_diverged_show_in_the_value(name, output, weight, rng):
    """And in the value alone: no warning comes first."""
    loss, z, y = given_to(name, rng)
    assert not np.isfinite(loss(np.full_like(z, output), y, weight)[0])
