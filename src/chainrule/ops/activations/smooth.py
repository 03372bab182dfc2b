"""Activations built from one exponential: sigmoid, tanh, softplus, ELU and SELU.

Every exponent is at most zero, so nothing overflows at any magnitude. Every backward needs only the output.
"""

from __future__ import annotations

import numpy as np

from ..._support.checks import Array

__all__ = [
    "elu",
    "elu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softplus",
    "softplus_backward",
    "tanh",
    "tanh_backward",
]

# The fixed point that keeps mean 0 and variance 1 from layer to layer (Klambauer et al. 2017, equation 14).
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def sigmoid(x: Array, out: Array | None = None) -> Array:
    """Logistic function: turns log-odds into a probability.

        y = 1 / (1 + exp(−x)) = exp(min(x, 0)) / (1 + exp(−|x|))          dx = dy · y (1 − y)

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.array([-10000.0, 0.0, 10000.0]))
    array([0. , 0.5, 1. ])
    """
    tail = np.exp(-np.abs(x))
    tail += 1
    y: Array = np.minimum(x, 0, out=out)
    np.exp(y, out=y)
    y /= tail
    return y


def sigmoid_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`sigmoid`: dx = dy · y (1 − y)."""
    dx: Array = np.multiply(dy, y * (1 - y), out=out)
    return dx


def tanh(x: Array, out: Array | None = None) -> Array:
    """Hyperbolic tangent.

        y = tanh x          dx = dy · (1 − y²)

    Examples
    --------
    >>> import numpy as np
    >>> tanh(np.array([-10000.0, 0.0, 10000.0]))
    array([-1.,  0.,  1.])
    """
    return np.tanh(x, out=out)


def tanh_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`tanh`: dx = dy · (1 − y²)."""
    dx: Array = np.multiply(dy, 1 - y * y, out=out)
    return dx


def softplus(x: Array, out: Array | None = None) -> Array:
    """Smooth rectifier, always positive.

        y = log(1 + exp x) = max(x, 0) + log(1 + exp(−|x|))          dx = dy · (1 − exp(−y))

    The factor is the sigmoid of x in terms of the output: 1 − exp(−y) = exp x / (1 + exp x).

    Examples
    --------
    >>> import numpy as np
    >>> softplus(np.array([-10000.0, 0.0, 10000.0])).tolist()
    [0.0, 0.6931471805599453, 10000.0]
    """
    tail = np.log1p(np.exp(-np.abs(x)))
    y: Array = np.maximum(x, 0, out=out)
    y += tail
    return y


def softplus_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`softplus`: dx = dy · (1 − exp(−y))."""
    return np.multiply(dy, -np.expm1(-y), out=out)


def elu(x: Array, alpha: float = 1.0, out: Array | None = None) -> Array:
    """Exponential linear unit.

        y = max(x, 0) + α (exp(min(x, 0)) − 1)          dx = dy · (1 if y > 0 else y + α)

    Examples
    --------
    >>> import numpy as np
    >>> elu(np.array([-10000.0, 0.0, 2.0]))
    array([-1.,  0.,  2.])

    References
    ----------
    Clevert, Unterthiner and Hochreiter, ICLR 2016.
    """
    below = np.expm1(np.minimum(x, 0))
    below *= alpha
    y: Array = np.maximum(x, 0, out=out)
    y += below
    return y


def elu_backward(dy: Array, y: Array, alpha: float = 1.0, out: Array | None = None) -> Array:
    """The pull-back of :func:`elu`: dx = dy · (1 if y > 0 else y + α)."""
    return np.multiply(dy, _elu_slope(y, alpha, 1.0), out=out)


def selu(x: Array, out: Array | None = None) -> Array:
    """Self-normalising ELU: λ · elu(x, α), with λ and α chosen to keep mean 0 and variance 1.

        y = λ (max(x, 0) + α (exp(min(x, 0)) − 1))          dx = dy · (λ if y > 0 else y + λα)

    Examples
    --------
    >>> import numpy as np
    >>> selu(np.array([-10000.0, 0.0, 1.0])).round(4)
    array([-1.7581,  0.    ,  1.0507])

    References
    ----------
    Klambauer et al., NeurIPS 2017.
    """
    y = elu(x, SELU_ALPHA, out=out)
    y *= SELU_SCALE
    return y


def selu_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`selu`: dx = dy · (λ if y > 0 else y + λα)."""
    return np.multiply(dy, _elu_slope(y, SELU_SCALE * SELU_ALPHA, SELU_SCALE), out=out)


def _elu_slope(y: Array, below: float, above: float) -> Array:
    """``y + below`` where y ≤ 0, else ``above``: sums, because np.where is three times slower."""
    slope = np.minimum(y, 0)
    slope += below
    if below != above:
        slope += np.multiply(y > 0, y.dtype.type(above - below))
    return slope
