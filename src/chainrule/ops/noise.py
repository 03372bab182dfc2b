"""Noise that regularises training: a backward needs only the random array."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array
from .blocks import row_blocks


def dropout(
    x: Array, rate: float, rng: np.random.Generator, out: Array | None = None, mask: Array | None = None
) -> tuple[Array, Array]:
    """Inverted dropout: zero each entry with probability ``rate``, and scale up the others to keep the mean.

        y = x · m,    m = 0 with probability p, else 1/(1 − p)

        dx = dy · m

    Parameters
    ----------
    x : array of any shape
        Input.
    rate : float in [0, 1)
        Probability that an entry becomes zero.
    rng : numpy.random.Generator
        Source of one key for the whole batch, from which the mask is derived.
    out, mask : arrays of x's shape, optional
        Where to write y and m.

    Returns
    -------
    y : array of x's shape
        Output.
    mask : array of x's shape
        The factors m.

    Notes
    -----
    p is ``rate`` rounded to a multiple of 1/65536, and never 1: an entry costs 16 random bits, and the mean is exact.

    Examples
    --------
    >>> import numpy as np
    >>> y, mask = dropout(np.ones(1000), 0.5, np.random.default_rng(0))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]

    References
    ----------
    Srivastava et al., Dropout, JMLR 15 (2014).
    """
    return dropout_by_key(x, rate, draw_key(rng), out=out, mask=mask)


def draw_key(rng: np.random.Generator) -> int:
    """Draw the key of one mask, 64 random bits; ``rng.integers(0, 2**64, size=k, dtype=np.uint64)`` draws k keys."""
    return int(rng.integers(0, 2**64, dtype=np.uint64))


def dropout_by_key(
    x: Array, rate: float, key: int, first: int = 0, out: Array | None = None, mask: Array | None = None
) -> tuple[Array, Array]:
    """Apply the :func:`dropout` mask of a key; any part of a batch can be computed alone.

        yᵢ = xᵢ mᵢ,    mᵢ = 0 if rᵢ < t, else 1/(1 − t/65536),    t = 65536 · rate rounded, at most 65535

    rᵢ is the (i mod 4)-th group of 16 bits, lowest first, of output number ⌊i/4⌋ of the generator splitmix64 in state
    ``key``; i counts the entries of the batch row by row, and ``first`` is the i of the first entry of ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(8.0)
    >>> dropout_by_key(x, 0.5, key=0)[0]
    array([ 0.,  0.,  4.,  6.,  0., 10., 12.,  0.])
    >>> dropout_by_key(x[6:], 0.5, key=0, first=6)[0]
    array([12.,  0.])

    References
    ----------
    Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014; the constants are Stafford's
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
    """r for the n entries from ``first``; uint64 arithmetic wraps around, as the generator requires."""
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
    """The pull-back of :func:`dropout`: dx = dy · m.

    Parameters
    ----------
    dy : array of any shape
        Gradient ∂L/∂y of the loss with respect to the output.
    mask : array of dy's shape
        The factors m of the forward.
    out : array of dy's shape, optional
        Where to write dx; may be dy.

    Returns
    -------
    array of dy's shape
        Gradient ∂L/∂x.
    """
    return np.multiply(dy, mask, out=out)


def gaussian_noise(x: Array, sigma: float, rng: np.random.Generator, out: Array | None = None) -> Array:
    """Add independent normal noise to each entry.

        y = x + σ e,    e ~ N(0, 1)

        dx = dy

    Parameters
    ----------
    x : array of any shape
        Input.
    sigma : float, >= 0
        Standard deviation σ of the noise, in x's units.
    rng : numpy.random.Generator
        Source of the noise.
    out : array of x's shape, optional
        Where to write y; must not be x.

    Returns
    -------
    array of x's shape
        Output.

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
