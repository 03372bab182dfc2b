"""Noise that regularises training: a backward needs only the random array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._support.checks import Array
from .blocks import row_blocks


def dropout(
    x: Array,
    rate: float,
    rng: np.random.Generator,
    out: Array | None = None,
    mask: Array | None = None,
    first: int = 0,
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
    first : int
        Number of entries of the batch before those of x, if x is a part of it.

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
    return dropout_by_key(x, rate, draw_key(rng), first, out, mask)


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
    """r for the n entries from ``first``."""
    z = _splitmix64(key, first // 4, (first + n + 3) // 4)
    return z.astype("<u8", copy=False).view("<u2")[first % 4 :][:n]


def _splitmix64(key: int, start: int, stop: int) -> Array:
    """Outputs of the generator; uint64 arithmetic wraps around, as it requires."""
    z = np.arange(start + 1, stop + 1, dtype=np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(key)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


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


def gaussian_noise(x: Array, sigma: float, rng: np.random.Generator, out: Array | None = None, first: int = 0) -> Array:
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
        Source of one key for the whole batch, from which the noise is derived.
    out : array of x's shape, optional
        Where to write y; may be x.
    first : int
        Number of entries of the batch before those of x, if x is a part of it.

    Returns
    -------
    array of x's shape
        Output.

    Notes
    -----
    Each e is computed from 63 random bits; none is beyond ±6.7.

    Examples
    --------
    >>> import numpy as np
    >>> y = gaussian_noise(np.zeros(10_000), 0.5, np.random.default_rng(0))
    >>> round(float(y.std()), 2)
    0.5
    """
    return gaussian_noise_by_key(x, sigma, draw_key(rng), first, out)


def gaussian_noise_by_key(x: Array, sigma: float, key: int, first: int = 0, out: Array | None = None) -> Array:
    """Add the :func:`gaussian_noise` of a key; any part of a batch can be computed alone.

        yᵢ = xᵢ + σ eᵢ,    e = r cos 2πv and r sin 2πv,    r = √(2 ln(1/u))

    Each output of the generator splitmix64 in state ``key`` gives two numbers e: u = (k + ½)/2³¹, k being its upper 31
    bits, and v = m/2³², m being its lower 32 bits as a signed number. 64 outputs give 64 cosines, then 64 sines, the
    next 64 outputs the next 128 numbers; i counts the entries of the batch row by row, and ``first`` is the i of the
    first entry of ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.zeros(130)
    >>> gaussian_noise_by_key(x, 0.5, key=0)[126:].round(3)
    array([ 0.719, -0.244, -0.84 ,  0.034])
    >>> gaussian_noise_by_key(x[128:], 0.5, key=0, first=128).round(3)
    array([-0.84 ,  0.034])

    References
    ----------
    Box and Muller, A note on the generation of random normal deviates, Annals of Mathematical Statistics 29 (1958).
    """
    y = np.empty(x.shape, x.dtype) if out is None else out
    np.copyto(y, x)
    rows = np.atleast_1d(y)
    width = rows[:1].size
    for block in row_blocks(rows):
        part = rows[block]
        part += sigma * _normal(key, first + block.start * width, part.size, part.dtype).reshape(part.shape)
    return y


def _normal(key: int, first: int, n: int, dtype: np.dtype[Any]) -> Array:
    """e for the n entries from ``first``."""
    real = np.float32 if dtype == np.float32 else np.float64
    z = _splitmix64(key, first // 128 * 64, (first + n + 127) // 128 * 64).reshape(-1, 64)
    k: Array = (z >> np.uint64(33)).astype(real)
    m: Array = z.astype(np.uint32).view(np.int32).astype(real)
    r, angle = np.sqrt(2 * np.log(2**31 / (k + 0.5))), m * (math.pi / 2**31)
    return np.hstack([r * np.cos(angle), r * np.sin(angle)]).ravel()[first % 128 :][:n]
