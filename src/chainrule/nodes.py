"""Layers as the nodes of an ONNX graph, each from operators that ONNX Runtime has for float32 and float64.

One table holds what every layer does in prediction, :data:`EQUATIONS`; who writes a graph down, as a file or as a part
of skl2onnx's, gives a :class:`Graph`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._support.checks import Array, check_finite, sentence
from .layers import (
    ELU,
    GELU,
    SELU,
    Activation,
    BatchNorm,
    Dropout,
    Flatten,
    GaussianNoise,
    HardSigmoid,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Mish,
    PReLU,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .ops.activations.smooth import SELU_ALPHA, SELU_SCALE

SMALLEST = float(np.finfo(np.float32).tiny)


class Graph(ABC):
    """Nodes as calls: ``g.Add(x, 1.0)`` adds one and gives the name of its output; numbers become constants.

    Constants take ``dtype``, that of the computation, unless they are integers or text.

    Attributes
    ----------
    who : str, of whom errors speak
    prefix, kind : str, place and class of the layer that is being written ("2.", "GELU"), for names
    """

    who: str
    prefix = ""
    kind = ""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)

    @abstractmethod
    def new_name(self, hint: str) -> str:
        """A name that is not taken."""

    @abstractmethod
    def add_node(self, op: str, inputs: list[str], output: str, attributes: dict[str, Any]) -> None:
        """Write one node down."""

    @abstractmethod
    def add_constant(self, name: str, array: Array) -> None:
        """Write one constant down."""

    def __getattr__(self, op: str) -> Callable[..., str]:
        if not op[:1].isupper():
            raise AttributeError(op)

        def node(*inputs: Any, out: str | None = None, **attributes: Any) -> str:
            names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
            out = out or self.new_name(f"{self.prefix}{self.kind}{'.' * bool(self.kind)}{op}")
            self.add_node(op, names, out, attributes)
            return out

        return node

    def constant(self, value: Any, hint: str = "constant") -> str:
        """The name of a new constant."""
        array = np.asarray(value)
        if array.dtype.kind in "fb":
            array = self._held(array, f"{self.prefix}{hint}")
        name = self.new_name(f"{self.prefix}{hint}")
        self.add_constant(name, array)
        return name

    def _held(self, array: Array, name: str) -> Array:
        """Numbers in the type of the computation, which must not make infinity of them, nor 0 of a single one."""
        check_finite(self.who, name, array)
        with np.errstate(over="ignore", under="ignore"):
            held: Array = array.astype(self.dtype)
        if not np.isfinite(held).all():
            expected = f"parameters within ±{np.finfo(held.dtype).max:.5g} for {held.dtype.name}"
            remedy = "use float32" if held.dtype == np.float16 else "use float64"
            raise ValueError(sentence(self.who, expected, f"larger ones in {name}", remedy))
        return held

    def cast(self, x: str, dtype: Any, out: str | None = None) -> str:
        """x as numbers of another type."""
        from onnx.helper import np_dtype_to_tensor_dtype

        return self.Cast(x, out=out, to=np_dtype_to_tensor_dtype(np.dtype(dtype)))


def through(g: Graph, layers: Sequence[Layer], x: str) -> str:
    """What a model predicts: each layer takes what the one before gave."""
    prefix, kind = g.prefix, g.kind
    for index, layer in enumerate(layers):
        g.prefix = f"{prefix}{index}."
        x = _layer(g, layer, x)
    g.prefix, g.kind = prefix, kind
    return x


def _layer(g: Graph, layer: Layer, x: str) -> str:
    """What one layer does in prediction. A subclass may do something else: only the very classes are known."""
    if type(layer) not in EQUATIONS:
        what = "an activation" if isinstance(layer, Activation) else "a layer"
        remedy = "convert a network with chainrule's own alone"
        raise ValueError(sentence(g.who, f"{what} whose equation it knows", repr(layer), remedy))
    g.kind = type(layer).__name__
    return EQUATIONS[type(layer)](g, layer, x)


def _linear(g: Graph, layer: Linear, x: str) -> str:
    """σ(xW + b)"""
    z = g.MatMul(x, g.constant(layer.W, "W"))
    if layer.bias:
        z = g.Add(z, g.constant(layer.b, "b"))
    return z if layer.activation is None else _layer(g, layer.activation, z)


def _batch_norm(g: Graph, layer: BatchNorm, x: str) -> str:
    """gain · (x − μ) / √(σ² + ε) + bias with the running μ and σ², as one factor and one shift."""
    factor = layer.gain / np.sqrt(layer.running_variance + layer.epsilon)
    shift = layer.bias - layer.running_mean * factor
    return g.Add(g.Mul(x, g.constant(factor, "factor")), g.constant(shift, "shift"))


def _layer_norm(g: Graph, layer: LayerNorm, x: str) -> str:
    """gain · (x − μ)/s / √(σ²/s² + ε/s²) + bias, s = max(mean |x − μ|, 1): no square overflows.

    The means of a row are products, which every ONNX version has.
    """
    if layer.epsilon < SMALLEST:  # ONNX Runtime drops the sum with one that float32 cannot hold
        expected = f"epsilon of at least {SMALLEST:.2g}, which float32 can hold"
        raise ValueError(sentence(g.who, expected, f"{layer!r} at {g.prefix[:-1]}", "train with a larger one"))
    narrow = g.dtype == np.float16  # whose squares end at 65504, and whose ε may be 0
    if narrow:
        x, g.dtype = g.cast(x, np.float32), np.dtype(np.float32)
    mean = g.constant(np.full((layer.features, 1), 1 / layer.features), "mean")
    centred = g.Sub(x, g.MatMul(x, mean))
    scale = g.Max(g.MatMul(g.Abs(centred), mean), 1.0)
    centred = g.Div(centred, scale)
    epsilon = g.Div(g.Div(g.constant(layer.epsilon, "epsilon"), scale), scale)
    deviation = g.Sqrt(g.Add(g.MatMul(g.Mul(centred, centred), mean), epsilon))
    y = g.Mul(g.Div(centred, deviation), g.constant(layer.gain, "gain"))
    y = g.Add(y, g.constant(layer.bias, "bias"))
    if narrow:
        g.dtype = np.dtype(np.float16)
        y = g.cast(y, g.dtype)
    return y


def _residual(g: Graph, layer: Residual, x: str) -> str:
    """x + f(x)"""
    return g.Add(x, through(g, layer.layers, x))


def _prelu(g: Graph, layer: PReLU, x: str) -> str:
    """max(x, 0) + a · min(x, 0)"""
    return g.Add(g.Relu(x), g.Mul(g.Min(x, 0.0), g.constant(layer.slope, "slope")))


def _silu(g: Graph, x: str) -> str:
    """x · sigmoid(x); in float64 x / (1 + exp(−x)), as ONNX Runtime 1.18 merges the product into a float32 operator."""
    return g.Div(x, g.Add(g.Exp(g.Neg(x)), 1.0)) if g.dtype == np.float64 else g.Mul(x, g.Sigmoid(x))


def _softplus(g: Graph, x: str) -> str:
    """max(x, 0) + log(1 + exp(−|x|))"""
    return g.Add(g.Relu(x), g.Log(g.Add(g.Exp(g.Neg(g.Abs(x))), 1.0)))


def _elu(g: Graph, x: str, alpha: float) -> str:
    """max(x, 0) + α (exp(v) − 1),  v = min(x, 0), with exp(v) − 1 = 2t / (1 − t), t = tanh(v/2), exact near 0, too"""
    t = g.Tanh(g.Mul(g.Min(x, 0.0), 0.5))
    return g.Add(g.Relu(x), g.Mul(g.Div(g.Add(t, t), g.Sub(1.0, t)), alpha))


def _gelu(g: Graph, x: str, approximate: str) -> str:
    """½ x (1 + erf(x/√2)), or ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))"""
    if approximate == "tanh":
        cubic = g.Add(x, g.Mul(g.Mul(g.Mul(x, x), x), 0.044715))
        gate = g.Tanh(g.Mul(cubic, math.sqrt(2 / math.pi)))
    else:
        inner = g.Mul(x, math.sqrt(0.5))
        if g.dtype == np.float32:
            gate = g.Erf(inner)
        else:  # ONNX Runtime has erf for no other type
            gate = g.cast(g.Erf(g.cast(inner, np.float32)), g.dtype)
    return g.Mul(g.Mul(x, 0.5), g.Add(gate, 1.0))


#: What each layer makes of x in prediction.
EQUATIONS: dict[type[Layer], Callable[[Graph, Any, str], str]] = {
    BatchNorm: _batch_norm,
    Dropout: lambda g, layer, x: x,
    ELU: lambda g, layer, x: _elu(g, x, layer.alpha),
    Flatten: lambda g, layer, x: g.Flatten(x, axis=1),
    GELU: lambda g, layer, x: _gelu(g, x, layer.approximate),
    GaussianNoise: lambda g, layer, x: x,
    HardSigmoid: lambda g, layer, x: g.Min(g.Max(g.Add(g.Div(x, 6.0), 0.5), 0.0), 1.0),
    Identity: lambda g, layer, x: x,
    LayerNorm: _layer_norm,
    LeakyReLU: lambda g, layer, x: g.Max(x, g.Mul(x, layer.slope)),
    Linear: _linear,
    Mish: lambda g, layer, x: g.Mul(x, g.Tanh(_softplus(g, x))),
    PReLU: _prelu,
    ReLU: lambda g, layer, x: g.Relu(x),
    Residual: _residual,
    SELU: lambda g, layer, x: g.Mul(_elu(g, x, SELU_ALPHA), SELU_SCALE),
    Scale: lambda g, layer, x: g.Mul(x, g.constant(layer.gain, "gain")),
    Sigmoid: lambda g, layer, x: g.Sigmoid(x),
    SiLU: lambda g, layer, x: _silu(g, x),
    Softmax: lambda g, layer, x: g.Softmax(x, axis=-1),
    Softplus: lambda g, layer, x: _softplus(g, x),
    Tanh: lambda g, layer, x: g.Tanh(x),
}
