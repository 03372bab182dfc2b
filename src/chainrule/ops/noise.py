"""Noise that regularises in training: the random array is all that a backward needs."""

from __future__ import annotations

import numpy as np

from .._checks import Array


def dropout(
    x: Array, rate: float, rng: np.random.Generator, out: Array | None = None, mask: Array | None = None
) -> tuple[Array, Array]:
    """Inverted dropout: zero each entry with probability ``rate``, and enlarge the others to keep the mean.

        y = x · m,    m = 0 with probability p, else 1/(1 − p)

        dx = dy · m

    Parameters
    ----------
    x : array of any shape
    rate : float p in [0, 1)
    rng : numpy.random.Generator
    out, mask : arrays of x's shape, optional, where y and m are written

    Returns
    -------
    y, mask : arrays of x's shape

    Examples
    --------
    >>> import numpy as np
    >>> y, mask = dropout(np.ones(1000), 0.2, np.random.default_rng(0))
    >>> sorted(set(y.tolist()))
    [0.0, 1.25]

    Srivastava et al., "Dropout", JMLR 15 (2014).
    """
    mask = np.empty(x.shape, x.dtype) if mask is None else mask
    rng.random(out=mask, dtype=mask.dtype)
    np.greater_equal(mask, rate, out=mask, casting="unsafe")
    mask *= 1 / (1 - rate)
    return np.multiply(x, mask, out=out), mask


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
