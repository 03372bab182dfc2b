"""A piecewise-linear function of each number, by look-up.

Column j has M bins, of which bin m begins at left_m and is width_m wide. The definition, index j left out, is

    y = x slope + bias + Σₘ c_m steps_m,    c_m = (x − left_m) / width_m, at least 0 except in the first bin,
                                                                          at most 1 except in the last.

Of the bins before that of x, bin k, each c is 1; of those after it, 0. So two rows of tables are enough:

    y = x slope + before_k + c_k steps_k,    before_k = bias + steps_1 + ... + steps_{k−1}.

The backward adds dy to row k of dbefore and c_k dy to row k of dsteps. As before_k holds the steps of all earlier bins,

    dsteps_m += dbefore_{m+1} + ... + dbefore_M      dbias = dbefore_1 + ... + dbefore_M      dslope = Σₙ xₙ dyₙ
    dx = ⟨dy, slope + steps_k / width_k⟩.

A column with fewer bins than others has left_m = ``NO_BIN`` in those that it lacks. (Gorishniy, Rubachev and Babenko
2022, section 3.2.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._support.checks import Array
from .blocks import row_blocks

NO_BIN = float(np.finfo(np.float32).max)  # and not infinity, which no constant in C could be
Gradients = tuple[Array | None, Array | None, Array | None, Array | None]


def piecewise_linear(
    x: Array, steps: Array, slope: Array, bias: Array, left: Array, width: Array, out: Array | None = None
) -> Array:
    """Compute piecewise-linear functions of each column.

        y, dx, dsteps, dslope, dbias : see the module

    Parameters
    ----------
    x : array (N, I)
        Input.
    steps : array (I, M, K)
        By how much the functions rise in each bin, beside the slope.
    slope, bias : arrays (I, K)
        The line that is added.
    left, width : arrays (I, M)
        Where bins begin, in ascending order, and their widths; ``NO_BIN`` and any width for a bin that is none.
    out : array (N, IK), optional
        Where to write y; must not be x.

    Returns
    -------
    array (N, IK)
        Output.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.zeros((1, 1))
    >>> piecewise_linear(np.array([[0.5], [1.5], [3.0]]), np.array([[[1.0], [10.0]]]), line, line,
    ...                  left=np.array([[0.0, 1.0]]), width=np.ones((1, 2)))
    array([[ 0.5],
           [ 6. ],
           [21. ]])
    """
    inputs, _, outputs = steps.shape
    y = np.empty((len(x), inputs * outputs), x.dtype) if out is None else out
    split = y.reshape(len(x), inputs, outputs)
    before = np.empty_like(steps)
    before[:, 0] = bias
    np.cumsum(steps[:, :-1], axis=1, out=before[:, 1:])
    before[:, 1:] += bias[:, None]
    for rows in _blocks(x, steps):
        place, c = _bins(x[rows], left, width)
        z = np.multiply(_rows(steps, place), c[:, :, None], out=split[rows])
        z += _rows(before, place)
        z += x[rows, :, None] * slope
    return y


def piecewise_linear_backward(
    dy: Array,
    x: Array,
    steps: Array,
    slope: Array,
    left: Array,
    width: Array,
    out: Gradients = (None, None, None, None),
    *,
    input_gradient: bool = True,
) -> tuple[Array | None, Array, Array, Array]:
    """The pull-back of :func:`piecewise_linear`: (dx, dsteps, dslope, dbias).

    Parameters
    ----------
    dy : array (N, IK)
        Gradient ∂L/∂y of the loss with respect to the output.
    x : array (N, I)
        Input of the forward.
    steps : array (I, M, K)
        Rises of the functions in each bin.
    slope : array (I, K)
        Slopes of the lines.
    left, width : arrays (I, M)
        Where bins begin, and their widths.
    out : four arrays, any may be None
        Where to write the gradients.
    input_gradient : bool
        Whether to compute dx.

    Returns
    -------
    dx : array (N, I) or None
        Gradient ∂L/∂x.
    dsteps : array (I, M, K)
        Gradient ∂L/∂steps.
    dslope, dbias : arrays (I, K)
        Gradients ∂L/∂slope and ∂L/∂bias.
    """
    shapes = (x.shape, steps.shape, slope.shape, slope.shape)
    pairs = zip(shapes, out, strict=True)
    dx, dsteps, dslope, dbias = (np.empty(shape, dy.dtype) if room is None else room for shape, room in pairs)
    dz = dy.reshape(len(x), *slope.shape)
    sums, after = np.zeros((2, *steps.shape), dy.dtype)
    dslope[...] = 0
    for rows in _blocks(x, steps):
        place, c = _bins(x[rows], left, width)
        _add(sums, place, c[:, :, None] * dz[rows])
        _add(after, place, dz[rows])
        dslope += np.einsum("ni,nik->ik", x[rows], dz[rows])
        if input_gradient:
            rise = _rows(steps, place) / np.take(width, place)[:, :, None]
            np.einsum("nik,nik->ni", dz[rows], rise + slope, out=dx[rows])
    backwards = after[:, ::-1]
    np.cumsum(backwards, axis=1, out=backwards)
    sums[:, :-1] += after[:, 1:]
    dsteps[...], dbias[...] = sums, after[:, 0]
    return dx if input_gradient else None, dsteps, dslope, dbias


def _bins(x: Array, left: Array, width: Array) -> tuple[Array, Array]:
    """For each number the place of its bin among those of all columns (N, I), and how far into it it lies, c."""
    columns, bins = left.shape
    place = np.count_nonzero(x[:, :, None] >= left[:, 1:], axis=2) + bins * np.arange(columns)
    return place, (x - np.take(left, place)) / np.take(width, place)


def _rows(table: Array, place: Array) -> Array:
    """The row of each number's bin, (N, I, K)."""
    found: Array = np.take(table.reshape(-1, table.shape[2]), place, axis=0)
    return found


def _add(table: Array, place: Array, values: Array) -> None:
    """Add the values (N, I, K) to the rows of their bins."""
    outputs = table.shape[2]
    each = place[:, :, None] * outputs + np.arange(outputs)
    np.add.at(table.reshape(-1), each.ravel(), values.ravel())  # far faster than rows at a time


def _blocks(x: Array, steps: Array) -> Iterator[slice]:
    """Slices of rows for which the comparisons with all edges, and the places of all outputs, fit in the cache."""
    columns, bins, outputs = steps.shape
    return row_blocks(np.broadcast_to(np.int8(0), (len(x), columns, max(bins, 8 * outputs))))
