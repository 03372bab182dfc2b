"""What a layer computes, in primitives: the one description behind kernels, ONNX, C and the other formats.

A program is a sequence of calls; the output of each is the input x of the next, a batch of N rows:

    op            y                                       arrays                            numbers
    affine        x W + b                                 W (I, O), b (O,) if there is one  l1, l2 in training
    scale         x · gain + bias                         gain, bias if there is one
    standardize   (x − mean) · factor + bias              mean, factor, bias if there is one
    layer_norm    (x − μ) / √(σ² + ε) · gain + bias       gain, bias                        epsilon
    prelu         max(x, 0) + slope · min(x, 0)           slope
    softmax       exp x / Σ exp x, of each row
    flatten       the numbers of a sample as one row
    add           x + f(x), f being the call's branch
    parametric    x + amount · (f(x) − x)                         amount
    embedding     E[x], x being one column of codes               E
    pbld          cos(2π x_j w1_j + b1_j) W2_j + b2_j, then x     w1, b1, W2, b2
    piecewise_linear   see :mod:`chainrule.ops.piecewise`       steps, slope, bias, left, width
    columns       f(x₁), f(x₂), … side by side, each f a branch   widths, of x₁, x₂, …
    mean          mean of f₁(x), f₂(x), …, each f a branch
    log, logit    log(x + 1e-30), and log(x + 1e-30) − log(1 − x + 1e-30)
    relu, tanh…   the op of that name, of each number                                       the op's own

and, only in training, ``dropout`` (rate), ``gaussian_noise`` (sigma) and ``batch_norm`` (gain, bias, running_mean,
running_variance; epsilon, momentum). Arrays are named views into the model, never copies, or float64 arrays
computed from them.

What an estimator makes of the outputs of its network takes five more, and a file of small weights one:

    exp           eˣ, at most what float32 holds
    clamp         x, at least low and at most high, each (O,)        low, high
    ascending     each so many numbers of a row in ascending order                                     count
    two_classes   (1 − σ(x), σ(x)) of a single number
    deviations    μ, √(exp s + floor) · spread, x being (μ, s)       spread                            floor
    affine_int8   x W · scale + b, x rounded to whole numbers of     W (whole numbers), scale, b       limit
                  at most limit times a unit of the row
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from .. import ops
from .._support.checks import Array, sentence
from .._support.overrides import states

NOTHING: Mapping[str, Any] = MappingProxyType({})

#: Methods that change what a layer computes: a class that overrides one does not inherit its parent's program.
EQUATIONS = ("forward", "backward", "apply", "pull_back", "penalty")


class Call(NamedTuple):
    """One primitive operation: its name, its arrays and numbers, and the programs f inside it."""

    op: str
    arrays: Mapping[str, Array] = NOTHING
    numbers: Mapping[str, float] = NOTHING
    branches: tuple[tuple[Call, ...], ...] = ()


Program: TypeAlias = tuple[Call, ...]


class Programmed(Protocol):
    """A layer, as programs see it."""

    @property
    def children(self) -> Sequence[Programmed]:
        """The inner layers."""
        ...

    def program(self, training: bool = False) -> Program | None:
        """What it computes."""
        ...


def program_of(layer: Programmed, training: bool = False) -> Program | None:
    """Return the layer's program; None if it has none.

    A class that overrides an equation must define its program again: the inherited one describes its parent.
    """
    return layer.program(training) if states(layer, "program", EQUATIONS) else None


def programs(layers: Iterable[Programmed], training: bool = False) -> Program | None:
    """Concatenate the programs of layers in sequence; None if one of them has none."""
    found = [program_of(layer, training) for layer in layers]
    return None if None in found else tuple(call for program in found for call in program or ())


SOFTMAX, SIGMOID = ("softmax",), ("sigmoid", "hard_sigmoid")
PROBABILITIES = SOFTMAX + SIGMOID  # the ops that give them


def last_op(layers: Sequence[Programmed]) -> str:
    """Return the op that layers in sequence end with; "" if only Python knows."""
    last = getattr(layers[-1], "activation", layers[-1])  # a Linear outside a model has no arrays for its program
    program = (Call("affine"),) if last is None else program_of(last)
    return program[-1].op if program else ""


def stated(who: str, layers: Iterable[Programmed]) -> list[Program]:
    """Return the program of each layer, or raise a ValueError that names the innermost layer without one."""
    layers = list(layers)
    found = [program for layer in layers if (program := program_of(layer)) is not None]
    if len(found) < len(layers):
        remedy = "give it program(), or use chainrule's own"
        got = repr(without_program(layers))
        raise ValueError(sentence(who, "layers that say by program() what they compute", got, remedy))
    return found


def without_program(layers: Iterable[Programmed]) -> Programmed:
    """Return the innermost layer without a program."""
    layer = next(layer for layer in layers if program_of(layer) is None)
    parts = (part for part in (*layer.children, *vars(layer).values()) if hasattr(part, "program"))
    inner = [part for part in parts if program_of(part) is None]
    return without_program(inner) if inner else layer


def every_call(program: Iterable[Call]) -> Iterator[Call]:
    """The calls in order, each before those of its branches."""
    for call in program:
        yield call
        for branch in call.branches:
            yield from every_call(branch)


def run(program: Iterable[Call], x: Array) -> Array:
    """Run the program on a batch in NumPy: the definition of every op."""
    for call in program:
        inner = [run(branch, part) for branch, part in zip(call.branches, inputs_of(call, x), strict=False)]
        x = _meaning(call.op)(x, *inner, **call.arrays, **call.numbers)
    return x


def inputs_of(call: Call, x: Array) -> Iterable[Array]:
    """Return the input of each of the call's branches."""
    if call.op == "columns":
        return np.split(x, np.cumsum(call.arrays["widths"])[:-1], axis=1)
    return itertools.repeat(x)


