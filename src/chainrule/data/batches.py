"""Splits of a data set, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from .._support import checks as _checks
from .._support.checks import (
    Array,
    RandomState,
    as_csr,
    as_numeric,
    as_rng,
    check_integer,
    check_name,
    check_number,
    check_shape,
    is_masked,
    is_sparse,
    sentence,
)
from ..ops.fused import twin

within = twin(_checks.within)

#: "all", "one", or a function of the number of rows that returns the row numbers of the next epoch.
Sample: TypeAlias = "str | Callable[[int], Array]"
SAMPLES = ("all", "one")
#: (x, y, rng) -> (x, y), a changed batch of as many rows in new arrays; the batch itself must not be modified.
Augmentation: TypeAlias = "Callable[[Array, Array, np.random.Generator], tuple[Array, Array]]"


def batches(
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    size: int | None,
    rng: RandomState = None,
    shuffle: bool = True,
    drop_last: bool = False,
    sample: Sample = "all",
) -> Iterator[tuple[Array, ...]]:
    """Iterate over the batches of one epoch.

    Parameters
    ----------
    x : array or SciPy sparse matrix (N, ...)
        Input; batches of a sparse matrix are CSR.
    y : array (N, ...)
        Targets.
    sample_weight : array (N,), optional
        Weight of each row.
    size : int or None
        Rows of a batch; None for one batch of all rows, in their own order.
    rng : int, numpy.random.Generator or None
        Source of the order; the same generator gives a new order at each epoch.
    shuffle : bool
        Whether to shuffle the rows.
    drop_last : bool
        Whether to leave out a last batch shorter than ``size``.
    sample : {"all", "one"} or callable ``(rows) -> array (rows,)``
        Every row once; a single batch of ``size`` different rows; or a function that returns the row numbers of the
        epoch in order, with repetitions if it likes, which replaces ``shuffle`` and ``rng``.

    Returns
    -------
    iterator of tuples of arrays
        (xb, yb) or, with weights, (xb, yb, wb).

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x, y = np.arange(5.0)[:, None], np.arange(5)
    >>> [yb.tolist() for xb, yb in cr.batches(x, y, size=2, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    >>> [len(yb) for xb, yb in cr.batches(x, y, size=2, rng=0, drop_last=True)]
    [2, 2]
    >>> backwards = lambda rows: np.arange(rows)[::-1]
    >>> [yb.tolist() for xb, yb in cr.batches(x, y, size=2, sample=backwards)]
    [[4, 3], [2, 1], [0]]
    """
    others = (("y", y), ("sample_weight", sample_weight))
    numbers = [None if values is None else as_numeric("batches", what, values) for what, values in others]
    arrays = _aligned("batches", x if is_sparse(x) else as_numeric("batches", "x", x), *numbers)
    rows = arrays[0].shape[0]
    check_sample("batches", sample)
    size = rows if size is None else min(check_integer("batches", "size", size), rows)
    return _cut(arrays, _order(rows, size, as_rng(rng, "batches"), shuffle, sample), size, drop_last)


def check_sample(who: str, sample: Any) -> Sample:
    """Return ``sample``; raise unless it is a function or a known name."""
    if isinstance(sample, str):
        return check_name(who, "a way to sample", sample, SAMPLES)
    if callable(sample):
        function: Sample = sample
        return function
    expected = "sample to be a name or a function of the number of rows"
    raise TypeError(sentence(who, expected, repr(sample), "pass sample=lambda rows: order"))


def steps_per_epoch(rows: int, size: int | None, drop_last: bool, sample: Sample) -> int:
    """Return how many batches :func:`batches` yields."""
    size = rows if size is None else min(size, rows)
    if sample == "one":
        return 1
    return rows // size if drop_last else -(-rows // size)


def _order(rows: int, size: int, rng: np.random.Generator, shuffle: bool, sample: Sample) -> Array | None:
    if callable(sample):
        return _row_numbers(sample(rows), rows)
    if sample == "one":
        return rng.choice(rows, size, replace=False)
    return rng.permutation(rows) if shuffle and size < rows else None


def _row_numbers(order: Any, rows: int) -> Array:
    """Check and copy what a user's ``sample`` returned: it may reuse the array for the next epoch."""
    found = as_numeric("sample", "the order", order)
    expected = f"to return integers from 0 to {rows - 1}"
    check_shape("sample", "an order", found, (rows,))
    if found.dtype.kind not in "iu":
        raise TypeError(sentence("sample", expected, f"dtype {found.dtype}"))
    if not within(found, 0, rows - 1):
        raise ValueError(sentence("sample", expected, f"numbers from {found.min()} to {found.max()}"))
    return found.astype(np.intp)


def _cut(arrays: list[Array], order: Array | None, size: int, drop_last: bool) -> Iterator[tuple[Array, ...]]:
    rows = arrays[0].shape[0] if order is None else len(order)
    for start in range(0, rows - size + 1 if drop_last else rows, size):
        part = slice(start, start + size)
        yield tuple(array[part] if order is None else array[order[part]] for array in arrays)


class Batches:
    """The epochs of training: the batches of :func:`batches`, but each in the memory of the one before.

    A batch is valid until the next one. Arrays that are not contiguous by rows are copied once, here: gathering a row
    of a column-major table is forty times slower. Batches of a sparse x are sparse, each in its own memory.

    Attributes
    ----------
    arrays : list of arrays
        x, y and the weights, if any, with the rows in their own order.
    size : rows of a batch
    rows : rows of an epoch, which are fewer with ``drop_last`` or a single batch
    chosen : array, optional
        The numbers of the rows to use; all by default.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        sample_weight: Array | None,
        *,
        size: int | None,
        rng: np.random.Generator,
        drop_last: bool,
        sample: Sample,
        chosen: Array | None = None,
    ) -> None:
        aligned = _aligned("batches", x, y, sample_weight)
        self.arrays = [array if is_sparse(array) else np.ascontiguousarray(array) for array in aligned]
        self.chosen = chosen
        self._rows: int = self.arrays[0].shape[0] if chosen is None else len(chosen)
        self.size: int = self._rows if size is None else min(size, self._rows)
        self.rng = rng
        self._drop_last, self._sample = drop_last, sample
        self._steps = steps_per_epoch(self._rows, self.size, drop_last, sample)
        whole = self._steps * self.size
        self.rows: int = whole if drop_last else min(whole, self._rows)

    def __len__(self) -> int:
        return self._steps

    def order(self) -> Array | None:
        """Return row numbers in the order of the next epoch, or None for the rows in their own order."""
        order = _order(self._rows, self.size, self.rng, True, self._sample)
        if self.chosen is not None:
            order = self.chosen if order is None else self.chosen[order]
        return None if order is None else order[: self.rows]

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        return self.epoch(self.order())

    def epoch(self, order: Array | None, first: int = 0) -> Iterator[tuple[Array, ...]]:
        """Yield the batches of an epoch with a known order, from batch number ``first``."""
        if order is None:
            yield from islice(_cut(self.arrays, order, self.size, self._drop_last), first, None)
        else:
            pairs = list(zip(self.arrays, self._buffers, strict=True))
            for (rows,) in islice(_cut([order], None, self.size, self._drop_last), first, None):
                yield tuple([gather(array, rows, buffer) for array, buffer in pairs])

    @cached_property
    def _buffers(self) -> list[Array | None]:
        return [
            None if is_sparse(array) else np.empty((self.size, *array.shape[1:]), array.dtype) for array in self.arrays
        ]


def gather(array: Array, rows: Array, room: Array | None) -> Array:
    """Return ``array[rows]``, in ``room`` if it is given; the array must then be contiguous and the rows valid."""
    if room is None:
        return array[rows]
    return array.take(rows, axis=0, out=room[: len(rows)], mode="clip")  # any other mode copies out first


def split(
    x: Any, y: Any, fraction: float = 0.2, *, rng: RandomState = None, stratify: bool = False
) -> tuple[Array, Array, Array, Array]:
    """Hold out a random part of the rows.

    Parameters
    ----------
    x, y : arrays (N, ...)
        The rows.
    fraction : float in (0, 1)
        Share of the rows to hold out; at least one row is held out and one kept.
    rng : int, numpy.random.Generator or None
        Source of the choice.
    stratify : bool
        Whether to preserve the share of each class; y must be labels (N,).

    Returns
    -------
    x, y : arrays
        The other rows.
    x_aside, y_aside : arrays
        The held-out rows.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x, y, x_test, y_test = cr.data.split(np.eye(10), np.arange(10), 0.2, rng=0)
    >>> len(x), len(x_test)
    (8, 2)
    """
    x, y = _aligned("split", x, y, None)
    kept, aside = split_rows(y, fraction, as_rng(rng, "split"), stratify)
    return x[kept], y[kept], x[aside], y[aside]


def split_rows(y: Array, fraction: float, rng: np.random.Generator, stratify: bool) -> tuple[Array, Array]:
    """Return the row numbers to keep and those to hold out, each in ascending order."""
    check_number("split", "fraction", fraction, above=0, below=1)
    rows = len(y)
    count = min(max(round(fraction * rows), 1), rows - 1)
    if rows < 2:
        raise ValueError(sentence("split", "at least two rows", str(rows)))
    order = rng.permutation(rows)
    if stratify:
        if y.ndim != 1:
            raise ValueError(sentence("split", "labels of shape (N,) to stratify", str(y.shape), "pass stratify=False"))
        taken = order[_in_proportion(y[order], count)]
    else:
        taken = order[:count]
    aside = np.zeros(rows, bool)
    aside[taken] = True
    return np.flatnonzero(~aside), np.flatnonzero(aside)


def complement(aside: Array, rows: int) -> tuple[Array, Array]:
    """Return the numbers of all other rows, and these, which must be distinct and not all."""
    expected = f"an array of row numbers from 0 to {rows - 1}"
    if aside.ndim != 1 or aside.dtype.kind not in "iu" or not len(aside):
        raise ValueError(sentence("validation", expected, f"shape {aside.shape}, dtype {aside.dtype}"))
    if not within(aside, 0, rows - 1):
        raise ValueError(sentence("validation", expected, f"numbers from {aside.min()} to {aside.max()}"))
    left = np.ones(rows, bool)
    left[aside] = False
    if rows - left.sum() < len(aside) or not left.any():
        got = "a row twice" if left.any() else "all rows, which leaves none to train on"
        raise ValueError(sentence("validation", expected, got))
    return np.flatnonzero(left), aside


def _in_proportion(labels: Array, count: int) -> Array:
    """Choose ``count`` rows, from each class its share to within one row; return a mask.

    Shares are rounded down, then those with the largest remainders up; classes of a single row come last.
    """
    _, code, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    share = sizes * count / len(labels)
    take = np.floor(share).astype(np.intp)
    rounded_up = np.lexsort((take - share, sizes == 1))[: count - take.sum()]
    take[rounded_up] += 1
    rank = np.empty(len(labels), np.intp)  # of each row within its class, in the given order
    rank[np.argsort(code, kind="stable")] = np.concatenate([np.arange(size) for size in sizes])
    taken: Array = rank < take[code]
    return taken


def _aligned(who: str, x: Any, y: Any, sample_weight: Any) -> list[Array]:
    x = as_csr(who, x) if is_sparse(x) else _as_rows(who, "x", x)
    others = (("y", y), ("sample_weight", sample_weight))
    arrays = [x, *[_as_rows(who, what, array) for what, array in others if array is not None]]
    lengths = [array.shape[0] if array.ndim else 0 for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(sentence(who, "x, y and weights of equal length", " and ".join(map(str, lengths))))
    if lengths[0] == 0:
        raise ValueError(sentence(who, "at least one row", "none"))
    return arrays


def _as_rows(who: str, what: str, values: Any) -> Array:
    """Convert to an array of any dtype, text included; masked values become NaN."""
    array = np.asarray(values)
    return as_numeric(who, what, values) if is_masked(values) else array
