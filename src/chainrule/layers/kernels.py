"""Translate a program for the compiled prediction."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .._support.checks import Array
from ..ops.fused import compiled
from .program import Call, Program, every_call, input_width, number_of, run

#: W, or the Parts of columns, or a vector: the amounts of an activation, the gain where there is none; b; the number of
#: the activation's kernel, and its parameter.
Dense: TypeAlias = "tuple[Any, Array | None, int, float]"
#: A group of columns: copy, or an op; the number of columns; the op's arrays.
Part: TypeAlias = "tuple[str, int, tuple[Array, ...]]"

#: The number of each elementwise op's kernel.
NUMBERS: dict[str, int] = {} if compiled is None else compiled.ACTIVATIONS
NO_ACTIVATION = -1
#: The ops of columns that have a kernel, with their arrays in order; and all ops that may come first.
FRONTS = {
    "embedding": ("E",),
    "pbld": ("w1", "b1", "W2", "b2"),
    "piecewise_linear": ("steps", "slope", "bias", "left", "width"),
}
COLUMNS = ("columns", *FRONTS)
AFTER_MEAN = ("log", "logit", "softmax", "sigmoid")


def kernel_of(program: Program) -> tuple[int, float] | None:
    """Return the kernel's number and the parameter of a program that is one elementwise op; else None."""
    if len(program) != 1 or program[0].op not in NUMBERS:
        return None
    return NUMBERS[program[0].op], number_of(program[0])


def parts_of(call: Call) -> list[Part] | None:
    """Translate the first call of a network into groups of columns; None if one has no kernel."""
    found: list[Part] = []
    widths = call.arrays.get("widths", (input_width(call),))
    for branch, width in zip(call.branches or ((call,),), widths, strict=True):
        op = branch[0].op if len(branch) == 1 else "" if branch else "copy"
        if op not in ("copy", *FRONTS):
            return None
        arrays = tuple(branch[0].arrays[name] for name in FRONTS[op]) if branch else ()
        if op in compiled.MOST and math.prod(arrays[0].shape[1:]) > compiled.MOST[op]:
            return None
        found.append((op, int(width), arrays))
    return found


def _columns(call: Call, dtype: Any) -> Any:
    """Translate all columns for the kernel."""
    parts = parts_of(call)
    try:
        return None if parts is None or dtype is None else compiled.Parts(parts, dtype)
    except ValueError:  # a user's arrays that the kernel cannot read, for example
        return None


class Mean(NamedTuple):
    """The dense layers in front of the members, those of each, and what each ends with and the mean, in NumPy."""

    first: list[Dense]
    members: list[list[Dense]]
    last: Program
    then: Program


def compiled_network(program: Program) -> list[Dense] | Mean | None:
    """Translate the program of a network, or of members that are averaged; None if an op has no kernel."""
    at = next((index for index, call in enumerate(program) if call.op == "mean"), None)
    if at is None:
        return dense_layers(program)
    branches, then = program[at].branches, program[at + 1 :]
    last = tuple(call for call in branches[0][-1:] if call.op == "softmax")
    first = dense_layers(program[:at])
    members = [dense_layers(branch[: len(branch) - len(last)]) for branch in branches]
    known = [member for member in members if member]
    if first is None or len(known) < len(members) or not all(call.op in AFTER_MEAN for call in then):
        return None
    return Mean(first, known, last, then)


def forward(network: list[Dense] | Mean, x: Array, out: Array | None = None) -> Array | None:
    """Compute the outputs; None if an array is not as the kernels need it."""
    if isinstance(network, list):
        y: Array | None = compiled.forward(network, x, out=out)
        return y
    total: Any = 0
    x = compiled.forward(network.first, x) if network.first else x
    if x is None:
        return None
    for member in network.members:
        z = compiled.forward(member, x)
        if z is None:
            return None
        total += run(network.last, z)
    y = run(network.then, np.divide(total, len(network.members), out=total))
    if out is not None:
        out[...] = y
    return y


def dense_layers(program: Program) -> list[Dense] | None:
    """Translate the program into dense layers with activations; None if an op has no kernel."""
    found: list[Dense] = []
    dense = False  # whether the last one is dense and has no activation yet
    dtypes = (array.dtype for call in every_call(program) for array in call.arrays.values() if array.dtype.kind == "f")
    for call in program:
        op, arrays = call.op, call.arrays
        if op in COLUMNS:
            columns = None if found else _columns(call, next(dtypes, None))
            if columns is None:
                return None
            found.append((columns, None, compiled.COLUMNS, 0.0))
            continue
        kernel = kernel_of(call.branches[0] if op == "parametric" else (call,))
        if op == "affine":
            found.append((arrays["W"], arrays.get("b"), NO_ACTIVATION, 0.0))
        elif op == "scale":
            found.append((arrays["gain"], arrays.get("bias"), NO_ACTIVATION, 0.0))
        elif kernel is None:
            if op != "flatten":  # rows are flat
                return None
        elif op == "parametric":
            found.append((arrays["amount"], None, *kernel))
        else:
            W, b = found.pop()[:2] if dense else (None, None)
            found.append((W, b, *kernel))
        dense = op == "affine" or (dense and op == "flatten")
    return found
