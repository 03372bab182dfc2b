"""Noise that regularises in training: the random array is all that a backward needs."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array
from .blocks import row_blocks


def dropout(
    x: Array, rate: float, rng: np.random.Generator, out: Array | None = None, mask: Array | None = None
) -> tuple[Array, Array]:
    """Inverted dropout: zero each entry with probability ``rate``, and enlarge the others to keep the mean.

        y = x · m,    m = 0 with probability p, else 1/(1 − p)

        dx = dy · m

    p is ``rate`` rounded to a whole number of 65536ths, off by at most 1/131072, and never 1: an entry costs 16 random
    bits, and the mean is kept exactly. ``rng`` gives one key for the whole batch; :func:`dropout_by_key` does the rest.

    Parameters
    ----------
    x : array of any shape
    rate : float in [0, 1)
    rng : numpy.random.Generator
    out, mask : arrays of x's shape, optional, where y and m are written

    Returns
    -------
    y, mask : arrays of x's shape

    Examples
    --------
    >>> import numpy as np
    >>> y, mask = dropout(np.ones(1000), 0.5, np.random.default_rng(0))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]

    Srivastava et al., "Dropout", JMLR 15 (2014).
    """
    return dropout_by_key(x, rate, draw_key(rng), out=out, mask=mask)


def draw_key(rng: np.random.Generator) -> int:
    """The 64 random bits of one mask; ``rng.integers(0, 2**64, size=k, dtype=np.uint64)`` draws those of k masks."""
    return int(rng.integers(0, 2**64, dtype=np.uint64))


def dropout_by_key(
    x: Array, rate: float, key: int, first: int = 0, out: Array | None = None, mask: Array | None = None
) -> tuple[Array, Array]:
    """The :func:`dropout` that a key stands for; each part of a batch can be made alone.

        yᵢ = xᵢ mᵢ,    mᵢ = 0 if rᵢ < t, else 1/(1 − t/65536),    t = 65536 · rate rounded, at most 65535

    rᵢ is the (i mod 4)-th 16 bits, the lowest first, of output number ⌊i/4⌋ of the generator splitmix64 in the state
    ``key``; i counts the entries of the batch row by row.

    Parameters
    ----------
    x : array of any shape
    rate : float in [0, 1)
    key : int in [0, 2⁶⁴)
    first : int, the i of the first entry of x
    out, mask : arrays of x's shape, optional, where y and m are written

    Returns
    -------
    y, mask : arrays of x's shape

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(8.0)
    >>> dropout_by_key(x, 0.5, key=0)[0]
    array([ 0.,  0.,  4.,  6.,  0., 10., 12.,  0.])
    >>> dropout_by_key(x[6:], 0.5, key=0, first=6)[0]
    array([12.,  0.])

    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; the constants are Stafford's
    variant 13, as in Java's SplittableRandom.
    """
    mask = np.empty(x.shape, x.dtype) if mask is None else mask
    threshold = min(int(rate * 65536 + 0.5), 65535)
    rows = np.atleast_1d(mask)
    width = rows[:1].size
    for block in row_blocks(rows):
        part = rows[block]
        kept = _random_16_bits(key, first + block.start * width, part.size).reshape(part.shape) >= threshold
        np.multiply(kept, 65536 / (65536 - threshold), out=part, casting="same_kind")
    return np.multiply(x, mask, out=out), mask


def _random_16_bits(key: int, first: int, n: int) -> Array:
    """r for the n entries from ``first``. Arrays of uint64 wrap around, as is wanted here."""
    z = np.arange(first // 4 + 1, (first + n + 3) // 4 + 1, dtype=np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(key)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z.astype("<u8", copy=False).view("<u2")[first % 4 :][:n]


def dropout_backward(dy: Array, mask: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`dropout`: dx = dy · m; arrays of any one shape."""
    return np.multiply(dy, mask, out=out)


def gaussian_noise(x: Array, sigma: float, rng: np.random.Generator, out: Array | None = None) -> Array:
    """Add independent normal noise to each entry.

        y = x + σ e,    e ~ N(0, 1)

        dx = dy

    Parameters
    ----------
    x : array of any shape
    sigma : float, standard deviation of the noise, in x's units
    rng : numpy.random.Generator
    out : array of x's shape, optional, not x itself

    Returns
    -------
    y : array of x's shape

    Examples
    --------
    >>> import numpy as np
    >>> y = gaussian_noise(np.zeros(10_000), 0.5, np.random.default_rng(0))
    >>> round(float(y.std()), 2)
    0.5
    """
    y = np.empty(x.shape, x.dtype) if out is None else out
    rng.standard_normal(out=y, dtype=y.dtype)
    y *= sigma
    y += x
    return y
