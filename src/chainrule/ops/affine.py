"""The affine map of a batch, and its diagonal sibling: where almost all the arithmetic of an MLP is spent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, is_sparse

Gradients = tuple[Array | None, Array | None, Array | None]


def affine(x: Array, W: Array, b: Array | None = None, out: Array | None = None) -> Array:
    """Each row of x times W, plus b.

        y = xW + b

        dx = dy Wᵀ      dW = xᵀ dy      db = Σₙ dyₙ

    Parameters
    ----------
    x : array (N, I), or one of SciPy's sparse matrices, which is not made dense
    W : array (I, O)
    b : array (O,) or None for no bias
    out : array (N, O), optional, where y is written

    Returns
    -------
    y : array (N, O)

    Examples
    --------
    >>> import numpy as np
    >>> affine(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([0.5]))
    array([[11.5]])
    """
    y = _product(x, W, out)
    if b is not None:
        y += b
    return y


def affine_backward(
    dy: Array,
    x: Array,
    W: Array,
    out: Gradients = (None, None, None),
    *,
    bias: bool = True,
    input_gradient: bool = True,
) -> tuple[Array | None, Array, Array | None]:
    """The pull-back of :func:`affine`: (dx, dW, db) = (dy Wᵀ, xᵀ dy, Σₙ dyₙ).

    Parameters
    ----------
    dy : array (N, O); x : array (N, I), dense or sparse; W : array (I, O)
    out : arrays (dx (N, I), dW (I, O), db (O,)), each of them may be None
    bias : bool, whether there is a b
    input_gradient : bool; the first layer of a network needs no dx, which saves a third of its work
    """
    dx_out, dW_out, db_out = out
    dW = _product(x.T, dy, dW_out)
    db = np.sum(dy, axis=0, out=db_out) if bias else None
    dx = np.matmul(dy, W.T, out=dx_out) if input_gradient else None
    return dx, dW, db


def _product(left: Any, right: Array, out: Array | None) -> Array:
    """left · right, where left may be sparse; such a product cannot be told where to write."""
    if not is_sparse(left):
        product: Array = np.matmul(left, right, out=out)
        return product
    product = left @ right
    if out is None:
        return product
    out[...] = product
    return out


def scale(x: Array, gain: Array, bias: Array | None = None, out: Array | None = None) -> Array:
    """Each feature times its own gain, plus its own bias: an affine map whose matrix is diagonal.

        y = gain · x + bias

        dx = gain · dy      dgain = Σₙ dyₙ · xₙ      dbias = Σₙ dyₙ

    Parameters
    ----------
    x : array (N, I)
    gain : array (I,)
    bias : array (I,) or None
    out : array (N, I), optional

    Returns
    -------
    y : array (N, I)

    Examples
    --------
    >>> import numpy as np
    >>> scale(np.array([[1.0, 2.0]]), np.array([10.0, 100.0]))
    array([[ 10., 200.]])
    """
    y = np.multiply(x, gain, out=out)
    if bias is not None:
        y += bias
    return y


def scale_backward(
    dy: Array, x: Array, gain: Array, out: Gradients = (None, None, None), *, bias: bool = True
) -> tuple[Array, Array, Array | None]:
    """The pull-back of :func:`scale`: (dx, dgain, dbias) = (gain · dy, Σₙ dyₙ xₙ, Σₙ dyₙ).

    Parameters
    ----------
    dy, x : arrays (N, I); gain : array (I,)
    out : arrays (dx (N, I), dgain (I,), dbias (I,)), each of them may be None
    bias : bool, whether there is a bias
    """
    dx_out, dgain_out, dbias_out = out
    dgain = np.einsum("ni,ni->i", dy, x, out=dgain_out)
    dbias = np.sum(dy, axis=0, out=dbias_out) if bias else None
    return np.multiply(dy, gain, out=dx_out), dgain, dbias
