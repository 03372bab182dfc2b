"""Activations that multiply x by a smooth gate between 0 and 1: GELU, SiLU and Mish.

By the product rule, each derivative is gate + x · gate′. The backward needs x: the output alone does not determine it.
"""

from __future__ import annotations

import math

import numpy as np

from ..._support.checks import Array
from .smooth import sigmoid, softplus

__all__ = [
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "mish",
    "mish_backward",
    "silu",
    "silu_backward",
]

_CUBIC = 0.044715  # of the tanh form (Hendrycks and Gimpel 2016, section 2)


def gelu(x: Array, out: Array | None = None) -> Array:
    """Gaussian error linear unit: x times the probability that a standard normal number is below x.

        y = x Φ(x),   Φ(x) = ½ (1 + erf(x/√2))          dx = dy · (Φ(x) + x φ(x)),   φ(x) = exp(−x²/2) / √(2π)

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.array([-10000.0, 0.0, 1.0])).round(6)
    array([-0.      ,  0.      ,  0.841345])

    References
    ----------
    Hendrycks and Gimpel, arXiv 1606.08415.
    """
    return np.multiply(x, _normal_cdf(x), out=out)


def gelu_backward(dy: Array, x: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`gelu`: dx = dy · (Φ(x) + x φ(x))."""
    density = np.exp(-0.5 * np.square(x)) / math.sqrt(2 * math.pi)
    return np.multiply(dy, _normal_cdf(x) + x * density, out=out)


def _normal_cdf(x: Array) -> Array:
    cdf: Array = 0.5 * (1 + erf(x * math.sqrt(0.5)))
    return cdf


def gelu_tanh(x: Array, out: Array | None = None) -> Array:
    """GELU with a tanh in place of the normal distribution, as in GPT-2.

        y = ½ x (1 + t),   t = tanh u,   u = √(2/π) (x + 0.044715 x³)

        dx = dy · (½ (1 + t) + ½ x (1 − t²) u′),   u′ = √(2/π) (1 + 3 · 0.044715 x²)

    Examples
    --------
    >>> import numpy as np
    >>> gelu_tanh(np.array([-10000.0, 0.0, 1.0])).round(6)
    array([-0.      ,  0.      ,  0.841192])

    References
    ----------
    Hendrycks and Gimpel, arXiv 1606.08415.
    """
    y: Array = np.multiply(x, 0.5 * (1 + _gelu_tanh_gate(x)), out=out)
    return y


def gelu_tanh_backward(dy: Array, x: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`gelu_tanh`: dx = dy · (½ (1 + t) + ½ x (1 − t²) u′)."""
    t = _gelu_tanh_gate(x)
    du = math.sqrt(2 / math.pi) * (1 + 3 * _CUBIC * np.square(x))
    dx: Array = np.multiply(dy, 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du, out=out)
    return dx


def _gelu_tanh_gate(x: Array) -> Array:
    t: Array = np.tanh(math.sqrt(2 / math.pi) * (x + _CUBIC * x * x * x))
    return t


def silu(x: Array, out: Array | None = None) -> Array:
    """Sigmoid linear unit, also known as swish.

        y = x σ(x)          dx = dy · σ(x) (1 + x (1 − σ(x)))

    Examples
    --------
    >>> import numpy as np
    >>> silu(np.array([-10000.0, 0.0, 1.0])).round(6)
    array([-0.      ,  0.      ,  0.731059])

    References
    ----------
    Elfwing, Uchibe and Doya, Neural Networks 107 (2018).
    """
    return np.multiply(x, sigmoid(x), out=out)


def silu_backward(dy: Array, x: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`silu`: dx = dy · σ(x) (1 + x (1 − σ(x)))."""
    gate = sigmoid(x)
    dx: Array = np.multiply(dy, gate * (1 + x * (1 - gate)), out=out)
    return dx


def mish(x: Array, out: Array | None = None) -> Array:
    """Input times the tanh of its softplus.

        y = x t,   t = tanh(softplus(x))          dx = dy · (t + x σ(x) (1 − t²))

    Examples
    --------
    >>> import numpy as np
    >>> mish(np.array([-10000.0, 0.0, 1.0])).round(6)
    array([-0.      ,  0.      ,  0.865098])

    References
    ----------
    Misra, BMVC 2020.
    """
    return np.multiply(x, np.tanh(softplus(x)), out=out)


def mish_backward(dy: Array, x: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`mish`: dx = dy · (t + x σ(x) (1 − t²))."""
    t = np.tanh(softplus(x))
    dx: Array = np.multiply(dy, t + x * sigmoid(x) * (1 - t * t), out=out)
    return dx


# --- the error function --------------------------------------------------------------------------------------------

# Coefficients: S. L. Moshier, Cephes Mathematical Library, ndtr.c (after W. J. Cody, Math. Comp. 23, 1969).

_T = (
    9.60497373987051638749,
    90.0260197203842689217,
    2232.00534594684319226,
    7003.32514112805075473,
    55592.3013010394962768,
)
_U = (
    1.0,
    33.5617141647503099647,
    521.357949780152679795,
    4594.32382970980127987,
    22629.0000613890934246,
    49267.3942608635921086,
)
_P = (
    2.46196981473530512524e-10,
    0.564189564831068821977,
    7.46321056442269912687,
    48.6371970985681366614,
    196.520832956077098242,
    526.445194995477358631,
    934.528527171957607540,
    1027.55188689515710272,
    557.535335369399327526,
)
_Q = (
    1.0,
    13.2281951154744992508,
    86.7072140885989742329,
    354.937778887819891062,
    975.708501743205489753,
    1823.90916687909736289,
    2246.33760818710981792,
    1656.66309194161350182,
    557.535340817727675546,
)


def erf(x: Array) -> Array:
    """The error function, which NumPy lacks, by two rational approximations, accurate to double rounding.

        erf x = x · T(x²)/U(x²)                         for |x| ≤ 1
        erf x = sign x · (1 − exp(−x²) P(|x|)/Q(|x|))   beyond; from |x| = 6 on the second term is below rounding

    Examples
    --------
    >>> import numpy as np
    >>> erf(np.array([-10000.0, 0.0, 0.5, 2.0])).round(8)
    array([-1.        ,  0.        ,  0.52049988,  0.99532227])
    """
    magnitude = np.minimum(np.abs(x), 6)
    squared = magnitude * magnitude
    near = x * (_polynomial(_T, np.minimum(squared, 1)) / _polynomial(_U, np.minimum(squared, 1)))
    far = 1 - np.exp(-squared) * (_polynomial(_P, magnitude) / _polynomial(_Q, magnitude))
    return np.where(magnitude <= 1, near, np.copysign(far, x))


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """Horner's rule, highest power first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += coefficient
    return value
