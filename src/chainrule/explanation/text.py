"""An explanation as text for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

import numpy as np

from .._support.checks import Array
from .._support.text import MOST, printable
from .contributions import Contributions
from .shown import GRADIENTS, OF_ROWS, RULE, Journey, backward_arrays, forward_arrays, number, shown
from .trace import LossStep, Step

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
