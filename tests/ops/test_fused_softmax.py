"""The compiled softmax and its logarithm: the numbers of the plain ops in higher precision, to a few ulp."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from parity import DTYPES, SHAPES, distance, kernels, precise, unaligned

FORWARDS = {"softmax": softmax, "log_softmax": log_softmax}
BACKWARDS = {"softmax_backward": softmax_backward, "log_softmax_backward": log_softmax_backward}
EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
EACH_FORWARD = pytest.mark.parametrize("name", FORWARDS)
EACH_BACKWARD = pytest.mark.parametrize("name", BACKWARDS)
EACH_SHAPE = pytest.mark.parametrize("shape", [*SHAPES, (5,), (2, 3, 4), (20, 32), (20, 33), (3, 2049)], ids=str)


@EACH_DTYPE
@EACH_SHAPE
@pytest.mark.parametrize("size", [0.01, 3, 300, 1e4])
@EACH_FORWARD
def test_forward(name, size, shape, dtype, rng):
    x = unaligned(size * rng.standard_normal(shape), dtype)
    y = getattr(kernels, name)(x)
    exact = FORWARDS[name](precise(x))
    assert y.dtype == x.dtype
    if name == "log_softmax":
        assert distance(y, exact, np.abs(exact).max(axis=-1, keepdims=True)) <= 2
    else:  # the exponent is rounded first, as in the plain op
        exponent = np.abs(log_softmax(precise(x)))
        error = np.abs(y - exact) / np.finfo(dtype).eps
        assert (error <= (8 + exponent) * exact + 1e-30).all()


@EACH_DTYPE
@EACH_SHAPE
@EACH_BACKWARD
def test_backward(name, shape, dtype, rng):
    dy = unaligned(rng.standard_normal(shape), dtype)
    y = unaligned(FORWARDS[name.removesuffix("_backward")](3 * rng.standard_normal(shape)), dtype)
    exact = BACKWARDS[name](precise(dy), precise(y))
    weights = np.abs(y) if name == "softmax_backward" else np.exp(precise(y))
    sums = np.abs(precise(dy) * (y if name == "softmax_backward" else 1)).sum(axis=-1, keepdims=True)
    size = weights * (np.abs(dy) + sums) if name == "softmax_backward" else np.abs(dy) + weights * sums
    assert distance(getattr(kernels, name)(dy, y), exact, size) <= 12


SPECIAL = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, 1e4, -0.0]


@EACH_DTYPE
@pytest.mark.parametrize("width", [1, 3, 10, 40, 1500])
@pytest.mark.parametrize("special", SPECIAL)
@EACH_FORWARD
def test_special_values_come_out_as_from_the_plain_op(name, special, width, dtype, rng):
    x = rng.standard_normal((20, width)).astype(dtype)
    for row, column in enumerate((0, width // 2, width - 1)):
        x[row, column] = special
    x[5] = special
    with np.errstate(all="ignore"):
        exact = FORWARDS[name](precise(x))
        np.testing.assert_allclose(getattr(kernels, name)(x), exact.astype(dtype), rtol=1e-5, atol=1e-6)
        backward = BACKWARDS[name + "_backward"]
        dx = getattr(kernels, name + "_backward")(x, exact.astype(dtype))
        size = 1e-5 * np.max(np.abs(x), initial=1, where=np.isfinite(x))  # of what is added up
        np.testing.assert_allclose(dx, backward(precise(x), exact).astype(dtype), rtol=1e-3, atol=size)


@EACH_DTYPE
@pytest.mark.parametrize("width", [10, 100])
def test_results_go_where_they_are_wanted(width, dtype, rng):
    x, dy = rng.standard_normal((2, 20, width)).astype(dtype)
    for name in FORWARDS:
        op, backward = getattr(kernels, name), getattr(kernels, name + "_backward")
        y = op(x)
        for target in (np.empty_like(x), x.copy()):
            source = target if (target == x).all() else x
            assert op(source, out=target) is target
            np.testing.assert_array_equal(target, y)
        dx = backward(dy, y)
        first, second = dy.copy(), y.copy()
        assert backward(first, y, out=first) is first
        assert backward(dy, second, out=second) is second
        np.testing.assert_array_equal([first, second], [dx, dx])


def test_other_arrays_go_to_the_plain_op(rng):
    x = rng.standard_normal((5, 7))
    others = x.copy("F"), np.repeat(x, 2, axis=1)[:, ::2], x.astype(np.float16), x.astype(x.dtype.newbyteorder())
    for other in (*others, np.empty((0, 5))):
        for name, plain in FORWARDS.items():
            np.testing.assert_array_equal(getattr(kernels, name)(other), plain(other))
        for name, plain in BACKWARDS.items():
            np.testing.assert_array_equal(getattr(kernels, name)(other, other), plain(other, other))
    with pytest.raises(ValueError, match="zero-size"):
        kernels.softmax(np.empty((3, 0)))
    for call in (kernels.softmax, kernels.log_softmax):
        with pytest.raises(ValueError, match="broadcast"):
            call(x, out=np.empty((5, 6)))
    for call in (kernels.softmax_backward, kernels.log_softmax_backward):
        with pytest.raises(ValueError, match="broadcast"):
            call(x, np.empty((5, 6)))
