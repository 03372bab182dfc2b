"""All that an explanation holds, and what is shown of its arrays, in a terminal and on a page alike, in what order.

Of an array that is longer than there is room for, the first 4 numbers are shown, and the one of largest magnitude with
its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._support.checks import Array
from .contributions import Contributions
from .subjects import Cell
from .trace import LossStep, Step


@dataclass(frozen=True, eq=False, repr=False)
class Journey:
    """What :class:`.Explanation` documents."""

    title: str
    conditions: str
    rows: int
    cells: tuple[Cell, ...]
    steps: tuple[Step, ...]
    loss: LossStep | None
    optimizer: str
    rule: tuple[str, ...]
    contributions: Contributions | None


FIRST = 4  # numbers of a long array
OF_ROWS = ("x", "y", "dx", "dy")  # arrays with the axis of the batch
GRADIENTS = "dx is ∂L/∂x, the gradient of the loss L with respect to x; dW and db likewise."
RULE = f"Of long arrays: the first {FIRST} numbers, then the one of largest magnitude and its place."


@dataclass(frozen=True)
class Shown:
    """An array as lines of numbers; ``largest`` and ``place`` are set if these are not all."""

    shape: str
    lines: tuple[tuple[float, ...], ...]
    largest: float = math.nan
    place: str = ""


def shown(array: Array, rows: int, most: int) -> Shown:
    """Select the numbers to show, all if no side is longer than ``most``; of a batch of one row, this row."""
    a = np.asarray(array)
    a = a[0] if rows == 1 and a.ndim > 1 and len(a) == 1 else a
    shape = " × ".join(map(str, a.shape)) or "1"
    if a.ndim <= 2 and all(length <= most for length in a.shape):
        return Shown(shape, tuple(tuple(line) for line in np.atleast_2d(a).astype(float).tolist()))
    flat = a.reshape(-1).astype(float)
    place = int(np.nanargmax(np.abs(flat))) if not np.isnan(flat).all() else 0
    where = ", ".join(str(int(index)) for index in np.unravel_index(place, a.shape))
    return Shown(shape, (tuple(flat[:FIRST].tolist()),), float(flat[place]), where)


def number(value: float) -> str:
    """Write a number with four significant digits."""
    return f"{value + 0.0:.4g}"  # −0 is 0


def forward_arrays(steps: tuple[Step, ...]) -> Iterator[tuple[Step, dict[str, Array]]]:
    """Yield each step with what it shows of the forward pass; x only where it is not the y before it."""
    before: Array | None = None
    for step in steps:
        new = before is None or not _same(before, step.inputs)
        yield (
            step,
            ({"x": step.inputs} if new else {}) | {p.name: p.value for p in step.parameters} | {"y": step.outputs},
        )
        before = step.outputs


def backward_arrays(steps: tuple[Step, ...], dz: Array) -> list[dict[str, Array]]:
    """Return what each step shows of the backward pass; dy only where it is not the dx of the step after it."""
    found, after = [], dz
    for step in reversed(steps):
        arrays: dict[str, Array] = {}
        if step.output_gradient is not None and not _same(after, step.output_gradient):
            arrays["dy"] = step.output_gradient
        if step.input_gradient is not None:
            arrays["dx"] = after = step.input_gradient
        for p in step.parameters:
            arrays |= {} if p.gradient is None else {"d" + p.name: p.gradient}
            arrays |= {} if p.update is None else {p.name + " ←": p.value + p.update}
        found.append(arrays)
    return found[::-1]


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=True))
