"""The compiled standardisation and scale: the numbers of the plain ops in higher precision, to a few ulp."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.ops import normalization
from chainrule.ops.affine import scale, scale_backward
from parity import DTYPES, SHAPES, distance, kernels, precise, unaligned

EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)
ULP = {np.dtype("float32"): 1, np.dtype("float64"): 8}  # of a sum in double, whose roundings float32 does not see
EACH_AXIS = pytest.mark.parametrize("axis", [0, 1])


@pytest.fixture
def batch(rng, shape, dtype):
    """Columns of different means and scales."""
    return unaligned(rng.normal(3, 2, shape) * rng.uniform(0.1, 10, shape[1]), dtype)


@EACH_DTYPE
@EACH_SHAPE
@EACH_AXIS
def test_standardize(batch, axis):
    y, inverse, mean, variance = kernels.standardize(batch, axis)
    exact = normalization.standardize(precise(batch), axis)
    for mine, plain in zip((y, inverse, mean, variance), exact, strict=True):
        assert mine.shape == plain.shape
        assert mine.dtype == batch.dtype
    largest = np.abs(precise(batch)).max(axis=axis, keepdims=True)
    assert distance(mean, exact[2], largest) <= ULP[batch.dtype]
    assert distance(variance, exact[3], largest * np.sqrt(exact[3])) <= 2 * ULP[batch.dtype]
    shifted = distance(variance, exact[3], largest**2 * 1e-6)  # what rounding the mean does to a variance near 0
    assert distance(inverse, exact[1]) <= 2 + shifted
    assert distance(y, exact[0], largest * exact[1]) <= 4 * ULP[batch.dtype]


@EACH_DTYPE
@EACH_SHAPE
@EACH_AXIS
def test_standardize_backward(batch, axis, rng):
    dy = unaligned(rng.standard_normal(batch.shape), batch.dtype)
    y, inverse, _, _ = normalization.standardize(batch, axis)
    dx = kernels.standardize_backward(dy, y, inverse, axis)
    exact = normalization.standardize_backward(*map(precise, (dy, y, inverse)), axis)
    size = np.abs(dy).max() * (1 + np.abs(y) * np.abs(y).max()) * inverse
    assert distance(dx, exact, size) <= 2


@EACH_DTYPE
@EACH_SHAPE
@pytest.mark.parametrize("bias", [True, False])
def test_scale(batch, bias, rng):
    gain, shift = (unaligned(rng.standard_normal(batch.shape[1]), batch.dtype) for _ in range(2))
    shift = shift if bias else None
    y = kernels.scale(batch, gain, shift)
    exact = scale(precise(batch), precise(gain), None if shift is None else precise(shift))
    assert distance(y, exact, np.abs(precise(batch) * gain)) <= 1

    dy = unaligned(rng.standard_normal(batch.shape), batch.dtype)
    mine = kernels.scale_backward(dy, batch, gain, bias=bias)
    exact = scale_backward(*map(precise, (dy, batch, gain)), bias=bias)
    assert distance(mine[0], exact[0]) <= 1
    assert distance(mine[1], exact[1], np.abs(precise(dy) * batch).sum(axis=0)) <= ULP[batch.dtype]
    if bias:
        assert distance(mine[2], exact[2], np.abs(precise(dy)).sum(axis=0)) <= ULP[batch.dtype]
    else:
        assert mine[2] is None


@EACH_AXIS
def test_float32_sums_keep_what_is_small_beside_the_mean(axis, rng):
    x = (1e4 + rng.standard_normal((3000, 3000 if axis else 3))).astype(np.float32)[: 3 if axis else None]
    _, _, mean, variance = kernels.standardize(x, axis)
    np.testing.assert_allclose(mean, x.mean(axis=axis, keepdims=True, dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(variance, x.var(axis=axis, keepdims=True, dtype=np.float64), rtol=2e-6)


SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e4, -1e4, 300.0, 1e30, 1e-30]


@EACH_DTYPE
@EACH_AXIS
@pytest.mark.parametrize("special", SPECIAL)
def test_special_values_come_out_as_from_the_plain_op(special, axis, dtype, rng):
    x = rng.standard_normal((20, 30)).astype(dtype)
    x[3, 5] = special
    with np.errstate(all="ignore"):
        mine, exact = kernels.standardize(x, axis), normalization.standardize(precise(x), axis)
        for a, b in zip(mine, exact, strict=True):
            np.testing.assert_allclose(a, b.astype(dtype), rtol=1e-5, atol=1e-5)
        y, inverse, _, _ = normalization.standardize(precise(x[::-1].copy()), axis)
        args = (x, y.astype(dtype), inverse.astype(dtype))
        exact = normalization.standardize_backward(*map(precise, args), axis)
        np.testing.assert_allclose(kernels.standardize_backward(*args, axis), exact.astype(dtype), rtol=1e-4, atol=1e-4)
        exact = scale(precise(x), precise(x[3]), precise(x[2]))
        np.testing.assert_allclose(kernels.scale(x, x[3], x[2]), exact.astype(dtype), rtol=1e-5)
        exact = scale_backward(precise(x), precise(x), precise(x[3]))
        for a, b in zip(kernels.scale_backward(x, x, x[3]), exact, strict=True):
            np.testing.assert_allclose(a, b.astype(dtype), rtol=1e-5, atol=1e-5)


@EACH_AXIS
def test_results_go_where_they_are_wanted(axis, rng):
    x, dy = rng.standard_normal((2, 8, 5))
    y, inverse, _, _ = kernels.standardize(x, axis)
    room = np.empty_like(x)
    assert kernels.standardize(x, axis, out=room)[0] is room
    np.testing.assert_array_equal(room, y)
    dx = kernels.standardize_backward(dy, y, inverse, axis)
    for target in (dy.copy(), y.copy()):
        args = (target if target[0, 0] == dy[0, 0] else dy, target if target[0, 0] == y[0, 0] else y)
        assert kernels.standardize_backward(*args, inverse, axis, out=target) is target
        np.testing.assert_array_equal(target, dx)
    assert kernels.standardize(x, axis, out=x)[0] is x
    np.testing.assert_array_equal(x, y)


def test_gradients_go_where_they_are_wanted(rng):
    x, dy = rng.standard_normal((2, 8, 5))
    gain, bias = rng.standard_normal((2, 5))
    expected = kernels.scale_backward(dy, x, gain)
    out = (dy, np.empty(5), np.empty(5))
    given = kernels.scale_backward(dy, x, gain, out=out)
    for a, b, c in zip(given, out, expected, strict=True):
        assert a is b
        np.testing.assert_array_equal(b, c)
    y = kernels.scale(x, gain, bias)
    assert kernels.scale(x, gain, bias, out=x) is x
    np.testing.assert_array_equal(x, y)


def others(x):
    """The same numbers in arrays that are not for the kernels."""
    return x.copy("F"), np.repeat(x, 2, axis=1)[:, ::2], x.astype(np.float16), x.astype(x.dtype.newbyteorder())


@EACH_AXIS
def test_other_arrays_go_to_the_plain_op(axis, rng):
    gain, bias = np.round(rng.standard_normal((2, 7)), 2)
    for x in others(rng.standard_normal((5, 7))):
        mine, plain = kernels.standardize(x, axis, 1e-3), normalization.standardize(x, axis, 1e-3)
        for a, b in zip(mine, plain, strict=True):
            np.testing.assert_array_equal(a, b)
        expected = normalization.standardize_backward(x, *plain[:2], axis)
        np.testing.assert_array_equal(kernels.standardize_backward(x, *plain[:2], axis), expected)
        np.testing.assert_array_equal(kernels.scale(x, gain, bias), scale(x, gain, bias))
        for a, b in zip(kernels.scale_backward(x, x, gain), scale_backward(x, x, gain), strict=True):
            np.testing.assert_array_equal(a, b)


def test_axes_counted_from_the_end_and_empty_batches_go_to_the_plain_op(rng):
    x = rng.standard_normal((5, 7))
    np.testing.assert_array_equal(kernels.standardize(x, -1)[0], normalization.standardize(x, -1)[0])
    assert kernels.standardize(np.empty((0, 5)), 1)[1].shape == (0, 1)
    assert kernels.scale(np.empty((0, 5)), np.ones(5)).shape == (0, 5)
    np.testing.assert_array_equal(kernels.scale_backward(np.empty((0, 2)), np.empty((0, 2)), np.ones(2))[1], [0, 0])
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"), np.errstate(all="ignore"):
        kernels.standardize(np.empty((0, 5)), 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: kernels.scale(x, np.ones(4)),
        lambda x: kernels.scale(x, np.ones(3), np.ones(4)),
        lambda x: kernels.scale_backward(x, np.ones((5, 4)), np.ones(3)),
        lambda x: kernels.scale_backward(x, x, np.ones(3), out=(None, np.ones(4), None)),
        lambda x: kernels.standardize(x, 0, out=np.ones((5, 4))),
        lambda x: kernels.standardize(x, 2),
        lambda x: kernels.standardize_backward(x, x, np.ones((1, 4)), 0),
        lambda x: kernels.standardize_backward(x, np.ones((4, 3)), np.ones((1, 3)), 0),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_the_plain_op(call, rng):
    with pytest.raises(ValueError, match=r"broadcast|axis|operand|shape|dimension"):
        call(rng.standard_normal((5, 3)))
