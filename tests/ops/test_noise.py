"""Dropout and noise: their mean, their spread, and the same numbers from the same generator."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule import ops

N = 40_000


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_zeroes_its_fraction_and_keeps_the_mean(rate, dtype, rng):
    y, _ = ops.dropout(np.full((N // 10, 10), 3, dtype), rate, rng)
    deviation = math.sqrt(rate * (1 - rate) / N)
    assert np.mean(y == 0) == pytest.approx(rate, abs=5 * deviation)
    assert y.mean(dtype=np.float64) == pytest.approx(3, abs=15 * deviation / (1 - rate))
    np.testing.assert_allclose(np.unique(y), [0, 3 / (1 - rate)], rtol=1e-6)


def test_a_rate_of_zero_changes_nothing(rng):
    x = rng.standard_normal((5, 4))
    np.testing.assert_array_equal(ops.dropout(x, 0.0, rng)[0], x)


def test_the_mask_is_what_the_gradient_is_multiplied_by(rng):
    x, dy = rng.standard_normal((2, 50, 4))
    y, mask = ops.dropout(x, 0.5, rng)
    dx = ops.dropout_backward(dy, mask)
    np.testing.assert_array_equal(dx == 0, y == 0)
    np.testing.assert_allclose(dx / dy, y / x, rtol=1e-14)


def test_the_mask_is_written_where_it_is_wanted(rng):
    room = np.empty((5, 4))
    assert ops.dropout(np.ones((5, 4)), 0.5, rng, mask=room)[1] is room


@pytest.mark.parametrize("op", [ops.dropout, ops.gaussian_noise])
def test_the_same_generator_gives_the_same_noise(op):
    first, again, other = (np.asarray(op(np.ones((20, 5)), 0.5, np.random.default_rng(seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("op", [ops.dropout, ops.gaussian_noise])
def test_the_layout_of_the_input_does_not_change_the_noise(op):
    x = np.arange(24.0).reshape(2, 3, 4)
    plain, twisted = (
        op(array, 0.5, np.random.default_rng(0)) for array in (x, x.transpose(1, 0, 2).copy().transpose(1, 0, 2))
    )
    np.testing.assert_array_equal(np.asarray(twisted), np.asarray(plain))


@pytest.mark.parametrize("sigma", [0.0, 0.5, 2.0])
def test_gaussian_noise_has_its_standard_deviation_around_x(sigma, rng):
    y = ops.gaussian_noise(np.full(N, 7, np.float32), sigma, rng)
    assert y.mean(dtype=np.float64) == pytest.approx(7, abs=5 * sigma / math.sqrt(N))
    assert y.std(dtype=np.float64) == pytest.approx(sigma, rel=0.02)
