"""Arrays that nobody expects: of every layout, dtype, shape and class, among guards that nothing may overwrite."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import numpy as np

GUARD = 0xA5
MARGIN = 512  # bytes of guard, on both sides together at least half of it each


class Guarded:
    """Makes arrays that lie in memory of known bytes, and says afterwards whether those are unchanged."""

    def __init__(self) -> None:
        self._rooms: list[tuple[np.ndarray, np.ndarray]] = []  # the memory, and which of its bytes are the array's

    def place(self, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype, start: int = 0) -> np.ndarray:
        """An array of these strides, whose first element is ``start`` bytes behind an aligned place."""
        reach = [(n - 1) * step for n, step in zip(shape, strides, strict=True) if n]
        low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0) + dtype.itemsize
        room = np.full(high - low + 2 * MARGIN, GUARD, np.uint8)
        first = (-room.ctypes.data) % 64 + (MARGIN // 2 - low) // 64 * 64 + start
        array = np.ndarray(shape, dtype, room, first, strides)
        own = np.zeros(room.size, bool)
        np.ndarray((*shape, dtype.itemsize), bool, own, first, (*strides, 1))[...] = True
        self._rooms.append((room, own))
        return array

    def like(
        self, values: np.ndarray, strides: tuple[int, ...], dtype: np.dtype | None = None, start: int = 0
    ) -> np.ndarray:
        array = self.place(values.shape, strides, values.dtype if dtype is None else dtype, start)
        array[...] = values
        return array

    def intact(self) -> bool:
        """Whether no byte beside the arrays has changed."""
        return all((room[~own] == GUARD).all() for room, own in self._rooms)


def contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[axis + 1 :], dtype=int)) * itemsize for axis in range(len(shape)))


PRECISION = {"f4": np.dtype("f8"), "f8": np.dtype("f4"), "i8": np.dtype("i4")}

#: How the same numbers may come: each makes it of a plain array.
SAME: dict[str, Callable[[Guarded, np.ndarray], np.ndarray]] = {
    "plain": lambda g, a: g.like(a, contiguous(a.shape, a.itemsize)),
    "reversed": lambda g, a: g.like(a, tuple(-s for s in contiguous(a.shape, a.itemsize))),
    "every second": lambda g, a: g.like(a, tuple(2 * s for s in contiguous(a.shape, a.itemsize))),
    "columns first": lambda g, a: g.like(a, contiguous(a.shape[::-1], a.itemsize)[::-1]),
    "misaligned": lambda g, a: g.like(a, contiguous(a.shape, a.itemsize), start=1),
    "byte-swapped": lambda g, a: g.like(a, contiguous(a.shape, a.itemsize), a.dtype.newbyteorder()),
    "read-only": lambda g, a: read_only(g.like(a, contiguous(a.shape, a.itemsize))),
    "mapped": lambda g, a: mapped(a, "r"),
    "mapped to be written": lambda g, a: mapped(a, "c"),
    "a matrix": lambda g, a: g.like(a, contiguous(a.shape, a.itemsize)).view(np.matrix) if a.ndim == 2 else a,
    "masked": lambda g, a: np.ma.masked_array(g.like(a, contiguous(a.shape, a.itemsize))),
    "another precision": lambda g, a: g.like(
        a, contiguous(a.shape, PRECISION[a.dtype.str[1:]].itemsize), PRECISION[a.dtype.str[1:]]
    ),
}

#: What holds other numbers, or another number of them.
OTHER: dict[str, Callable[[Guarded, np.ndarray], np.ndarray]] = {
    "broadcast": lambda g, a: np.broadcast_to(g.like(a.ravel()[:1], (a.itemsize,)), a.shape),
    "broadcast to be written": lambda g, a: g.like(np.broadcast_to(a.ravel()[:1], a.shape), (0,) * a.ndim),
    "of whole numbers": lambda g, a: g.like(a, contiguous(a.shape, 2), np.dtype("i2")),
    "complex": lambda g, a: g.like(a, contiguous(a.shape, 16), np.dtype("c16")),
    "objects": lambda g, a: a.astype(object),
    "no dimension": lambda g, a: g.like(a.ravel()[0].reshape(()), ()),
    "empty": lambda g, a: g.place((0, *a.shape[1:]), contiguous((0, *a.shape[1:]), a.itemsize), a.dtype),
    "one row less": lambda g, a: g.like(a[1:], contiguous(a[1:].shape, a.itemsize)),
    "one row more": lambda g, a: g.like(np.concatenate([a, a[:1]]), contiguous((len(a) + 1, *a.shape[1:]), a.itemsize)),
    "an axis more": lambda g, a: g.like(a[..., None], contiguous((*a.shape, 1), a.itemsize)),
    "flat": lambda g, a: g.like(a.ravel(), (a.itemsize,)),
}


def read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def mapped(array: np.ndarray, mode: str) -> np.ndarray:
    """The same numbers in a file; "r": the system itself refuses a write, by a signal."""
    with tempfile.TemporaryFile() as file:
        file.write(array.tobytes())
        file.flush()
        return np.memmap(file, array.dtype, mode, shape=array.shape)
