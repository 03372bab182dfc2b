"""PBLD: what a network is given of a number besides the number itself, a few learned sums of learned waves.

Of column j, with H frequencies w1_j, their phases b1_j, and K mixtures W2_j (H, K) with biases b2_j,

    c_j = cos u_j,    u_j = 2π x_j w1_j + b1_j          z_j = c_j W2_j + b2_j          y = (z_1, ..., z_I, x).

Backwards through the mixtures, the cosine and the line in it, and to x also as it stands in y:

    dc_j = dz_j W2_jᵀ      dW2_j = Σₙ c_jᵀ dz_j      db2_j = Σₙ dz_j
    du_j = −sin u_j · dc_j      dw1_j = 2π Σₙ x_j du_j      db1_j = Σₙ du_j
    dx_j = 2π ⟨du_j, w1_j⟩ + dy at x_j's own place.

Waves let a network follow a number at a scale far finer than its spread, which the layers of an MLP are slow to learn.
(Gorishniy, Rubachev and Babenko 2022, section 3.3; without the activation behind the mixtures and with x beside them:
Holzmüller, Grinsztajn and Steinwart 2024, section 3.)
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi

import numpy as np

from .._support.checks import Array
from .blocks import row_blocks

Gradients = tuple[Array | None, Array | None, Array | None, Array | None, Array | None]


def pbld(x: Array, w1: Array, b1: Array, W2: Array, b2: Array, out: Array | None = None) -> Array:
    """Learned sums of learned waves of each column, then the columns themselves.

        y = (z_1, ..., z_I, x),    z_j = cos(2π x_j w1_j + b1_j) W2_j + b2_j

        dx, dw1, db1, dW2, db2 : see the module

    Parameters
    ----------
    x : array (N, I)
    w1, b1 : arrays (I, H), frequencies and phases
    W2 : array (I, H, K); b2 : array (I, K)
    out : array (N, IK + I), optional; not x itself

    Returns
    -------
    y : array (N, IK + I)

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
    dy : array (N, IK + I); x : array (N, I); w1, b1 : arrays (I, H); W2 : array (I, H, K)
    out : arrays for the five gradients, each of them may be None
    input_gradient : bool; the first layer of a network needs no dx
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
    u: Array = x.T[:, :, None] * (2 * pi * w1)[:, None]
    u += b1[:, None]
    return u


def _mixtures(y: Array, b2: Array) -> Array:
    """The learned part of y as z (I, N, K), a view."""
    inputs, outputs = b2.shape
    return y[:, : inputs * outputs].reshape(len(y), inputs, outputs).transpose(1, 0, 2)


def _blocks(x: Array, w1: Array) -> Iterator[slice]:
    """Rows so few that all their waves stay in the cache."""
    return row_blocks(np.broadcast_to(x[:, :1, None], (len(x), *w1.shape)))
