"""The steps of one row: the calls of programs in float64, each of which is one call in C.

Calls without effect on one row are left out, and scaling after a dense layer becomes part of its weights. Weights may
be quantised to 8 bits, with a scale per output, and integer sums that fit into 32 bits:

    W ≈ s · w,  |w| ≤ 127, s of each output          x ≈ u · q,  |q| ≤ m, u of each row          y = (Σ w q) · s u + b

The inputs of a layer are rounded to at most 16 bits, row by row, relative to the largest: with m = 2³¹ / max Σ |w| or
32,767, whichever is smaller, no sum can overflow. This loses almost nothing and needs no calibration data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

Labelled: TypeAlias = "tuple[str, Call]"  # with its origin
NOTHING = ("flatten", "identity")  # for one row
SCALES = ("scale", "standardize")


@dataclass
class Step:
    """One call on the device, the number of its outputs, its origin, and the steps of each inner program."""

    call: Call
    width: int
    about: str = ""
    branches: list[list[Step]] = field(default_factory=list)

    @property
    def arrays(self) -> Mapping[str, Array]:
        """Return the constants as stored on the device, in the order of the function's arguments."""
        arrays = self.call.arrays
        if self.call.op == "pbld":
            return {**arrays, "w1": 2 * np.pi * arrays["w1"], "W2": arrays["W2"].reshape(-1, arrays["W2"].shape[2])}
        if self.call.op == "piecewise_linear":
            return {**arrays, "steps": arrays["steps"].reshape(-1, arrays["steps"].shape[2])}
        if "W" in arrays:  # one row per output
            return {**arrays, "W": arrays["W"].T}
        if self.call.op == "standardize":  # one float32 would lose digits of a mean far from zero
            with np.errstate(over="ignore"):  # refused when written
                high = arrays["mean"].astype(np.float32).astype(np.float64)
            others = {name: array for name, array in arrays.items() if name != "mean"}
            return {"high": high, "low": arrays["mean"] - high, **others}
        return arrays

    @property
    def multiplications(self) -> int:
        """Count the multiply-adds of one row in layers with weights."""
        if weights := [self.call.arrays[name].size for name in ("W", "w1", "W2", "steps") if name in self.call.arrays]:
            return int(sum(weights))
        inner = sum(step.multiplications for branch in self.branches for step in branch)
        return inner + self.width * (self.call.op in SCALES)


def calls(steps: Iterable[Step]) -> Program:
    """Convert steps back to a program."""
    return tuple(step.call for step in steps)


def run_in_float32(steps: Sequence[Step], x: Array) -> Array:
    """Run the steps on x with each value rounded to float32, as the device does; close to the device's error."""
    for call in calls(steps):
        with np.errstate(over="ignore", invalid="ignore"):
            x = run([call], x).astype(np.float32).astype(np.float64)
    return x


def steps_of(labelled: Iterable[Labelled], width: int) -> list[Step]:
    """Return the steps for a row of ``width`` numbers."""
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
    """Convert a call to float64, with arrays and numbers in the order of the equation."""
    order = arguments(call.op)
    arrays = {name: call.arrays[name] for name in order if name in call.arrays}
    arrays = {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in arrays.items()}
    if call.op == "affine":
        arrays.setdefault("b", np.zeros(arrays["W"].shape[1]))
    numbers = numbers_of(call)
    return Call(call.op, arrays, {name: numbers[name] for name in order if name in numbers}, call.branches)


def width_of_input(program: Iterable[Call]) -> int:
    """Return the width of a row, by the first call with an array."""
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


LARGEST_WEIGHT = 127
LARGEST_INPUT = 2**15 - 1
LARGEST_SUM = 2**31 - 1


def quantized(steps: Sequence[Step]) -> list[Step]:
    """Quantise the weights of dense layers to 8 bits."""
    return [replace(step, call=_affine(step.call)) if step.call.op == "affine" else _inside(step) for step in steps]


def _inside(step: Step) -> Step:
    branches = list(map(quantized, step.branches))
    return replace(step, call=step.call._replace(branches=tuple(map(calls, branches))), branches=branches)


def _affine(call: Call) -> Call:
    W = call.arrays["W"]
    scale = np.abs(W).max(axis=0) / LARGEST_WEIGHT
    w = np.rint(W / np.where(scale > 0, scale, 1)).astype(np.int8)
    limit = float(min(LARGEST_INPUT, LARGEST_SUM // max(1, int(np.abs(w.astype(np.int64)).sum(axis=0).max()))))
    return Call("affine_int8", {"W": w, "scale": scale, "b": call.arrays["b"]}, {"limit": limit})
