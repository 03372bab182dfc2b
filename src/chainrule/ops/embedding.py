"""The look-up of codes in a table: what a network makes of categories.

A code k stands for the row of ones and zeros whose only 1 is at k. Of such rows the affine map e_k E is the row k of E,
and its gradient eᵀ dy adds each dy to the row that its code chose. Neither needs the ones and zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from .fused import twin

FIRST = np.array([0])


def embedding(x: Array, E: Array, out: Array | None = None) -> Array:
    """The row of a table for each code.

        y_n = E[x_n]

        dE[k] = Σ dy_n over the rows n whose code x_n is k

    Parameters
    ----------
    x : array (N, 1) of codes 0, 1, ... as whole numbers of any dtype
    E : array (codes, size)
    out : array (N, size), optional; not x itself

    Returns
    -------
    y : array (N, size)

    Raises
    ------
    ValueError
        If a number of x is no code of the table.

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
    """The pull-back of :func:`embedding` to its table: dE. A code is a name, not a quantity: there is no dx.

    Parameters
    ----------
    dy : array (N, size); x : array (N, 1); E : array (codes, size), whose numbers are not needed
    out : array (codes, size), optional
    """
    dE = np.empty(E.shape, dy.dtype) if out is None else out
    dE[...] = 0
    np.add.at(dE, x[:, 0].astype(np.intp), dy)
    return dE


def all_codes(x: Array, columns: Array, codes: Array) -> bool:
    """Whether each of these columns of x (N, I) holds codes from 0 to ``codes`` - 1 alone; NaN is none."""
    part = x[:, columns]
    return bool(((part >= 0) & (part < codes) & (part == np.floor(part))).all())


def check_codes(who: str, x: Array, columns: Array, codes: Array, first_row: int = 0, of: Any = None) -> None:
    """Raise at the first number that is no code where :func:`all_codes` wants one, and name its place.

    ``of`` is what x (N, I) was made of; the first row of x counts as ``first_row``.
    """
    if not _all_codes(x, columns, codes):
        from .._support.strangers import place

        for column, count in zip(columns.tolist(), codes.tolist(), strict=True):
            wrong = ~((x[:, column] >= 0) & (x[:, column] < count) & (x[:, column] == np.floor(x[:, column])))
            if wrong.any():
                row = int(np.argmax(wrong))
                got = f"{x[row, column]:g}{place(of, (row, column), first_row)} ({int(wrong.sum())} such in all)"
                remedy = "give what is missing or new a code of its own"
                raise ValueError(sentence(who, f"codes that are whole numbers from 0 to {count - 1}", got, remedy))


_all_codes = twin(all_codes)
