"""What the tests of the compiled kernels share: the kernels, arrays in any place, and how far results may be apart."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.ops.fused import _kernels as kernels

needs_kernels = pytest.mark.skipif(kernels is None, reason="built without compiled kernels")
DTYPES = ["float32", "float64"]
EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
NARROW = {np.dtype("f8"): np.dtype("f4"), np.dtype(np.longdouble): np.dtype("f8")}


def unaligned(values, dtype):
    """A copy that begins one number after the beginning of its memory."""
    values = np.asarray(values)
    room = np.empty(values.size + 1, dtype)[1:].reshape(values.shape)
    room[...] = values
    return room


def precise(array):
    """The array in the next precision: what is computed from it is right to the last bit of its own."""
    if array.dtype.kind != "f":
        return array
    return array.astype(np.float64 if array.dtype == np.float32 else np.longdouble)


def ulps(count, result, scale=0.0):
    """So many units in the last place of a result that was computed in the next precision, or of a larger scale."""
    result = np.asarray(result)
    largest = np.maximum(np.abs(result), scale).astype(NARROW[result.dtype])
    with np.errstate(all="ignore"):
        return count * np.spacing(largest).astype(result.dtype)


def assert_within(actual, exact, error, message=""):
    """Nothing is farther off than the error; NaN and infinities are where they are in the exact result."""
    actual, exact = np.asarray(actual), np.asarray(exact)
    with np.errstate(all="ignore"):
        target = exact.astype(actual.dtype)
        special = ~np.isfinite(target)
        np.testing.assert_array_equal(actual[special], target[special], message)
        np.testing.assert_array_equal(np.isfinite(actual), ~special, message)
        off = np.abs(actual.astype(exact.dtype) - exact) - error
    assert np.max(off[~special], initial=0) <= 0, f"{message}: {np.max(off[~special])} more than allowed"
