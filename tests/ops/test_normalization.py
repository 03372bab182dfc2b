"""Standardisation: the result has mean 0 and variance 1, and the gradient no part along shift and scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from chainrule import ops
from ops.table import SHAPES, Draw
from parity import EACH_DTYPE, assert_within, kernels, needs_kernels, precise, ulps

AXES = pytest.mark.parametrize("axis", [0, 1])


@pytest.fixture
def x(rng):
    return rng.normal(3, 2, size=(8, 5))


@AXES
def test_the_outcome_has_mean_0_and_variance_1(x, axis):
    y = ops.standardize(x, axis, epsilon=1e-12)[0]
    np.testing.assert_allclose(y.mean(axis=axis), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=axis), 1, rtol=1e-10)


@AXES
def test_the_statistics_are_numpys(x, axis):
    _, inverse_deviation, mean, variance = ops.standardize(x, axis, epsilon=0.5)
    np.testing.assert_allclose(mean, x.mean(axis=axis, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(variance, x.var(axis=axis, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(inverse_deviation, (x.var(axis=axis, keepdims=True) + 0.5) ** -0.5, rtol=1e-14)


@AXES
@given(
    x=arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2), elements=st.floats(-100, 100)),
    shift=st.floats(-100, 100),
    factor=st.floats(0.1, 10),
)
def test_neither_shift_nor_scale_of_the_input_matters(axis, x, shift, factor):
    before = ops.standardize(x, axis, epsilon=1.0)[0]
    after = ops.standardize(factor * x + shift, axis, epsilon=factor**2)[0]
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)


@AXES
def test_the_gradient_has_no_part_along_shift_and_scale(x, axis, rng):
    y, inverse_deviation, _, _ = ops.standardize(x, axis, epsilon=1e-12)
    dx = ops.standardize_backward(rng.standard_normal(x.shape), y, inverse_deviation, axis)
    np.testing.assert_allclose(dx.sum(axis=axis), 0, atol=1e-13)
    np.testing.assert_allclose((dx * y).sum(axis=axis), 0, atol=1e-9)
    assert np.abs(dx).max() > 0.01


@pytest.mark.parametrize("value", [0.0, 1e4, -300.0])
@AXES
def test_a_constant_is_standardised_to_zero(axis, value):
    x = np.full((4, 4), value, np.float32)
    y, inverse_deviation, _, _ = ops.standardize(x, axis)
    assert not y.any()
    assert np.isfinite(ops.standardize_backward(np.ones_like(x), y, inverse_deviation, axis)).all()


@AXES
def test_large_numbers_overflow_nothing(axis):
    x = 1e4 * np.array([[1, -1, 1], [-1, 1, 1], [1, 1, 0]], np.float32)
    y, inverse_deviation, _, _ = ops.standardize(x, axis)
    assert np.abs(y).max() < 2
    assert np.isfinite(ops.standardize_backward(np.ones_like(x), y, inverse_deviation, axis)).all()


@needs_kernels
@EACH_DTYPE
@AXES
def test_the_compiled_inverse_deviation_is_that_of_the_variance_beside_it(axis, dtype, rng):
    for shape in SHAPES:
        _, inverse, _, variance = kernels.standardize(Draw(rng, dtype).columns(*shape), axis)
        exact = 1 / np.sqrt(precise(variance) + 1e-5)
        assert_within(inverse, exact, ulps(2, exact), f"{shape}")


@needs_kernels
@AXES
def test_float32_sums_keep_what_is_small_beside_the_mean(axis, rng):
    x = (1e4 + rng.standard_normal((3, 3000) if axis else (3000, 3))).astype(np.float32)
    _, _, mean, variance = kernels.standardize(x, axis)
    np.testing.assert_allclose(mean, x.mean(axis=axis, keepdims=True, dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(variance, x.var(axis=axis, keepdims=True, dtype=np.float64), rtol=2e-6)


def test_the_axis_may_be_counted_from_the_end_and_must_be_there(x):
    np.testing.assert_allclose(ops.standardize(x, -1)[0], ops.standardize(x, 1)[0], rtol=1e-14)
    with pytest.raises(ValueError, match="axis"):
        ops.standardize(x, 2)


def test_an_empty_batch_has_sums_but_no_mean():
    np.testing.assert_array_equal(ops.scale_backward(np.empty((0, 2)), np.empty((0, 2)), np.ones(2))[1], [0, 0])
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"), np.errstate(all="ignore"):
        ops.standardize(np.empty((0, 5)), 0)
