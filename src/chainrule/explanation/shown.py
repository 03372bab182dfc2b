"""All that an explanation holds, what is shown of its arrays, and the whole as text for a terminal.

Of an array that is longer than there is room for, the first 4 numbers are shown, and the one of largest magnitude with
its place.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .._support.checks import Array
from .._support.text import MOST, printable
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


# --- arrays, in a terminal and on a page alike ---------------------------------------------------------------------

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


# --- as text, for a terminal of 80 columns -------------------------------------------------------------------------

WIDTH, NAME, BAR, FEW = 80, 60, 20, 5
MOST_CELLS = 40


def as_text(explanation: Journey) -> str:
    """Write it out."""
    lines = [*_wrapped(explanation.title), *_wrapped(explanation.conditions)]
    if explanation.contributions is not None:
        lines += ["", *_contributions(explanation.contributions)]
    if explanation.steps:
        lines += [*_cells(explanation), "", "forward", *_forward(explanation)]
    if (loss := explanation.loss) is not None:
        lines += ["", "loss", *_loss(loss, explanation.rows), "", "backward", *_wrapped(GRADIENTS, "   ")]
        lines += [*_wrapped(f"W ← by {explanation.optimizer}: {'   '.join(explanation.rule)}", "   ")]
        lines += _backward(explanation, loss.gradient)
    if any(" … " in line for line in lines):
        lines += ["", *_wrapped(RULE)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(printable(text, MOST), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")


def _cells(explanation: Journey) -> Iterator[str]:
    """The first steps of a table: what each column says, and the numbers it becomes."""
    if not explanation.cells:
        return
    yield from ("", "row")
    some = explanation.cells[:MOST_CELLS]
    wide = min(max(len(printable(cell.column)) for cell in some), 20)
    for cell in some:
        yield f"  {printable(cell.column, 20):<{wide}}  {printable(cell.value, 40)}"
        yield from _wrapped(cell.how, f"  {'':<{wide}}  ")
        yield from _array("", cell.numbers, indent=wide + 4)
    if len(some) < len(explanation.cells):
        yield f"  and {len(explanation.cells) - len(some)} more columns"


def _forward(explanation: Journey) -> Iterator[str]:
    steps = forward_arrays(explanation.steps)
    return _operations(explanation.rows, ((step, step.equation, arrays) for step, arrays in steps))


def _backward(explanation: Journey, dz: Array) -> Iterator[str]:
    shown_arrays = backward_arrays(explanation.steps, dz)
    steps = reversed(list(zip(explanation.steps, shown_arrays, strict=True)))
    return _operations(explanation.rows, ((step, step.gradient_equation, arrays) for step, arrays in steps))


def _operations(rows: int, found: Iterable[tuple[Step, tuple[str, ...], dict[str, Array]]]) -> Iterator[str]:
    layer = ""
    for step, equation, arrays in found:
        if step.layer != layer:
            yield f"{step.layer}  {printable(step.name, NAME)}"
        layer = step.layer
        yield from _wrapped(f"{step.op}: {'   '.join(equation)}", "   ")
        for name, array in arrays.items():
            yield from _array(name, array, rows * (name in OF_ROWS))


def _loss(loss: LossStep, rows: int) -> Iterator[str]:
    yield from _wrapped(f"{loss.name}: {'   '.join([*loss.equation, *loss.gradient_equation])}", "   ")
    yield from _array("target", loss.target, rows)
    penalty = f" + penalty {number(loss.penalty)} = {number(loss.value + loss.penalty)}" if loss.penalty else ""
    yield f"     {'L':<18}{number(loss.value)}{penalty}"
    yield from _array("dz", loss.gradient, rows)


def _array(name: str, array: Array, rows: int = 0, indent: int = 5) -> Iterator[str]:
    found = shown(array, rows, FEW)
    head = f"{'':<{indent}}" + (f"{printable(name, 8):<8}{found.shape:>8}  " if name else "")
    if not found.place:
        for line in found.lines:
            yield head + "".join(f"{number(value):<11}" for value in line)
            head = " " * len(head)
        return
    if found.largest == 0:
        yield head + "all 0"
        return
    tail = f" … {number(found.largest)} at {found.place}"  # the mark that as_text looks for
    texts = [number(value) for value in found.lines[0]]
    while len(head) + len("  ".join(texts)) + len(tail) > WIDTH and len(texts) > 1:
        texts.pop()
    yield head + "  ".join(texts) + tail


def _contributions(found: Contributions) -> Iterator[str]:
    sizes, order = found.sizes, found.order[:MOST_CELLS]
    yield from _wrapped(found.heading)
    sign = "+" if len(found.values) == 1 else ""
    largest = float(np.abs(sizes).max()) or 1.0
    wide = min(max(len(printable(found.columns[at])) for at in order), 20)
    for at in order:
        bar = "█" * round(abs(sizes[at]) / largest * BAR)
        beside = "" if found.importance is None else f"  {found.importance[at]:>10.4g}"
        said = f"{found.cells[at]} (not {found.baseline[at]})" if len(found.values) == 1 else ""
        said = printable(said, WIDTH - wide - BAR - 18)
        yield f"  {printable(found.columns[at], 20):<{wide}}  {sizes[at]:>{sign}10.4g}{beside}  {bar:<{BAR}}  {said}"
    for line in found.notes:
        yield from _wrapped(line, "  ")
