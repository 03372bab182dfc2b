"""The look-up of codes in a table, for categories.

A code k stands for the one-hot row e_k. The affine map e_k E is row k of E, and its gradient eᵀ dy adds each dy to the
row that its code selects. Neither needs the one-hot rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from .fused import twin

FIRST = np.array([0])


def embedding(x: Array, E: Array, out: Array | None = None) -> Array:
    """Look up the row of a table for each code.

        y_n = E[x_n]

        dE[k] = Σ dy_n over the rows n whose code x_n is k

    Parameters
    ----------
    x : array (N, 1)
        Codes 0, 1, ... as whole numbers of any dtype.
    E : array (codes, size)
        The table.
    out : array (N, size), optional
        Where to write y; must not be x.

    Returns
    -------
    array (N, size)
        Output.

    Raises
    ------
    ValueError
        If a number of x is not a code of the table.

    Examples
    --------
    >>> import numpy as np
    >>> embedding(np.array([[1.0], [0.0], [1.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3., 4.],
           [1., 2.],
           [3., 4.]])
    """
    check_codes("embedding", x, FIRST, np.array([len(E)]))
    y: Array = np.take(E, x[:, 0].astype(np.intp), axis=0, out=out, mode="clip")  # "raise" would copy out
    return y


def embedding_backward(dy: Array, x: Array, E: Array, out: Array | None = None) -> Array:
    """The pull-back of :func:`embedding` to its table; a code is a name, not a quantity, so there is no dx.

    Parameters
    ----------
    dy : array (N, size)
        Gradient ∂L/∂y of the loss with respect to the output.
    x : array (N, 1)
        Codes of the forward.
    E : array (codes, size)
        The table, of which only the shape is used.
    out : array (codes, size), optional
        Where to write dE.

    Returns
    -------
    array (codes, size)
        Gradient ∂L/∂E.
    """
    dE = np.empty(E.shape, dy.dtype) if out is None else out
    dE[...] = 0
    np.add.at(dE, x[:, 0].astype(np.intp), dy)
    return dE


def all_codes(x: Array, columns: Array, codes: Array) -> bool:
    """Whether each of these columns of x (N, I) holds only codes from 0 to ``codes`` - 1; NaN is not one."""
    part = x[:, columns]
    return bool(((part >= 0) & (part < codes) & (part == np.floor(part))).all())


def check_codes(who: str, x: Array, columns: Array, codes: Array, first_row: int = 0, of: Any = None) -> None:
    """Raise if a number is not a code where :func:`all_codes` requires one, and say where it is.

    x (N, I) was made from the user's values ``of``, and its first row is number ``first_row``.
    """
    if not _all_codes(x, columns, codes):
        from .._support.strangers import place

        for column, count in zip(columns.tolist(), codes.tolist(), strict=True):
            wrong = ~((x[:, column] >= 0) & (x[:, column] < count) & (x[:, column] == np.floor(x[:, column])))
            if wrong.any():
                row = int(np.argmax(wrong))
                got = f"{x[row, column]:g}{place(of, (row, column), first_row)} ({int(wrong.sum())} in total)"
                remedy = "give missing and new values a code of their own"
                raise ValueError(sentence(who, f"codes that are whole numbers from 0 to {count - 1}", got, remedy))


_all_codes = twin(all_codes)