def input_width(call: Call) -> int | None:
    """Return the number of input columns of a call; None if its arrays do not determine it."""
    if "widths" in call.arrays:
        return int(call.arrays["widths"].sum())
    if "E" in call.arrays:
        return 1
    return len(call.arrays.get("W", next(iter(call.arrays.values())))) if call.arrays else None


def output_width(call: Call, width: int) -> int:
    """Return the number of output columns of a call for ``width`` input columns."""
    arrays = call.arrays
    if call.op == "columns":
        parts = zip(call.branches, arrays["widths"].tolist(), strict=True)
        return sum(functools.reduce(lambda width, inner: output_width(inner, width), *part) for part in parts)
    if call.op == "mean":
        return functools.reduce(lambda width, inner: output_width(inner, width), call.branches[0], width)
    if call.op == "pbld":
        return int(arrays["b2"].size + len(arrays["b2"]))
    if call.op == "piecewise_linear":
        return int(arrays["slope"].size)
    table = next((arrays[name] for name in ("W", "E") if name in arrays), None)
    return 2 if call.op == "two_classes" else width if table is None else int(table.shape[1])


# --- fewer operations, same result ---------------------------------------------------------------------------------

NEAR = 10  # standard deviations: a mean this close to zero loses no digits in x · gain + bias


def standardization(call: Call) -> tuple[Any, Array, Any]:
    """The mean, factor and bias of a ``scale`` or ``standardize``, both of which are (x − mean) · factor + bias."""
    factor = call.arrays["gain" if call.op == "scale" else "factor"]
    return call.arrays.get("mean", 0.0), factor.astype(np.float64, copy=False), call.arrays.get("bias", 0.0)


def folded(call: Call) -> tuple[Array, Array]:
    """A ``standardize`` as the gain and bias of a ``scale``; loses digits if the mean is far from zero."""
    mean, factor, bias = standardization(call)
    return factor, bias - mean * factor


def simplified(call: Call) -> Call:
    """A ``standardize`` with a bias as a ``scale``, which saves one operation, if that loses no digits."""
    if call.op == "standardize" and "bias" in call.arrays:
        mean, factor, _ = standardization(call)
        if (np.abs(mean * factor) < NEAR).all():
            return Call("scale", dict(zip(("gain", "bias"), folded(call), strict=True)))
    return call


