"""The layers that compiled kernels know, as these want to be told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from .._support.checks import Array
from ..ops.fused import compiled
from .activations import ELU, GELU, SELU, HardSigmoid, Identity, LeakyReLU, Mish, ReLU, Sigmoid, SiLU, Softplus, Tanh
from .base import Layer
from .linear import Linear
from .noise import Dropout, GaussianNoise
from .structure import Flatten

#: W, b, the number of the activation's kernel, and its parameter.
Dense: TypeAlias = "tuple[Array | None, Array | None, int, float]"

#: The activations that have a kernel, and the attribute that is its parameter.
ACTIVATIONS: dict[type[Layer], tuple[str, str | None]] = {
    ELU: ("elu", "alpha"),
    GELU: ("gelu", None),
    HardSigmoid: ("hard_sigmoid", None),
    Identity: ("identity", None),
    LeakyReLU: ("leaky_relu", "slope"),
    Mish: ("mish", None),
    ReLU: ("relu", None),
    SELU: ("selu", None),
    SiLU: ("silu", None),
    Sigmoid: ("sigmoid", None),
    Softplus: ("softplus", None),
    Tanh: ("tanh", None),
}
NUMBERS: dict[str, int] = {} if compiled is None else compiled.ACTIVATIONS


def activation_kernel(layer: Layer | None) -> tuple[int, float] | None:
    """The number of an activation's kernel and its parameter; -1 for no activation, None for one without a kernel."""
    if layer is None:
        return -1, 0.0
    name, parameter = ACTIVATIONS.get(type(layer), ("", None))  # a subclass may compute something else
    if isinstance(layer, GELU) and layer.approximate == "tanh":
        name = "gelu_tanh"
    if name not in NUMBERS:
        return None
    return NUMBERS[name], getattr(layer, parameter) if parameter else 0.0


def dense_layers(layers: Sequence[Layer]) -> list[Dense] | None:
    """What predicts as these layers do for rows of numbers; None if one of them has no kernel."""
    found: list[Dense] = []
    for layer in layers:
        W = b = None
        activation: Layer | None = layer
        if type(layer) in (Dropout, GaussianNoise, Flatten):  # they do nothing
            continue
        if isinstance(layer, Linear) and type(layer) is Linear:
            W, b, activation = layer.W, layer.b if layer.bias else None, layer._activation
        kernel = activation_kernel(activation)
        if kernel is None:
            return None
        found.append((W, b, *kernel))
    return found
