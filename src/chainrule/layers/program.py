"""What a layer computes, in primitives: the one description from which kernels, ONNX, C and the other files are made.

A program is a sequence of calls; each takes what the one before gave, a batch x of N rows:

    op            y                                       arrays                            numbers
    affine        x W + b                                 W (I, O), b (O,) if there is one  l1, l2 in training
    scale         x · gain + bias                         gain, bias if there is one
    standardize   (x − mean) · factor + bias              mean, factor, bias if there is one
    layer_norm    (x − μ) / √(σ² + ε) · gain + bias       gain, bias                        epsilon
    prelu         max(x, 0) + slope · min(x, 0)           slope
    softmax       exp x / Σ exp x, of each row
    flatten       the numbers of a sample as one row
    add           x + f(x), f being the call's branch
    relu, tanh…   the op of that name, of each number                                       the op's own

and, in training alone, ``dropout`` (rate) and ``batch_norm`` (gain, bias, running_mean, running_variance; epsilon,
momentum). Arrays are named views into the model, never copies, or float64 numbers made of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from .. import ops
from .._support.checks import Array
from .._support.overrides import states

NOTHING: Mapping[str, Any] = MappingProxyType({})

#: What makes a layer compute something else, so that a program stated further up is no longer its own.
_EQUATIONS = ("forward", "backward", "apply", "pull_back", "penalty")


class Call(NamedTuple):
    """One primitive operation: its name, what it is computed with, and for ``add`` the program that is added."""

    op: str
    arrays: Mapping[str, Array] = NOTHING
    numbers: Mapping[str, float] = NOTHING
    branch: tuple[Call, ...] = ()


Program: TypeAlias = tuple[Call, ...]


class Programmed(Protocol):
    """A layer, as far as programs are concerned."""

    @property
    def children(self) -> Sequence[Programmed]:
        """The layers inside it."""
        ...

    def program(self, training: bool = False) -> Program | None:
        """What it computes."""
        ...


def program_of(layer: Programmed, training: bool = False) -> Program | None:
    """The layer's program; None where only Python knows what it computes.

    A class that changes an equation states its program again: the one that it inherits describes its parent.
    """
    return layer.program(training) if states(layer, "program", _EQUATIONS) else None


def programs(layers: Iterable[Programmed], training: bool = False) -> Program | None:
    """The programs of layers in sequence as one; None if one of them has none."""
    calls: list[Call] = []
    for layer in layers:
        program = program_of(layer, training)
        if program is None:
            return None
        calls += program
    return tuple(calls)


def without_program(layers: Iterable[Programmed]) -> Programmed:
    """The layer on which :func:`programs` gives up, the innermost."""
    layer = next(layer for layer in layers if program_of(layer) is None)
    inner = [child for child in layer.children if program_of(child) is None]
    return without_program(inner) if inner else layer


def run(program: Program, x: Array) -> Array:
    """What the program makes of a batch, in NumPy: the meaning of every op."""
    for call in program:
        equation = EQUATIONS.get(call.op)
        x = getattr(ops, call.op)(x, **call.numbers) if equation is None else equation(x, call)
    return x


def folded(call: Call) -> tuple[Array, Array]:
    """A ``standardize`` as the gain and bias of a ``scale``: digits are lost where the mean is far from zero."""
    mean, factor = call.arrays["mean"], call.arrays["factor"]
    return factor, call.arrays.get("bias", 0.0) - mean * factor


def number_of(call: Call) -> float:
    """The parameter of an elementwise op: the call's own, or the op's default; 0 where it has none."""
    return next(iter(call.numbers.values())) if call.numbers else _default(call.op)


@cache
def _default(op: str) -> float:
    known = inspect.signature(getattr(ops, op)).parameters.values()
    return next((parameter.default for parameter in known if isinstance(parameter.default, float)), 0.0)


@cache
def keeps_input(op: str) -> bool:
    """Whether the pull-back of an elementwise op needs its input x; where it does not, y may stand in its place."""
    return "x" in inspect.signature(getattr(ops, f"{op}_backward")).parameters


def _layer_norm(x: Array, call: Call) -> Array:
    standard = ops.standardize(x, axis=1, epsilon=call.numbers["epsilon"])[0]
    return standard * call.arrays["gain"] + call.arrays["bias"]


#: What each op gives that is not the function of ``ops`` of its name, of numbers alone.
EQUATIONS: dict[str, Callable[[Array, Call], Array]] = {
    "add": lambda x, call: x + run(call.branch, x),
    "affine": lambda x, call: x @ call.arrays["W"] + call.arrays.get("b", 0.0),
    "flatten": lambda x, call: x.reshape(len(x), -1) if x.size else x.reshape(len(x), int(np.prod(x.shape[1:]))),
    "layer_norm": _layer_norm,
    "prelu": lambda x, call: ops.prelu(x, call.arrays["slope"]),
    "scale": lambda x, call: x * call.arrays["gain"] + call.arrays.get("bias", 0.0),
    "standardize": lambda x, call: (x - call.arrays["mean"]) * call.arrays["factor"] + call.arrays.get("bias", 0.0),
}
