"""Splits of a data set, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

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
    within,
)

#: "all", "one", or a function of the number of rows that gives the row numbers of the next epoch.
Sample: TypeAlias = "str | Callable[[int], Array]"
SAMPLES = ("all", "one")
#: (x, y, rng) -> (x, y), a changed batch of as many rows in new arrays; the batch itself must stay as it is.
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
    """The batches of one epoch.

    Parameters
    ----------
    x : array (N, ...), or one of SciPy's sparse matrices, whose batches are then CSR
    y : array (N, ...)
    sample_weight : array (N,), optional
    size : rows of a batch; None takes all rows as one batch, in their own order
    rng : int, Generator or None, for the order; the same generator gives a new order at each epoch
    shuffle : bool; False keeps the rows' order
    drop_last : bool; True leaves out a last batch shorter than ``size``
    sample : "all" goes through every row once; "one" draws a single batch of ``size`` different rows, and that is
        the epoch; or a function ``sample(rows) -> array (rows,)`` that gives the row numbers of the next epoch in their
        order: a permutation, or rows drawn again. It is called once an epoch, and neither shuffle nor rng matters then

    Yields
    ------
    (xb, yb) or, with weights, (xb, yb, wb)

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
    """``sample`` if it is a function or one of the known names."""
    if isinstance(sample, str):
        return check_name(who, "a way to sample", sample, SAMPLES)
    if callable(sample):
        function: Sample = sample
        return function
    expected = "sample to be a name or a function of the number of rows"
    raise TypeError(sentence(who, expected, repr(sample), "pass sample=lambda rows: order"))


def steps_per_epoch(rows: int, size: int | None, drop_last: bool, sample: Sample) -> int:
    """How many batches :func:`batches` gives."""
    size = rows if size is None else min(size, rows)
    if sample == "one":
        return 1
    return rows // size if drop_last else -(-rows // size)


def _order(rows: int, size: int, rng: np.random.Generator, shuffle: bool, sample: Sample) -> Array | None:
    """Row numbers in the order of the epoch, or None for the rows as they stand."""
    if callable(sample):
        return _row_numbers(sample(rows), rows)
    if sample == "one":
        return rng.choice(rows, size, replace=False)
    return rng.permutation(rows) if shuffle and size < rows else None


def _row_numbers(order: Any, rows: int) -> Array:
    """What a ``sample`` of the user's gave, in memory of our own: the next epoch's may come in the same array."""
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
    """The epochs of a training: what :func:`batches` gives, but each batch in the memory of the one before.

    A batch is valid until the next is asked for. Arrays whose rows do not lie one behind the other in memory are
    copied once, here: from a column-major table a row is gathered forty times more slowly. Batches of a sparse x are
    sparse, each in memory of its own.

    Attributes
    ----------
    arrays : x, y and the weights where there are any, rows in their own order
    size : rows of a batch
    chosen : the numbers of the rows that take part, where not all do
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
        self.drop_last = drop_last
        self.sample = sample

    def __len__(self) -> int:
        return steps_per_epoch(self._rows, self.size, self.drop_last, self.sample)

    @property
    def rows(self) -> int:
        """How many rows an epoch has: fewer than the data where a short last batch is left out, or one is drawn."""
        whole = len(self) * self.size
        return whole if self.drop_last else min(whole, self._rows)

    def order(self) -> Array | None:
        """Row numbers in the order of the next epoch, or None for the rows as they stand."""
        order = _order(self._rows, self.size, self.rng, True, self.sample)
        if self.chosen is not None:
            order = self.chosen if order is None else self.chosen[order]
        return None if order is None else order[: self.rows]

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        return self.epoch(self.order())

    def epoch(self, order: Array | None, first: int = 0) -> Iterator[tuple[Array, ...]]:
        """The batches of an epoch whose order is known, from the one of this number on."""
        if order is None:
            yield from islice(_cut(self.arrays, order, self.size, self.drop_last), first, None)
        else:
            pairs = list(zip(self.arrays, self._buffers, strict=True))
            for (rows,) in islice(_cut([order], None, self.size, self.drop_last), first, None):
                yield tuple([gather(array, rows, buffer) for array, buffer in pairs])

    @cached_property
    def _buffers(self) -> list[Array | None]:
        return [
            None if is_sparse(array) else np.empty((self.size, *array.shape[1:]), array.dtype) for array in self.arrays
        ]


def gather(array: Array, rows: Array, room: Array | None) -> Array:
    """``array[rows]``, in ``room`` if there is some; array is contiguous then, and rows are numbers of its rows."""
    if room is None:
        return array[rows]
    return array.take(rows, axis=0, out=room[: len(rows)], mode="clip")  # any other mode fills a copy of out first


def split(
    x: Any, y: Any, fraction: float = 0.2, *, rng: RandomState = None, stratify: bool = False
) -> tuple[Array, Array, Array, Array]:
    """Set a random part of the rows aside.

    Parameters
    ----------
    x, y : arrays of N rows
    fraction : float in (0, 1), the part that is set aside, rounded to whole rows, at least one
    rng : int, Generator or None
    stratify : bool; True keeps the share of each class, y being labels (N,)

    Returns
    -------
    x, y, x_aside, y_aside : arrays

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
    """The row numbers that are kept and those that are set aside, each in ascending order."""
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


def rest_of(aside: Array, rows: int) -> tuple[Array, Array]:
    """The numbers of all other rows, and these, which must be different, and not all."""
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
    """Whether to take each row, so that ``count`` are taken and each class gives its share to within one row.

    Shares are rounded down, then those of the largest remainders up; a class of a single row comes last in this.
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
    """An array of any dtype, text as well; masked values would no longer be seen to be so, and come as NaN."""
    array = np.asarray(values)
    return as_numeric(who, what, values) if is_masked(values) else array
