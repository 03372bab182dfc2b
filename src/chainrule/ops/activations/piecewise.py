"""Activations made of straight lines: the identity, rectifiers and the hard sigmoid.

A kink has no derivative; we use the one of the flatter side, as PyTorch does (relu′(0) = 0).
"""

from __future__ import annotations

import numpy as np

from ..._support.checks import Array

__all__ = [
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "prelu",
    "prelu_backward",
    "relu",
    "relu_backward",
]


def identity(x: Array, out: Array | None = None) -> Array:
    """No activation, for the output of a regression.

        y = x          dx = dy

    Examples
    --------
    >>> import numpy as np
    >>> identity(np.array([-1.0, 2.0]))
    array([-1.,  2.])
    """
    if out is None:
        return x.copy()
    np.copyto(out, x)
    return out


def identity_backward(dy: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`identity`: dx = dy."""
    return identity(dy, out=out)


def relu(x: Array, out: Array | None = None) -> Array:
    """Rectified linear unit.

        y = max(x, 0)          dx = dy · [y > 0]

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])

    References
    ----------
    Nair and Hinton, ICML 2010.
    """
    return np.maximum(x, 0, out=out)


def relu_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`relu`: dx = dy · [y > 0]."""
    return np.multiply(dy, y > 0, out=out)


def leaky_relu(x: Array, slope: float = 0.01, out: Array | None = None) -> Array:
    """Rectifier with a small slope below zero.

        y = max(x, a·x)          dx = dy · (1 if y > 0 else a)

    Examples
    --------
    >>> import numpy as np
    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])

    References
    ----------
    Maas, Hannun and Ng, ICML 2013.
    """
    return np.maximum(x, x * slope, out=out)


def leaky_relu_backward(dy: Array, y: Array, slope: float = 0.01, out: Array | None = None) -> Array:
    """The pull-back of :func:`leaky_relu`: dx = dy · (1 if y > 0 else a)."""
    factor = (y > 0).astype(y.dtype)
    np.maximum(factor, slope, out=factor)  # 1 or a; np.where is five times slower
    dx: Array = np.multiply(dy, factor, out=out)
    return dx


def prelu(x: Array, slope: Array, out: Array | None = None) -> Array:
    """Leaky rectifier that learns one slope below zero for each feature.

        y = max(x, 0) + a · min(x, 0)

        dx = dy · (1 if x > 0 else a)      da = Σₙ dyₙ · min(xₙ, 0)

    Parameters
    ----------
    x : array (N, I)
        Input.
    slope : array (I,)
        Slope a of each feature below zero.
    out : array (N, I), optional
        Where to write y; may be x.

    Returns
    -------
    array (N, I)
        Output.

    Examples
    --------
    >>> import numpy as np
    >>> prelu(np.array([[-1.0, -1.0]]), np.array([0.25, 0.5]))
    array([[-0.25, -0.5 ]])

    References
    ----------
    He et al., ICCV 2015, section 2.1.
    """
    below = np.minimum(x, 0) * slope
    y: Array = np.maximum(x, 0, out=out)
    y += below
    return y


def prelu_backward(
    dy: Array, x: Array, slope: Array, out: tuple[Array | None, Array | None] = (None, None)
) -> tuple[Array, Array]:
    """The pull-back of :func:`prelu`: (dx, da) = (dy · (1 if x > 0 else a), Σₙ dyₙ · min(xₙ, 0)).

    Parameters
    ----------
    dy : array (N, I)
        Gradient ∂L/∂y of the loss with respect to the output.
    x : array (N, I)
        Input of the forward.
    slope : array (I,)
        Slope a of each feature below zero.
    out : pair of arrays (N, I) and (I,), either may be None
        Where to write dx and da.

    Returns
    -------
    dx : array (N, I)
        Gradient ∂L/∂x.
    da : array (I,)
        Gradient ∂L/∂a.
    """
    dx_out, dslope_out = out
    dslope = np.einsum("ni,ni->i", dy, np.minimum(x, 0), out=dslope_out)
    factor = np.multiply(x > 0, 1 - slope)  # 1 or a, as a sum: np.where is five times slower
    factor += slope
    return np.multiply(dy, factor, out=dx_out), dslope


def hard_sigmoid(x: Array, out: Array | None = None) -> Array:
    """Sigmoid made of three straight lines.

        y = min(max(x/6 + ½, 0), 1)          dx = dy/6 · [0 < y < 1]

    Examples
    --------
    >>> import numpy as np
    >>> hard_sigmoid(np.array([-3.0, 0.0, 1.5, 9.0]))
    array([0.  , 0.5 , 0.75, 1.  ])

    References
    ----------
    Howard et al., ICCV 2019, section 5.2.
    """
    y: Array = np.divide(x, 6, out=out)
    y += 0.5
    np.clip(y, 0, 1, out=y)
    return y


def hard_sigmoid_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`hard_sigmoid`: dx = dy/6 · [0 < y < 1]."""
    dx: Array = np.multiply(dy, (y > 0) & (y < 1), out=out)
    dx /= 6
    return dx
