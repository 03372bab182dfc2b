"""An explanation as text for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._support.checks import Array
from .._support.text import MOST, printable
from .contributions import Contributions
from .shown import GRADIENTS, RULE, backward_arrays, forward_arrays, number, shown
from .steps import Step

if TYPE_CHECKING:
    from .result import Explanation

WIDTH, NAME, BAR, FEW = 80, 60, 20, 5
MOST_CELLS = 40


def as_text(explanation: Explanation) -> str:
    """Write it out."""
    lines = [*_wrapped(explanation.title), *_wrapped(explanation.conditions)]
    if explanation.contributions is not None:
        lines += ["", *_contributions(explanation.contributions)]
    if explanation.steps:
        lines += [*_cells(explanation), "", "forward", *_forward(explanation)]
    if explanation.loss is not None:
        lines += ["", "loss", *_loss(explanation), "", "backward", *_wrapped(GRADIENTS, "   ")]
        lines += [*_wrapped(f"W ← by {explanation.optimizer}: {'   '.join(explanation.rule)}", "   ")]
        lines += _backward(explanation)
    if any(" … " in line for line in lines):
        lines += ["", *_wrapped(RULE)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(printable(text, MOST), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")


def _cells(explanation: Explanation) -> Iterator[str]:
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


def _forward(explanation: Explanation) -> Iterator[str]:
    layer = ""
    for step, arrays in forward_arrays(explanation.steps):
        yield from _heading(step, layer)
        yield from _wrapped(f"{step.op}: {'   '.join(step.equation)}", "   ")
        for name, array in arrays.items():
            yield from _array(name, array, 0 if name in _names(step) else explanation.rows)
        layer = step.layer


def _backward(explanation: Explanation) -> Iterator[str]:
    loss, layer = explanation.loss, ""
    if loss is None:
        return
    shown_arrays = backward_arrays(explanation.steps, loss.gradient)
    for index, step in reversed(list(enumerate(explanation.steps))):
        yield from _heading(step, layer)
        yield from _wrapped(f"{step.op}: {'   '.join(step.gradient_equation)}", "   ")
        for name, array in shown_arrays[index].items():
            yield from _array(name, array, explanation.rows if name in ("dx", "dy") else 0)
        layer = step.layer


def _names(step: Step) -> list[str]:
    return [parameter.name for parameter in step.parameters]


def _heading(step: Step, before: str) -> list[str]:
    return [] if step.layer == before else [f"{step.layer}  {printable(step.name, NAME)}"]


def _loss(explanation: Explanation) -> Iterator[str]:
    loss = explanation.loss
    if loss is None:
        return
    yield from _wrapped(f"{loss.name}: {'   '.join([*loss.equation, *loss.gradient_equation])}", "   ")
    yield from _array("target", loss.target, explanation.rows)
    penalty = f" + penalty {number(loss.penalty)} = {number(loss.value + loss.penalty)}" if loss.penalty else ""
    yield f"     {'L':<18}{number(loss.value)}{penalty}"
    yield from _array("dz", loss.gradient, explanation.rows)


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