def joined(first: Call, second: Call) -> Call | None:
    """Merge an ``affine`` and a ``scale`` or ``standardize`` after it into one float64 ``affine``; else None."""
    if first.op != "affine" or second.op not in ("scale", "standardize"):
        return None
    mean, factor, bias = standardization(second)
    b = (first.arrays.get("b", 0.0) - mean) * factor + bias
    return Call("affine", {"W": first.arrays["W"] * factor, "b": b})


# --- the arguments and results of each op -----------------------------------------------------------------------------


def number_of(call: Call) -> float:
    """The parameter of an elementwise op; 0 if it has none."""
    return next(iter(numbers_of(call).values()), 0.0)


def numbers_of(call: Call) -> dict[str, float]:
    """The numbers of a call, completed by the op's defaults."""
    return {**_defaults(call.op), **call.numbers}


@functools.cache
def _defaults(op: str) -> dict[str, float]:
    known = {} if op in MEANINGS else inspect.signature(getattr(ops, op)).parameters
    return {name: given.default for name, given in known.items() if isinstance(given.default, float)}


@functools.cache
def keeps_input(op: str) -> bool:
    """Whether the pull-back of an elementwise op needs its input x; if not, y may overwrite x."""
    return "x" in inspect.signature(getattr(ops, f"{op}_backward")).parameters


@functools.cache
def arguments(op: str) -> dict[str, bool]:
    """The arguments of an op besides x and f(x), in order, and whether each is required."""
    known = inspect.signature(_meaning(op)).parameters
    return {name: given.default is given.empty for name, given in known.items() if name not in ("x", "f", "out")}


def _meaning(op: str) -> Callable[..., Array]:
    meaning: Callable[..., Array] = MEANINGS.get(op) or getattr(ops, op)
    return meaning


def _exp(x: Array) -> Array:
    return np.exp(np.minimum(x, LARGEST_EXPONENT))


def _deviations(x: Array, spread: Array, floor: float) -> Array:
    half = len(spread)
    return np.hstack([x[:, :half], np.sqrt(_exp(x[:, half:]) + floor) * spread])


def _affine_int8(x: Array, W: Array, scale: Array, b: Array, limit: float) -> Array:
    largest = np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-30).astype(np.float32)
    q = np.rint(x.astype(np.float32) * (np.float32(limit) / largest)).astype(np.float64)
    y: Array = (q @ W) * (scale * (largest / limit)) + b
    return y


LEAST_PROBABILITY = 1e-30  # whose logarithm is taken
LARGEST_EXPONENT = 88.72283  # of a float32

#: The ops that are not a function of ``ops`` of the same name.
MEANINGS: dict[str, Callable[..., Array]] = {
    "add": lambda x, f: x + f,
    "affine": lambda x, W, b=0.0: x @ W + b,
    "affine_int8": _affine_int8,
    "ascending": lambda x, count: np.sort(x.reshape(len(x), -1, count)).reshape(x.shape),
    "clamp": lambda x, low, high: np.clip(x, low, high),
    "columns": lambda x, *f, widths: np.concatenate(f, axis=1),
    "deviations": _deviations,
    "exp": _exp,
    "flatten": lambda x: x.reshape(len(x), math.prod(x.shape[1:])),
    "layer_norm": lambda x, gain, bias, epsilon: ops.standardize(x, 1, epsilon)[0] * gain + bias,
    "log": lambda x: np.log(x + LEAST_PROBABILITY),
    "logit": lambda x: np.log(x + LEAST_PROBABILITY) - np.log(1 - x + LEAST_PROBABILITY),
    "mean": lambda x, *f: np.mean(f, axis=0),
    "scale": lambda x, gain, bias=0.0: x * gain + bias,
    "standardize": lambda x, mean, factor, bias=0.0: (x - mean) * factor + bias,
    "two_classes": lambda x: np.hstack([ops.sigmoid(-x), ops.sigmoid(x)]),
}
