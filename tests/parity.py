"""What the tests of the compiled kernels share: the kernels, arrays as they come, and the distance in ulp."""

from __future__ import annotations

import numpy as np
import pytest

kernels = pytest.importorskip("chainrule.ops.fused._kernels", reason="built without compiled kernels")

DTYPES = ["float32", "float64"]
SHAPES = [(1, 1), (1, 7), (7, 1), (5, 3), (32, 10), (3, 17), (33, 64), (2, 513), (700, 5), (9, 1100)]


def unaligned(values, dtype):
    """A copy that begins one number after the beginning of its memory."""
    values = np.asarray(values)
    room = np.empty(values.size + 1, dtype)[1:].reshape(values.shape)
    room[...] = values
    return room


def precise(array):
    """The array in the next precision: what is computed from it is right to the last bit of its own."""
    return array.astype(np.float64 if array.dtype == np.float32 else np.longdouble)


def distance(actual, expected, scale=0.0):
    """The largest error in units of the last place of the expected number, or of ``scale`` where that is larger.

    NaN and infinities must be where they are expected.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    with np.errstate(all="ignore"):
        target = expected.astype(actual.dtype)
        special = ~np.isfinite(target)
        np.testing.assert_array_equal(actual[special], target[special])
        np.testing.assert_array_equal(np.isfinite(actual), ~special)
        unit = np.spacing(np.maximum(np.abs(expected), scale).astype(actual.dtype)).astype(expected.dtype)
        error = np.abs(actual.astype(expected.dtype) - expected) / np.abs(unit)
    return float(np.max(error[~special], initial=0))
