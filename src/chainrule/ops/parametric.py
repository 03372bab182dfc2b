"""A step from the input towards what an activation makes of it, whose length is learned."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array


def parametric(x: Array, f: Array, amount: Array, out: Array | None = None) -> Array:
    """The part a of an activation, and the part 1 − a of its input: none of it at a = 0, all of it at a = 1.

        y = x + a · (f(x) − x) = (1 − a) · x + a · f(x)

    The second form is computed: it loses no digits where f(x) is much smaller than x.

    Parameters
    ----------
    x, out : arrays (N, I)
    f : array f(x) (N, I)
    amount : array a (I,)

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[-1.0, -1.0, -1.0]])
    >>> parametric(x, np.maximum(x, 0), np.array([0.0, 0.75, 1.0]))
    array([[-1.  , -0.25,  0.  ]])

    Holzmüller, Grinsztajn and Steinwart, NeurIPS 2024, section 3.
    """
    of_f = f * amount
    y: Array = np.multiply(x, 1 - amount, out=out)
    y += of_f
    return y


def parametric_backward(
    dy: Array, x: Array, f: Array, amount: Array, out: tuple[Array | None, Array | None, Array | None] = (None,) * 3
) -> tuple[Array, Array, Array]:
    """The pull-back of :func:`parametric`: (dx, df, da), where dx is the part that does not go through f.

        dx = dy · (1 − a)          df = dy · a          da = Σₙ dyₙ · (f(xₙ) − xₙ)

    The pull-back of f turns df into the other part, f′(x) · df, so that the whole is dy · (1 − a + a f′(x)).

    Parameters
    ----------
    dy, x, f : arrays (N, I)
    amount : array a (I,)
    out : arrays for dx, df and da; that for dx may be dy

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
