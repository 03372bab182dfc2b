"""Clipping: what plain gradient descent moves by is the clipped gradient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.optimizers import SGD

GRADIENTS = arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e6, 1e6, allow_subnormal=False))


def clipped(gradient: np.ndarray, **options: float) -> np.ndarray:
    w = np.zeros_like(gradient)
    SGD(1.0, **options).step(w, gradient)
    return -w


@given(gradient=GRADIENTS)
def test_norm_clipping_keeps_the_direction_and_bounds_the_length(gradient: np.ndarray) -> None:
    g, length = clipped(gradient, clip_norm=2.0), np.sqrt((gradient**2).sum())
    if length <= 2:
        np.testing.assert_array_equal(g, gradient)
    else:
        np.testing.assert_allclose(np.sqrt((g**2).sum()), 2.0, rtol=1e-12)
        np.testing.assert_allclose(g * length, 2 * gradient, rtol=1e-12, atol=1e-300)


@given(gradient=GRADIENTS)
def test_value_clipping_bounds_each_element(gradient: np.ndarray) -> None:
    g = clipped(gradient, clip_value=0.75)
    inside = np.abs(gradient) <= 0.75
    np.testing.assert_array_equal(g[inside], gradient[inside])
    np.testing.assert_array_equal(g[~inside], 0.75 * np.sign(gradient[~inside]))


def test_values_are_clipped_before_the_norm() -> None:
    np.testing.assert_allclose(clipped(np.array([30.0, -4.0]), clip_value=3.0, clip_norm=3.0), [4.5**0.5, -(4.5**0.5)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_norm_is_that_of_all_blocks_together(dtype: str) -> None:
    size = 100_000
    g = clipped(np.full(size, 2.0, dtype), clip_norm=1.0)
    np.testing.assert_allclose(g, size**-0.5, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_cannot_be_clipped_by_norm(bad: float) -> None:
    w = np.ones(3)
    with pytest.raises(
        ValueError, match=r"SGD.step expects a gradient whose norm is finite.*; lower the learning rate"
    ):
        SGD(clip_norm=1.0).step(w, np.array([1.0, bad, 2.0]))
    np.testing.assert_array_equal(w, 1)


@pytest.mark.parametrize("size", [3, 100_000])
def test_squares_that_overflow_float32_are_clipped_all_the_same(size: int) -> None:
    g = clipped(np.full(size, 1e20, np.float32), clip_norm=2.0)
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, 2 * size**-0.5, rtol=1e-5)


def test_squares_that_overflow_float64_are_reported() -> None:
    with pytest.raises(ValueError, match=r"a gradient whose norm is finite, to clip it, got the norm inf"):
        clipped(np.full(3, 1e200), clip_norm=2.0)
