"""Programs in other systems: a check of their calls, and an entry for each activation with all that exports need."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._support.checks import nearest, sentence
from ..layers.base import Layer
from ..layers.program import Call, Program, arguments, every_call, stated
from ..ops.activations.smooth import SELU_ALPHA, SELU_SCALE

if TYPE_CHECKING:
    from .onnx.graph import Graph


class Elementwise(NamedTuple):
    """One op in other systems; its own numbers, such as slope, are passed by name.

    ``onnx`` writes its nodes, with operators that ONNX Runtime has for float32 and float64; ``c`` is its value in C99
    for one number v; ``torch`` the equivalent module as Python, with the numbers in braces, or empty.
    """

    onnx: Callable[..., str]
    c: str
    torch: str


def _elu(g: Graph, x: str, alpha: float) -> str:
    """max(x, 0) + α (exp(v) − 1),  v = min(x, 0), with exp(v) − 1 = 2t / (1 − t), t = tanh(v/2), exact near 0, too"""
    t = g.Tanh(g.Mul(g.Min(x, 0.0), 0.5))
    return g.Add(g.Relu(x), g.Mul(g.Div(g.Add(t, t), g.Sub(1.0, t)), alpha))


def _softplus(g: Graph, x: str) -> str:
    """max(x, 0) + log(1 + exp(−|x|))"""
    return g.Add(g.Relu(x), g.Log(g.Add(g.Exp(g.Neg(g.Abs(x))), 1.0)))


def _silu(g: Graph, x: str) -> str:
    """x · sigmoid(x); in float64 x / (1 + exp(−x)), as ONNX Runtime 1.18 merges the product into a float32 operator."""
    return g.Div(x, g.Add(g.Exp(g.Neg(x)), 1.0)) if g.dtype == np.float64 else g.Mul(x, g.Sigmoid(x))


def _gelu(g: Graph, x: str) -> str:
    """½ x (1 + erf(x/√2)); ONNX Runtime has erf for float32 alone."""
    inner = g.Mul(x, math.sqrt(0.5))
    gate = g.Erf(inner) if g.dtype == np.float32 else g.cast(g.Erf(g.cast(inner, np.float32)), g.dtype)
    return g.Mul(g.Mul(x, 0.5), g.Add(gate, 1.0))


def _gelu_tanh(g: Graph, x: str) -> str:
    """½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))"""
    cubic = g.Add(x, g.Mul(g.Mul(g.Mul(x, x), x), 0.044715))
    gate = g.Tanh(g.Mul(cubic, math.sqrt(2 / math.pi)))
    return g.Mul(g.Mul(x, 0.5), g.Add(gate, 1.0))


_ELU = "v > 0.0f ? v : alpha * expm1f(v)"

ELEMENTWISE: dict[str, Elementwise] = {
    "elu": Elementwise(_elu, _ELU, "nn.ELU(alpha={alpha})"),
    "exp": Elementwise(lambda g, x: g.Exp(x), "v > 88.72283f ? 3.4028235e38f : expf(v)", ""),
    "gelu": Elementwise(_gelu, "0.5f * v * (1.0f + erff(v * 0.70710678f))", "nn.GELU()"),
    "gelu_tanh": Elementwise(
        _gelu_tanh,
        "0.5f * v * (1.0f + tanhf(0.79788456f * (v + 0.044715f * v * v * v)))",
        "nn.GELU(approximate='tanh')",
    ),
    "hard_sigmoid": Elementwise(
        lambda g, x: g.Min(g.Max(g.Add(g.Div(x, 6.0), 0.5), 0.0), 1.0),
        "v <= -3.0f ? 0.0f : v >= 3.0f ? 1.0f : v / 6.0f + 0.5f",
        "nn.Hardsigmoid()",
    ),
    "identity": Elementwise(lambda g, x: x, "v", "nn.Identity()"),
    "leaky_relu": Elementwise(
        lambda g, x, slope: g.Max(x, g.Mul(x, slope)),
        "v > 0.0f ? v : slope * v",
        "nn.LeakyReLU({slope})",
    ),
    "mish": Elementwise(lambda g, x: g.Mul(x, g.Tanh(_softplus(g, x))), "v * tanhf(NAME_softplus_of(v))", "nn.Mish()"),
    "relu": Elementwise(lambda g, x: g.Relu(x), "v < 0.0f ? 0.0f : v", "nn.ReLU()"),
    "selu": Elementwise(
        lambda g, x: g.Mul(_elu(g, x, SELU_ALPHA), SELU_SCALE),
        f"1.05070099f * ({_ELU.replace('alpha', '1.67326324f')})",
        "nn.SELU()",
    ),
    "sigmoid": Elementwise(lambda g, x: g.Sigmoid(x), "NAME_sigmoid_of(v)", "nn.Sigmoid()"),
    "silu": Elementwise(_silu, "v * NAME_sigmoid_of(v)", "nn.SiLU()"),
    "softplus": Elementwise(_softplus, "NAME_softplus_of(v)", "nn.Softplus()"),
    "tanh": Elementwise(lambda g, x: g.Tanh(x), "tanhf(v)", "nn.Tanh()"),
}


SMALLEST = float(np.finfo(np.float32).tiny)


def layer_programs(who: str, layers: Sequence[Layer], known: Collection[str]) -> list[tuple[Layer, Program]]:
    """Return each layer with its program; raise for unknown ops."""
    found = list(zip(layers, stated(who, layers), strict=True))
    for layer, program in found:
        check_program(who, repr(layer), program, known)
    return found


def check_program(who: str, about: str, program: Iterable[Call], known: Collection[str]) -> None:
    """Raise unless the calls can be written; ``about`` names their owner."""
    for call in every_call(program):
        if call.op not in known:
            got = f"{call.op!r} in the program of {about}{nearest(call.op, known)}"
            raise ValueError(sentence(who, "ops that it can write", got, "known are " + ", ".join(sorted(known))))
        needed = arguments(call.op)
        given = {*call.arrays, *call.numbers}
        if not {name for name, must in needed.items() if must} <= given <= needed.keys():
            got = f"{', '.join(sorted(given)) or 'none'} in the program of {about}"
            raise ValueError(sentence(who, f"{call.op} to be given {', '.join(needed) or 'nothing'}", got))
        if call.numbers.get("epsilon", 1) < SMALLEST:
            expected = f"epsilon of at least {SMALLEST:.2g}, which float32 can hold"
            raise ValueError(sentence(who, expected, about, "train with a larger one"))
