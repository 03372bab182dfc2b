"""A program as the compiled prediction takes it."""

from __future__ import annotations

from typing import TypeAlias

from .._support.checks import Array
from ..ops.fused import compiled
from .program import Program, number_of

#: W, or the amounts of a parametric activation; b, the number of the activation's kernel, and its parameter.
Dense: TypeAlias = "tuple[Array | None, Array | None, int, float]"

#: The elementwise ops that have a kernel, by its number.
NUMBERS: dict[str, int] = {} if compiled is None else compiled.ACTIVATIONS
NO_ACTIVATION = -1


def kernel_of(program: Program) -> tuple[int, float] | None:
    """The number of the kernel, and the parameter, of a program that is one elementwise op; None of any other."""
    if len(program) != 1 or program[0].op not in NUMBERS:
        return None
    return NUMBERS[program[0].op], number_of(program[0])


def dense_layers(program: Program) -> list[Dense] | None:
    """The program for rows of numbers as dense layers with activations; None if an op has no kernel."""
    found: list[Dense] = []
    for call in program:
        op, arrays = call.op, call.arrays
        kernel = kernel_of(call.branches[0] if op == "parametric" else (call,))
        if op == "affine":
            found.append((arrays["W"], arrays.get("b"), NO_ACTIVATION, 0.0))
        elif kernel is None:
            if op != "flatten":  # rows are flat
                return None
        elif op == "parametric":
            found.append((arrays["amount"], None, *kernel))
        else:
            follows = bool(found) and found[-1][2] == NO_ACTIVATION
            W, b = found.pop()[:2] if follows else (None, None)
            found.append((W, b, *kernel))
    return found
