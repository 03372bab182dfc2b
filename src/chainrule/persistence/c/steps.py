"""What one row goes through: the calls of programs in float64, each of which is one call in C.

What does nothing to one row is left out, and what scales the outputs of a dense layer becomes part of its weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from ..._support.checks import Array, sentence
from ...layers.program import (
    Call,
    Program,
    arguments,
    every_call,
    input_width,
    joined,
    numbers_of,
    output_width,
    run,
    simplified,
)

Labelled: TypeAlias = "tuple[str, Call]"  # with what it comes from
NOTHING = ("flatten", "identity")  # to one row
SCALES = ("scale", "standardize")


@dataclass
class Step:
    """One call on the device.

    Attributes
    ----------
    call : what it computes
    width : int, of what it gives
    about : str, what it comes from
    branches : the steps of each program inside it; what those of an ``add`` make is added to what they began with
    """

    call: Call
    width: int
    about: str = ""
    branches: list[list[Step]] = field(default_factory=list)

    @property
    def arrays(self) -> Mapping[str, Array]:
        """The constants as the device holds them, in the order of its function's arguments."""
        arrays = self.call.arrays
        if self.call.op == "pbld":
            return {**arrays, "w1": 2 * np.pi * arrays["w1"], "W2": arrays["W2"].reshape(-1, arrays["W2"].shape[2])}
        if "W" in arrays:  # the weights of an output in a row
            return {**arrays, "W": arrays["W"].T}
        if self.call.op == "standardize":  # a float32 alone would lose digits of a mean far from zero
            with np.errstate(over="ignore"):  # which is refused when it is written
                high = arrays["mean"].astype(np.float32).astype(np.float64)
            others = {name: array for name, array in arrays.items() if name != "mean"}
            return {"high": high, "low": arrays["mean"] - high, **others}
        return arrays

    @property
    def multiplications(self) -> int:
        """How many multiply-adds one row takes, by layers of weights alone."""
        if weights := [self.call.arrays[name].size for name in ("W", "w1", "W2") if name in self.call.arrays]:
            return int(sum(weights))
        inner = sum(step.multiplications for branch in self.branches for step in branch)
        return inner + self.width * (self.call.op in SCALES)


def calls(steps: Iterable[Step]) -> Program:
    """The steps as a program again."""
    return tuple(step.call for step in steps)


def run_in_float32(steps: Sequence[Step], x: Array) -> Array:
    """What they make of x, each value rounded to float32 as the device stores it: nearly the error of the device."""
    for call in calls(steps):
        with np.errstate(over="ignore", invalid="ignore"):
            x = run([call], x).astype(np.float32).astype(np.float64)
    return x


def steps_of(labelled: Iterable[Labelled], width: int) -> list[Step]:
    """The steps for a row of ``width`` numbers."""
    steps: list[Step] = []
    for about, call in labelled:
        if call.op in NOTHING:
            continue
        call = _in_float64(call)
        both = joined(steps[-1].call, call) if steps else None
        if both is not None:
            steps[-1] = Step(both, width, f"{steps[-1].about}, {about}")
            continue
        widths = call.arrays.get("widths", itertools.repeat(width))
        branches = [
            steps_of([(f"{inner.op} of {about}", inner) for inner in own], int(wide))
            for own, wide in zip(call.branches, widths, strict=False)
        ]
        width = output_width(call, width)
        steps.append(Step(simplified(call)._replace(branches=tuple(map(calls, branches))), width, about, branches))
    return steps


def _in_float64(call: Call) -> Call:
    """The same in float64, arrays and numbers in the order of the equation."""
    order = arguments(call.op)
    arrays = {name: call.arrays[name] for name in order if name in call.arrays}
    arrays = {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in arrays.items()}
    if call.op == "affine":
        arrays.setdefault("b", np.zeros(arrays["W"].shape[1]))
    numbers = numbers_of(call)
    return Call(call.op, arrays, {name: numbers[name] for name in order if name in numbers}, call.branches)


def width_of_input(program: Iterable[Call]) -> int:
    """How many numbers a row has, by the first call with an array."""
    softmax_seen = False
    for call in every_call(program):
        if (width := input_width(call)) is not None:
            return width
        softmax_seen |= call.op == "softmax"
        if softmax_seen and call.op == "flatten":
            raise ValueError(sentence("export to C", "Flatten in front of Softmax", "it behind", "exchange the two"))
    remedy = "begin with a Linear or a Scale layer"
    raise ValueError(
        sentence("export to C", "a model whose layers say how many inputs it has", "none that does", remedy)
    )
