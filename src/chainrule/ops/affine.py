"""The affine map of a batch, and its diagonal sibling: almost all the arithmetic of an MLP."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, is_sparse

Gradients = tuple[Array | None, Array | None, Array | None]


def affine(x: Array, W: Array, b: Array | None = None, out: Array | None = None) -> Array:
    """Multiply each row of x by W and add b.

        y = xW + b

        dx = dy Wᵀ      dW = xᵀ dy      db = Σₙ dyₙ

    Parameters
    ----------
    x : array (N, I) or SciPy sparse matrix
        Input; a sparse matrix stays sparse.
    W : array (I, O)
        Weights.
    b : array (O,), optional
        Bias; none by default.
    out : array (N, O), optional
        Where to write y.

    Returns
    -------
    array (N, O)
        Output.

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
    dy : array (N, O)
        Gradient ∂L/∂y of the loss with respect to the output.
    x : array (N, I) or SciPy sparse matrix
        Input of the forward.
    W : array (I, O)
        Weights.
    out : arrays (N, I), (I, O) and (O,), any may be None
        Where to write dx, dW and db.
    bias : bool
        Whether there is a b.
    input_gradient : bool
        Whether to compute dx. The first layer of a network does not need it, which saves a third of its work.

    Returns
    -------
    dx : array (N, I) or None
        Gradient ∂L/∂x.
    dW : array (I, O)
        Gradient ∂L/∂W.
    db : array (O,) or None
        Gradient ∂L/∂b.
    """
    dx_out, dW_out, db_out = out
    dW = _product(x.T, dy, dW_out)
    db = np.sum(dy, axis=0, out=db_out) if bias else None
    dx = np.matmul(dy, W.T, out=dx_out) if input_gradient else None
    return dx, dW, db


def _product(left: Any, right: Array, out: Array | None) -> Array:
    """left · right, where left may be sparse; a sparse product has no ``out``."""
    if not is_sparse(left):
        product: Array = np.matmul(left, right, out=out)
        return product
    product = left @ right
    if out is None:
        return product
    out[...] = product
    return out


def scale(x: Array, gain: Array, bias: Array | None = None, out: Array | None = None) -> Array:
    """Multiply each feature by its own gain and add its own bias: an affine map with a diagonal matrix.

        y = gain · x + bias

        dx = gain · dy      dgain = Σₙ dyₙ · xₙ      dbias = Σₙ dyₙ

    Parameters
    ----------
    x : array (N, I)
        Input.
    gain : array (I,)
        Factor of each feature.
    bias : array (I,), optional
        Number added to each feature; none by default.
    out : array (N, I), optional
        Where to write y; may be x.

    Returns
    -------
    array (N, I)
        Output.

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
    dy : array (N, I)
        Gradient ∂L/∂y of the loss with respect to the output.
    x : array (N, I)
        Input of the forward.
    gain : array (I,)
        Factor of each feature.
    out : arrays (N, I), (I,) and (I,), any may be None
        Where to write dx, dgain and dbias.
    bias : bool
        Whether there is a bias.

    Returns
    -------
    dx : array (N, I)
        Gradient ∂L/∂x.
    dgain : array (I,)
        Gradient ∂L/∂gain.
    dbias : array (I,) or None
        Gradient ∂L/∂bias.
    """
    dx_out, dgain_out, dbias_out = out
    dgain = np.einsum("ni,ni->i", dy, x, out=dgain_out)
    dbias = np.sum(dy, axis=0, out=dbias_out) if bias else None
    return np.multiply(dy, gain, out=dx_out), dgain, dbias
