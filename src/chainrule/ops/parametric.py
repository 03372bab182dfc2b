"""A learned mixture of an input and its activation."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array


def parametric(x: Array, f: Array, amount: Array, out: Array | None = None) -> Array:
    """Mix an activation, with share a, and its input, with share 1 − a.

        y = x + a · (f(x) − x) = (1 − a) · x + a · f(x)

    The second form is computed, because it loses no digits if f(x) is much smaller than x.

    Parameters
    ----------
    x : array (N, I)
        Input.
    f : array (N, I)
        The activation f(x).
    amount : array (I,)
        Share a of each feature.
    out : array (N, I), optional
        Where to write y; may be x.

    Returns
    -------
    array (N, I)
        Output.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[-1.0, -1.0, -1.0]])
    >>> parametric(x, np.maximum(x, 0), np.array([0.0, 0.75, 1.0]))
    array([[-1.  , -0.25,  0.  ]])

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, NeurIPS 2024, section 3.
    """
    of_f = f * amount
    y: Array = np.multiply(x, 1 - amount, out=out)
    y += of_f
    return y


def parametric_backward(
    dy: Array, x: Array, f: Array, amount: Array, out: tuple[Array | None, Array | None, Array | None] = (None,) * 3
) -> tuple[Array, Array, Array]:
    """The pull-back of :func:`parametric`; dx is the part that does not go through f.

        dx = dy · (1 − a)          df = dy · a          da = Σₙ dyₙ · (f(xₙ) − xₙ)

    The pull-back of f turns df into the other part, f′(x) · df; the sum is dy · (1 − a + a f′(x)).

    Parameters
    ----------
    dy : array (N, I)
        Gradient ∂L/∂y of the loss with respect to the output.
    x, f : arrays (N, I)
        Input and activation of the forward.
    amount : array (I,)
        Share a of each feature.
    out : arrays (N, I), (N, I) and (I,), any may be None
        Where to write dx, df and da; the first may be dy.

    Returns
    -------
    dx : array (N, I)
        Gradient with respect to x, without the part through f.
    df : array (N, I)
        Gradient ∂L/∂f.
    da : array (I,)
        Gradient ∂L/∂a.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[-1.0], [2.0]])
    >>> parametric_backward(np.ones((2, 1)), x, np.maximum(x, 0), np.array([0.75]))[2]
    array([1.])
    """
    dx_out, df_out, damount_out = out
    damount = np.einsum("ni,ni->i", dy, f - x, out=damount_out)
    df = np.multiply(dy, amount, out=df_out)
    return np.multiply(dy, 1 - amount, out=dx_out), df, damount
