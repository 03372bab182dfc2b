"""Softmax and its logarithm: identities, SciPy, and precision at any magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from chainrule import ops

special = pytest.importorskip("scipy.special")

rows = arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.floats(-100, 100))


@given(rows)
def test_softmax_is_a_distribution(x):
    y = ops.softmax(x)
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-14)


@given(rows, st.floats(-100, 100))
def test_a_constant_changes_no_softmax(x, c):
    np.testing.assert_allclose(ops.softmax(x + c), ops.softmax(x), rtol=1e-12, atol=1e-300)


@given(rows, st.floats(-100, 100))
def test_a_constant_moves_logsumexp_by_itself(x, c):
    np.testing.assert_allclose(ops.logsumexp(x + c), ops.logsumexp(x) + c, rtol=1e-13, atol=1e-12)


@given(rows)
def test_log_softmax_is_the_logarithm_of_softmax(x):
    y = ops.log_softmax(x)
    assert (y <= 0).all()
    np.testing.assert_allclose(np.exp(y), ops.softmax(x), rtol=1e-12, atol=1e-300)


@given(rows)
def test_all_three_are_scipys(x):
    np.testing.assert_allclose(ops.softmax(x), special.softmax(x, axis=-1), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(ops.log_softmax(x), special.log_softmax(x, axis=-1), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ops.logsumexp(x), special.logsumexp(x, axis=-1), rtol=1e-12, atol=1e-13)


def test_softmax_of_two_is_the_sigmoid_of_their_difference(rng):
    x = rng.normal(scale=5, size=(20, 2))
    np.testing.assert_allclose(ops.softmax(x)[:, 0], ops.sigmoid(x[:, 0] - x[:, 1]), rtol=1e-12)


@pytest.mark.parametrize("offset", [1e4, -1e4, 1e6])
def test_a_large_offset_costs_log_softmax_no_precision(offset):
    x = np.array([[3.0, 1.0, 0.0]], np.float32)
    np.testing.assert_array_equal(ops.log_softmax(x + np.float32(offset)), ops.log_softmax(x))


def test_the_largest_term_is_kept_beside_a_tiny_one():
    x = np.array([[0.0, -50.0]])
    assert ops.log_softmax(x)[0, 1] == pytest.approx(-50, rel=1e-15)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_gradient_ignores_what_moves_all_logits_together(name, rng):
    """Outputs do not change with a constant added, so dx has no part along it."""
    x, dy = rng.standard_normal((2, 5, 4))
    dx = getattr(ops, name + "_backward")(dy, getattr(ops, name)(x))
    np.testing.assert_allclose(dx.sum(axis=-1), 0, atol=1e-14)
    assert np.abs(dx).max() > 0.01


def test_the_pull_back_of_softmax_is_not_the_identity(rng):
    dy, y = np.ones((1, 3)), ops.softmax(rng.standard_normal((1, 3)))
    np.testing.assert_allclose(ops.softmax_backward(dy, y), 0, atol=1e-15)
