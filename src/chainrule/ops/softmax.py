"""Softmax and its logarithm over the last axis, safe at any magnitude.

All three rest on one identity: taking a constant c out of every exponent changes nothing,

    log Σₖ exp xₖ = c + log Σₖ exp(xₖ − c),

and with c = maxₖ xₖ the largest term is exp 0 = 1: nothing overflows and the sum is at least 1.
"""

from __future__ import annotations

import numpy as np

from .._support.checks import Array


def logsumexp(x: Array) -> Array:
    """Smooth maximum of each row.

        y = log Σₖ exp xₖ

        dx = dy · softmax(x)

    Parameters
    ----------
    x : array (..., K)
        Input.

    Returns
    -------
    array (...)
        Output.

    Examples
    --------
    >>> import numpy as np
    >>> logsumexp(np.array([[1000.0, 1000.0]])) - 1000
    array([0.69314718])
    """
    largest = np.max(x, axis=-1, keepdims=True)
    y: Array = (largest + np.log(np.sum(np.exp(x - largest), axis=-1, keepdims=True)))[..., 0]
    return y


def logsumexp_backward(dy: Array, x: Array) -> Array:
    """The pull-back of :func:`logsumexp`: dx = dy · softmax(x).

    Parameters
    ----------
    dy : array (...)
        Gradient ∂L/∂y of the loss with respect to the output.
    x : array (..., K)
        Input of the forward.

    Returns
    -------
    array (..., K)
        Gradient ∂L/∂x.
    """
    dx: Array = softmax(x) * dy[..., None]
    return dx


def log_softmax(x: Array, out: Array | None = None) -> Array:
    """Logarithm of the softmax of each row.

        y = x − log Σₖ exp xₖ

        dx = dy − exp(y) Σₖ dyₖ

    Parameters
    ----------
    x : array (..., K)
        Input.
    out : array (..., K), optional
        Where to write y; may be x.

    Returns
    -------
    array (..., K)
        Output, never above 0.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([[0.0, -10000.0]]))
    array([[     0., -10000.]])
    """
    y: Array = np.subtract(x, np.max(x, axis=-1, keepdims=True), out=out)  # first, or a large maximum swallows the rest
    y -= np.log(np.sum(np.exp(y), axis=-1, keepdims=True))
    return y


def log_softmax_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`log_softmax`: dx = dy − exp(y) Σₖ dyₖ.

    Parameters
    ----------
    dy : array (..., K)
        Gradient ∂L/∂y of the loss with respect to the output.
    y : array (..., K)
        Output of the forward.
    out : array (..., K), optional
        Where to write dx; may be dy.

    Returns
    -------
    array (..., K)
        Gradient ∂L/∂x.
    """
    dx: Array = np.subtract(dy, np.exp(y) * np.sum(dy, axis=-1, keepdims=True), out=out)
    return dx


def softmax(x: Array, out: Array | None = None) -> Array:
    """Positive numbers that sum to one in each row.

        yₖ = exp xₖ / Σⱼ exp xⱼ

        dx = y · (dy − Σₖ dyₖ yₖ)

    Parameters
    ----------
    x : array (..., K)
        Input.
    out : array (..., K), optional
        Where to write y; may be x.

    Returns
    -------
    array (..., K)
        Output.

    Notes
    -----
    The gradient is not dy: every output depends on every input. Only with the cross-entropy do
    the two collapse to y − target, which the loss on logits computes.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([[1000.0, 1000.0, -1000.0]]))
    array([[0.5, 0.5, 0. ]])
    """
    y: Array = np.subtract(x, np.max(x, axis=-1, keepdims=True), out=out)
    np.exp(y, out=y)
    y /= np.sum(y, axis=-1, keepdims=True)
    return y


def softmax_backward(dy: Array, y: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`softmax`: dx = y · (dy − Σₖ dyₖ yₖ).

    Parameters
    ----------
    dy : array (..., K)
        Gradient ∂L/∂y of the loss with respect to the output.
    y : array (..., K)
        Output of the forward.
    out : array (..., K), optional
        Where to write dx; may be dy.

    Returns
    -------
    array (..., K)
        Gradient ∂L/∂x.
    """
    dx: Array = np.subtract(dy, np.einsum("...k,...k->...", dy, y)[..., None], out=out)
    dx *= y
    return dx
