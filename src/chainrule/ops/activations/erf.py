"""The error function, which NumPy lacks: two rational approximations, accurate to double rounding.

    erf x = x · T(x²)/U(x²)                     for |x| ≤ 1
    erf x = sign x · (1 − exp(−x²) P(|x|)/Q(|x|))   beyond; from |x| = 6 on the second term is below rounding

Coefficients: S. L. Moshier, Cephes Mathematical Library, ndtr.c (after W. J. Cody, Math. Comp. 23, 1969).
"""

from __future__ import annotations

import numpy as np

from ..._support.checks import Array

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
    """The error function of each entry of ``x``, an array of floats of any shape; NaN stays NaN.

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
