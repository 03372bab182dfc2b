"""PBLD: a few learned sums of learned waves of each number, beside the number itself.

For column j, with H frequencies w1_j, phases b1_j, and K mixtures W2_j (H, K) with biases b2_j,

    c_j = cos u_j,    u_j = 2π x_j w1_j + b1_j          z_j = c_j W2_j + b2_j          y = (z_1, ..., z_I, x).

The backward goes through the mixtures, the cosine and its argument; x also gets the gradient of its copy in y:

    dc_j = dz_j W2_jᵀ      dW2_j = Σₙ c_jᵀ dz_j      db2_j = Σₙ dz_j
    du_j = −sin u_j · dc_j      dw1_j = 2π Σₙ x_j du_j      db1_j = Σₙ du_j
    dx_j = 2π ⟨du_j, w1_j⟩ + dy at the position of x_j.

Waves let a network resolve a number on a scale far finer than its spread, which an MLP is slow to learn. (Gorishniy,
Rubachev and Babenko 2022, section 3.3; without the activation after the mixtures, and with x beside them: Holzmüller,
Grinsztajn and Steinwart 2024, section 3.)
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi

import numpy as np

from .._support.checks import Array
from .blocks import row_blocks

Gradients = tuple[Array | None, Array | None, Array | None, Array | None, Array | None]


def pbld(x: Array, w1: Array, b1: Array, W2: Array, b2: Array, out: Array | None = None) -> Array:
    """Compute learned sums of learned waves of each column, followed by the columns themselves.

        y = (z_1, ..., z_I, x),    z_j = cos(2π x_j w1_j + b1_j) W2_j + b2_j

        dx, dw1, db1, dW2, db2 : see the module

    Parameters
    ----------
    x : array (N, I)
        Input.
    w1, b1 : arrays (I, H)
        Frequencies and phases.
    W2 : array (I, H, K)
        Mixtures.
    b2 : array (I, K)
        Biases of the mixtures.
    out : array (N, IK + I), optional
        Where to write y; must not be x.

    Returns
    -------
    array (N, IK + I)
        Output.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones((1, 1))
    >>> pbld(np.array([[0.0], [0.5]]), one, 0 * one, np.ones((1, 1, 1)), 0 * one)
    array([[ 1. ,  0. ],
           [-1. ,  0.5]])
    """
    inputs, outputs = b2.shape
    y = np.empty((len(x), inputs * outputs + inputs), x.dtype) if out is None else out
    z = _mixtures(y, b2)
    for rows in _blocks(x, w1):
        waves = np.cos(_phases(x[rows], w1, b1))
        np.add(np.matmul(waves, W2), b2[:, None], out=z[:, rows])
    y[:, inputs * outputs :] = x
    return y


def pbld_backward(
    dy: Array,
    x: Array,
    w1: Array,
    b1: Array,
    W2: Array,
    out: Gradients = (None, None, None, None, None),
    *,
    input_gradient: bool = True,
) -> tuple[Array | None, Array, Array, Array, Array]:
    """The pull-back of :func:`pbld`: (dx, dw1, db1, dW2, db2).

    Parameters
    ----------
    dy : array (N, IK + I)
        Gradient ∂L/∂y of the loss with respect to the output.
    x : array (N, I)
        Input of the forward.
    w1, b1 : arrays (I, H)
        Frequencies and phases.
    W2 : array (I, H, K)
        Mixtures.
    out : five arrays, any may be None
        Where to write the gradients.
    input_gradient : bool
        Whether to compute dx.

    Returns
    -------
    dx : array (N, I) or None
        Gradient ∂L/∂x.
    dw1, db1 : arrays (I, H)
        Gradients ∂L/∂w1 and ∂L/∂b1.
    dW2 : array (I, H, K)
        Gradient ∂L/∂W2.
    db2 : array (I, K)
        Gradient ∂L/∂b2.
    """
    inputs, _, outputs = W2.shape
    shapes = (x.shape, w1.shape, b1.shape, W2.shape, (inputs, outputs))
    pairs = zip(shapes, out, strict=True)
    dx, dw1, db1, dW2, db2 = (np.empty(shape, dy.dtype) if room is None else room for shape, room in pairs)
    dz = _mixtures(dy, W2[:, 0])
    np.sum(dz, axis=1, out=db2)
    for gradient in (dw1, db1, dW2):
        gradient[...] = 0
    for rows in _blocks(x, w1):
        u = _phases(x[rows], w1, b1)
        dW2 += np.matmul(np.cos(u).transpose(0, 2, 1), dz[:, rows])
        du = np.sin(u, out=u)
        du *= np.matmul(dz[:, rows], -W2.transpose(0, 2, 1))
        db1 += du.sum(axis=1)
        dw1 += np.einsum("ni,inh->ih", x[rows], du)
        if input_gradient:
            dx[rows] = 2 * pi * np.einsum("inh,ih->ni", du, w1) + dy[rows, inputs * outputs :]
    dw1 *= 2 * pi
    return dx if input_gradient else None, dw1, db1, dW2, db2


def _phases(x: Array, w1: Array, b1: Array) -> Array:
    """u (I, N, H), column by column."""
    u: Array = np.asarray(x).T[:, :, None] * (2 * pi * np.asarray(w1))[:, None]  # of np.matrix, * is another product
    u += b1[:, None]
    return u


def _mixtures(y: Array, b2: Array) -> Array:
    """The learned part of y as z (I, N, K), a view."""
    inputs, outputs = b2.shape
    return y[:, : inputs * outputs].reshape(len(y), inputs, outputs).transpose(1, 0, 2)


def _blocks(x: Array, w1: Array) -> Iterator[slice]:
    """Slices of rows whose waves fit in the cache."""
    return row_blocks(np.broadcast_to(x[:, :1, None], (len(x), *w1.shape)))
