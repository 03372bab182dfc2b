"""Dropout and noise: their mean, their spread, and the same numbers from the same generator."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from chainrule import ops
from chainrule.ops import noise
from ops.table import ANY_SHAPE
from parity import EACH_DTYPE, kernels, needs_kernels, unaligned

N = 40_000


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_zeroes_its_fraction_and_keeps_the_mean(rate, dtype, rng):
    y, _ = ops.dropout(np.full((N // 10, 10), 3, dtype), rate, rng)
    deviation = math.sqrt(rate * (1 - rate) / N)
    assert np.mean(y == 0) == pytest.approx(rate, abs=5 * deviation)
    assert y.mean(dtype=np.float64) == pytest.approx(3, abs=15 * deviation / (1 - rate))
    np.testing.assert_allclose(np.unique(y), [0, 3 / (1 - rate)], rtol=1e-4)


def test_a_rate_of_zero_changes_nothing(rng):
    x = rng.standard_normal((5, 4))
    np.testing.assert_array_equal(ops.dropout(x, 0.0, rng)[0], x)


@pytest.mark.parametrize("rate", [1e-9, 0.5 / 65536 - 1e-12])
def test_a_rate_below_half_a_65536th_drops_nothing(rate, rng):
    x = rng.standard_normal(10**6)
    np.testing.assert_array_equal(ops.dropout(x, rate, rng)[0], x)


def test_a_rate_next_to_one_keeps_one_entry_in_65536(rng):
    y, _ = ops.dropout(np.ones(10**6), 1 - 1e-16, rng)
    assert set(np.unique(y)) == {0, 65536}
    assert y.mean() == pytest.approx(1, abs=5 * math.sqrt(65536 / 10**6))


SPLITMIX64 = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # its first outputs in the state 0
GROUPS = [output >> shift & 0xFFFF for output in SPLITMIX64 for shift in (0, 16, 32, 48)]


@pytest.mark.parametrize("threshold", [1, 0x454F, 0x4550, 0x8000, 0xE220, 0xE221])
def test_the_mask_is_that_of_the_published_generator(threshold):
    y, _ = noise.dropout_by_key(np.ones(12), threshold / 65536, key=0)
    np.testing.assert_array_equal(y == 0, np.array(GROUPS) < threshold)


@pytest.mark.parametrize("key", [0, 12345, 2**64 - 1])
@pytest.mark.parametrize("first", [0, 1, 2, 3, 4, 511, 2**33 + 1])
def test_a_part_of_a_batch_is_dropped_as_in_the_whole(first, key):
    whole = noise.dropout_by_key(np.ones((30, 7)), 0.4, key, first)[1]
    for rows in (slice(0, 1), slice(1, 18), slice(18, 30)):
        part = noise.dropout_by_key(np.ones((30, 7))[rows], 0.4, key, first + 7 * rows.start)[1]
        np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("first", [0, 1, 63, 64, 127, 128, 2**33 + 1])
def test_a_part_of_a_batch_gets_the_noise_of_the_whole(first):
    whole = noise.gaussian_noise_by_key(np.ones((50, 7)), 0.4, 12345, first)
    for rows in (slice(0, 1), slice(1, 28), slice(28, 50)):
        part = noise.gaussian_noise_by_key(np.ones((50, 7))[rows], 0.4, 12345, first + 7 * rows.start)
        np.testing.assert_array_equal(part, whole[rows])


def test_the_noise_is_that_of_the_published_generator():
    e = noise.gaussian_noise_by_key(np.zeros(128), 2.0, key=0)
    for word, output in enumerate(SPLITMIX64):
        u, angle = ((output >> 33) + 0.5) / 2**31, 2 * math.pi * (output % 2**32) / 2**32
        length = 2 * math.sqrt(-2 * math.log(u))
        assert e[word] == pytest.approx(length * math.cos(angle), abs=1e-14)
        assert e[64 + word] == pytest.approx(length * math.sin(angle), abs=1e-14)


@EACH_DTYPE
def test_the_noise_has_the_moments_and_quantiles_of_the_normal_distribution(dtype):
    n = 10**6
    e = noise.gaussian_noise_by_key(np.zeros(n, dtype), 1.0, key=7).astype(np.float64)
    assert np.isfinite(e).all()
    for power, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert np.mean(e**power) == pytest.approx(expected, abs=5 * math.sqrt(variance / n))
    for x in (-4, -2, -0.5, 0, 1, 3):
        below = 0.5 * math.erfc(-x / math.sqrt(2))
        assert np.mean(e < x) == pytest.approx(below, abs=5 * math.sqrt(below * (1 - below) / n))
    neighbours = [np.corrcoef(e[lag:], e[:-lag])[0, 1] for lag in (1, 2, 63, 64, 65, 128)]
    np.testing.assert_allclose(neighbours, 0, atol=5 / math.sqrt(n))


@pytest.mark.parametrize("dtype", ["float16", "longdouble"])
def test_other_floats_get_the_noise_rounded_to_them(dtype):
    found = ops.gaussian_noise(np.ones((20, 9), dtype), 0.5, np.random.default_rng(0))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, ops.gaussian_noise(np.ones((20, 9)), 0.5, np.random.default_rng(0)), atol=2e-3)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_the_keys_of_many_masks_are_those_drawn_one_by_one(bits):
    one_by_one, at_once = (np.random.Generator(bits(3)) for _ in range(2))
    for generator in (one_by_one, at_once):
        generator.permutation(5)  # which leaves half a word behind
    keys = at_once.integers(0, 2**64, size=9, dtype=np.uint64)
    assert [noise.draw_key(one_by_one) for _ in range(9)] == keys.tolist()
    assert one_by_one.random() == at_once.random()


def test_different_keys_drop_different_entries(rng):
    masks = np.stack([ops.dropout(np.ones(N), 0.5, rng)[1] for _ in range(4)]) / 2
    np.testing.assert_allclose(np.corrcoef(masks), np.eye(4), atol=5 / math.sqrt(N))
    neighbours = [np.corrcoef(masks[0, lag:], masks[0, : N - lag])[0, 1] for lag in (1, 2, 3, 4, 5)]
    np.testing.assert_allclose(neighbours, 0, atol=5 / math.sqrt(N))


def test_numbers_that_cannot_be_scaled_are_refused(rng):
    for op in (ops.dropout, ops.gaussian_noise):
        with pytest.raises(TypeError, match="Cannot cast"):
            op(np.ones(5, int), 0.5, rng)


def test_the_mask_is_what_the_gradient_is_multiplied_by(rng):
    x, dy = rng.standard_normal((2, 50, 4))
    y, mask = ops.dropout(x, 0.5, rng)
    dx = ops.dropout_backward(dy, mask)
    np.testing.assert_array_equal(dx == 0, y == 0)
    np.testing.assert_allclose(dx / dy, y / x, rtol=1e-14)


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


# The compiled dropout gives the same bits.


def assert_same_bits(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@needs_kernels
@EACH_DTYPE
@pytest.mark.parametrize("rate", [0.0, 1e-9, 1e-5, 0.1, 0.5, 1 / 3, 0.99, 1 - 1e-9])
def test_the_same_generator_gives_the_same_bits(rate, dtype, rng):
    compiled, plain = np.random.default_rng(5), np.random.default_rng(5)
    for shape in (*ANY_SHAPE, ()):
        x = unaligned(rng.standard_normal(shape), dtype)
        assert_same_bits(kernels.dropout(x, rate, compiled), noise.dropout(x, rate, plain))
    assert compiled.random() == plain.random()


@needs_kernels
@EACH_DTYPE
@pytest.mark.parametrize("first", [0, 1, 2, 3, 5, 510, 2**40 + 3])
def test_any_part_of_a_batch_gives_the_same_bits(first, dtype):
    for n in (1, 2, 3, 4, 5, 509, 512, 513, 2000):
        arguments = np.arange(1, n + 1, dtype=dtype), 0.3, 2**64 - 7, first
        assert_same_bits(kernels.dropout_by_key(*arguments), noise.dropout_by_key(*arguments))


@pytest.mark.parametrize("room", [np.empty((6, 8)), np.empty((6, 16))[:, ::2], np.empty((6, 8), np.float32)])
def test_outputs_and_masks_of_any_kind_are_written(room, rng):
    x = rng.standard_normal((6, 8))
    expected = noise.dropout_by_key(x, 0.5, 1)
    for home, (index, name) in product(filter(None, (noise, kernels)), enumerate(("out", "mask"))):
        found = home.dropout_by_key(x, 0.5, 1, **{name: room})
        assert found[index] is room
        np.testing.assert_allclose(room, expected[index].astype(room.dtype))
    for home in filter(None, (noise, kernels)):
        with pytest.raises(ValueError, match="broadcast"):
            home.dropout_by_key(x, 0.5, 1, mask=np.empty((3, 4)))
