"""The affine map and its diagonal sibling against sums written out by index."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops


@pytest.fixture
def problem(rng):
    """dy, x, W, b."""
    return tuple(rng.standard_normal(shape) for shape in [(6, 3), (6, 4), (4, 3), (3,)])


def test_each_output_is_a_weighted_sum_of_the_inputs(problem):
    _, x, W, b = problem
    expected = [[sum(x[n, i] * W[i, o] for i in range(4)) + b[o] for o in range(3)] for n in range(6)]
    np.testing.assert_allclose(ops.affine(x, W, b), expected, rtol=1e-13)


def test_without_bias_zero_gives_zero(problem):
    assert not ops.affine(np.zeros((2, 4)), problem[2]).any()


def test_the_pull_back_is_the_transpose_of_the_map(problem):
    """⟨dy, xW⟩ = ⟨dx, x⟩ = ⟨dW, W⟩, and ⟨dy, b⟩ = ⟨db, b⟩, since the map is linear in each."""
    dy, x, W, b = problem
    dx, dW, db = ops.affine_backward(dy, x, W)
    expected = np.sum(dy * ops.affine(x, W))
    np.testing.assert_allclose([np.sum(dx * x), np.sum(dW * W)], expected, rtol=1e-13)
    np.testing.assert_allclose(np.sum(db * b), np.sum(dy * b), rtol=1e-13)


def test_the_first_layer_needs_no_dx(problem):
    dy, x, W, _ = problem
    dx, dW, db = ops.affine_backward(dy, x, W, input_gradient=False)
    assert dx is None
    assert dW.shape == W.shape
    assert db.shape == (3,)


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "csc_array"])
@pytest.mark.parametrize("roomy", [True, False], ids=["out", "no out"])
def test_a_sparse_x_gives_what_the_dense_one_does(kind, roomy, problem):
    sparse = pytest.importorskip("scipy.sparse")
    dy, x, W, b = problem
    x[x < 0.5] = 0
    x[2] = 0
    s = getattr(sparse, kind)(x)
    out = np.empty_like(dy) if roomy else None
    y = ops.affine(s, W, b, out=out)
    assert y is out or not roomy
    np.testing.assert_allclose(y, ops.affine(x, W, b), rtol=1e-13)
    room = (None, np.empty_like(W), np.empty_like(b)) if roomy else (None, None, None)
    gradients = ops.affine_backward(dy, s, W, out=room)
    assert not roomy or gradients[1] is room[1]
    for gradient, expected in zip(gradients, ops.affine_backward(dy, x, W), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-13)


def test_scale_is_affine_with_a_diagonal_matrix(rng):
    dy, x, gain, bias = (rng.standard_normal(shape) for shape in [(6, 3), (6, 3), (3,), (3,)])
    np.testing.assert_allclose(ops.scale(x, gain, bias), ops.affine(x, np.diag(gain), bias), rtol=1e-13)
    dx, dW, db = ops.affine_backward(dy, x, np.diag(gain))
    for got, expected in zip(ops.scale_backward(dy, x, gain), (dx, np.diag(dW), db), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "rows, inputs, outputs", [(600, 250, 66), (17, 33, 513), (16, 33, 512), (9, 40, 130), (40, 1030, 35)]
)
def test_products_that_are_computed_in_blocks(rows, inputs, outputs, dtype, rng):
    """Whole numbers, so that every order of the sums gives the same."""
    dy, x, W = (rng.integers(-8, 9, shape) for shape in [(rows, outputs), (rows, inputs), (inputs, outputs)])
    np.testing.assert_array_equal(ops.affine(x.astype(dtype), W.astype(dtype)), x @ W)
    dx, dW, db = ops.affine_backward(dy.astype(dtype), x.astype(dtype), W.astype(dtype))
    for got, expected in zip((dx, dW, db), (dy @ W.T, x.T @ dy, dy.sum(axis=0)), strict=True):
        np.testing.assert_array_equal(got, expected)
