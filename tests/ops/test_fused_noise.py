"""The compiled dropout: the same bits as the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.ops import noise
from parity import DTYPES, SHAPES, kernels, unaligned

EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)


def same_bits(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


@EACH_DTYPE
@pytest.mark.parametrize("rate", [0.0, 1e-9, 1e-5, 0.1, 0.5, 1 / 3, 0.99, 1 - 1e-9])
@pytest.mark.parametrize("shape", [*SHAPES, (0, 5), (4, 0), (3,), (2, 3, 4), ()])
def test_the_same_generator_gives_the_same_bits(shape, rate, dtype, rng):
    x = unaligned(rng.standard_normal(shape), dtype)
    plain, compiled = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(2):
        same_bits(kernels.dropout(x, rate, compiled), noise.dropout(x, rate, plain))
    assert compiled.random() == plain.random()


@EACH_DTYPE
@pytest.mark.parametrize("first", [0, 1, 2, 3, 5, 510, 2**40 + 3])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 509, 512, 513, 2000])
def test_any_part_of_a_batch_gives_the_same_bits(first, n, dtype):
    x = np.arange(1, n + 1, dtype=dtype)
    args = (x, 0.3, 2**64 - 7, first)
    same_bits(kernels.dropout_by_key(*args), noise.dropout_by_key(*args))


@EACH_DTYPE
def test_special_values_come_out_as_from_the_plain_op(dtype):
    x = np.tile(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30], dtype), 50)
    with np.errstate(invalid="ignore"):
        same_bits(kernels.dropout_by_key(x, 0.5, 9), noise.dropout_by_key(x, 0.5, 9))
        mask = noise.dropout_by_key(x, 0.5, 9)[1]
        same_bits([kernels.dropout_backward(x, mask)], [noise.dropout_backward(x, mask)])


@EACH_DTYPE
@pytest.mark.parametrize("shape", [*SHAPES, (0, 5)])
def test_the_pull_back_gives_the_same_bits(shape, dtype, rng):
    dy, mask = (unaligned(rng.standard_normal(shape), dtype) for _ in range(2))
    expected = noise.dropout_backward(dy, mask)
    same_bits([kernels.dropout_backward(dy, mask)], [expected])
    assert kernels.dropout_backward(dy, mask, out=dy) is dy
    same_bits([dy], [expected])


def test_results_go_where_they_are_wanted(rng):
    x = rng.standard_normal((20, 30))
    expected = noise.dropout_by_key(x, 0.5, 1)
    room, mask = np.empty_like(x), np.empty_like(x)
    y, m = kernels.dropout_by_key(x, 0.5, 1, out=room, mask=mask)
    assert y is room
    assert m is mask
    same_bits([y, m], expected)
    assert kernels.dropout_by_key(x, 0.5, 1, out=x)[0] is x
    same_bits([x], expected[:1])


def test_other_arrays_go_to_the_plain_op(rng):
    x = rng.standard_normal((6, 8))
    for other in (x.T, x[:, ::2], x.astype(np.float16), x.astype(x.dtype.newbyteorder())):
        same_bits(kernels.dropout_by_key(other, 0.5, 1), noise.dropout_by_key(other, 0.5, 1))
        same_bits([kernels.dropout_backward(other, other)], [noise.dropout_backward(other, other)])
    scattered = np.empty((6, 16))[:, ::2]
    assert kernels.dropout_by_key(x, 0.5, 1, out=scattered)[0] is scattered
    same_bits([scattered], noise.dropout_by_key(x, 0.5, 1)[:1])


def test_room_that_does_not_fit_goes_to_the_plain_op(rng):
    x = rng.standard_normal((6, 8))
    with pytest.raises(ValueError, match="broadcast"):
        kernels.dropout_by_key(x, 0.5, 1, out=np.empty((3, 4)))
    read_only = np.empty_like(x)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.dropout_by_key(x, 0.5, 1, out=read_only)
    single = np.empty((6, 8), np.float32)
    assert kernels.dropout_by_key(x, 0.5, 1, out=single)[0] is single
    same_bits([single], [noise.dropout_by_key(x, 0.5, 1)[0].astype(np.float32)])
