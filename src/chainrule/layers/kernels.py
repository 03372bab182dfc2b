"""Translate a program for the compiled prediction."""

from __future__ import annotations

from typing import TypeAlias

from .._support.checks import Array
from ..ops.fused import compiled
from .program import Program, number_of

#: W, b, the number of the activation's kernel, and its parameter.
Dense: TypeAlias = "tuple[Array | None, Array | None, int, float]"

#: The number of each elementwise op's kernel.
NUMBERS: dict[str, int] = {} if compiled is None else compiled.ACTIVATIONS
NO_ACTIVATION = -1


def dense_layers(program: Program) -> list[Dense] | None:
    """Translate the program into dense layers with activations; None if an op has no kernel."""
    found: list[Dense] = []
    for call in program:
        op, arrays = call.op, call.arrays
        if op == "affine":
            found.append((arrays["W"], arrays.get("b"), NO_ACTIVATION, 0.0))
        elif op in NUMBERS:
            kernel = NUMBERS[op], number_of(call)
            follows = bool(found) and found[-1][2] == NO_ACTIVATION
            W, b = found.pop()[:2] if follows else (None, None)
            found.append((W, b, *kernel))
        elif op != "flatten":  # rows are flat
            return None
    return found
