"""What one row goes through: the layers as steps, each of which is one call in C.

What does nothing in prediction is left out, and what scales the outputs of a dense layer becomes part of its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import ops
from ..._support.checks import Array, sentence
from ...layers import (
    Activation,
    BatchNorm,
    Dropout,
    Flatten,
    GaussianNoise,
    Identity,
    Layer,
    LayerNorm,
    Linear,
    PReLU,
    Residual,
    Scale,
    Softmax,
)
from ...layers.base import FeatureLayer, walk
from ...nodes import SMALLEST
from .operations import ACTIVATIONS, function_of

NEAR = 10  # deviations from zero: a mean so near loses no digits in x · factor + shift
NOTHING = (Dropout, GaussianNoise, Flatten, Identity)  # in prediction, to one row


@dataclass
class Step:
    """One operation: its name, its constants, and the same in NumPy.

    Attributes
    ----------
    operation : str, its function among ``operations.FUNCTIONS``
    compute : array (N, I) → array (N, width)
    width : int, of what it gives
    arrays : name → constant array
    numbers : constants that are written where the function is called
    about : str, what it comes from
    in_place : bool, whether it may overwrite what it reads
    branch : the steps of a residual block, whose result this one adds to what they began with
    """

    operation: str
    compute: Callable[[Array], Array]
    width: int
    arrays: dict[str, Array] = field(default_factory=dict)
    numbers: tuple[float, ...] = ()
    about: str = ""
    in_place: bool = True
    branch: list[Step] = field(default_factory=list)

    @property
    def multiplications(self) -> int:
        """How many multiply-adds one row takes, by layers of weights alone."""
        if self.operation.startswith("dense"):
            return int(self.arrays["W"].size)
        return sum(step.multiplications for step in self.branch) + self.width * ("factor" in self.arrays)


def run(steps: Sequence[Step], x: Array) -> Array:
    """What the steps make of x (N, I), in NumPy."""
    for step in steps:
        x = step.compute(x)
    return x


def run_in_float32(steps: Sequence[Step], x: Array) -> Array:
    """The same in float64, each value rounded to float32 as the device stores it: nearly the error of the device."""
    for step in steps:
        with np.errstate(over="ignore", invalid="ignore"):
            x = step.compute(x).astype(np.float32).astype(np.float64)
    return x


def dense(W: Array, b: Array, about: str) -> Step:
    """y = xW + b, with the weights of an output in a row."""
    arrays = {"W": W.T, "b": b}
    return Step("dense", lambda x: x @ W + b, len(b), arrays, about=about, in_place=False)


def affine(factor: Array, shift: Array | None, about: str) -> Step:
    """y = x · factor + shift."""
    arrays = {"factor": factor} | ({} if shift is None else {"shift": shift})
    plus = 0.0 if shift is None else shift
    return Step("scale" if shift is None else "affine", lambda x: x * factor + plus, len(factor), arrays, about=about)


def standardize(mean: Array, factor: Array, about: str) -> Step:
    """y = (x − mean) · factor: apart from the layer behind it, where it would cost digits, and int8 its precision."""
    with np.errstate(over="ignore"):  # which is refused when it is written
        high = mean.astype(np.float32).astype(np.float64)
    arrays = {"high": high, "low": mean - high, "factor": factor}
    return Step("standardize", lambda x: (x - mean) * factor, len(mean), arrays, about=about)


def append(steps: list[Step], step: Step) -> None:
    """Put a step behind the others, or into the dense layer in front of it."""
    if steps and steps[-1].operation == "dense" and step.operation in ("affine", "scale"):
        last = steps.pop()
        factor, shift = step.arrays["factor"], step.arrays.get("shift", 0.0)
        about = f"{last.about}, {step.about}"
        step = dense((last.arrays["W"].T * factor), last.arrays["b"] * factor + shift, about)
    steps.append(step)


def steps_of(layers: Sequence[Layer], width: int) -> list[Step]:
    """The steps of these layers for a row of ``width`` numbers."""
    steps: list[Step] = []
    for layer in layers:
        if type(layer) in NOTHING:
            continue
        behind_dense = bool(steps) and steps[-1].operation == "dense"
        for step in _steps_of_layer(layer, width, behind_dense):
            append(steps, step)
            width = step.width
    return steps


def _steps_of_layer(layer: Any, width: int, behind_dense: bool) -> list[Step]:
    about = repr(layer)
    if type(layer) is Linear:
        b = layer.b if layer.bias else np.zeros(layer.out_features)
        first = dense(layer.W.astype(np.float64), b.astype(np.float64), about)
        chosen = layer.activation
        behind = [] if chosen is None or type(chosen) in NOTHING else [_activation(chosen, layer.out_features)]
        return [first, *behind]
    if type(layer) is BatchNorm:
        mean, variance, gain, bias = (
            array.astype(np.float64) for array in (layer.running_mean, layer.running_variance, layer.gain, layer.bias)
        )
        factor = gain / np.sqrt(variance + layer.epsilon)
        if behind_dense or (np.abs(mean * factor) < NEAR).all():  # a part of its weights, or as exact in one step
            return [affine(factor, bias - mean * factor, about)]
        return [standardize(mean, factor, about), affine(np.ones(width), bias, about)]
    if type(layer) is Scale:
        return [affine(layer.gain.astype(np.float64), None, about)]
    if type(layer) is Residual:
        return [_residual(layer, width)]
    return [_own_kind(layer, width)]


def _own_kind(layer: Any, width: int) -> Step:
    """PReLU, LayerNorm and the activations."""
    about = repr(layer)
    if type(layer) is PReLU:
        slope = layer.slope
        return Step("prelu", lambda x: ops.prelu(x, slope), width, {"slope": slope}, about=about)
    if type(layer) is LayerNorm:
        arrays, epsilon = {"gain": layer.gain, "bias": layer.bias}, layer.epsilon
        if epsilon < SMALLEST:
            expected = f"epsilon of at least {SMALLEST:.2g}, which float32 can hold"
            raise ValueError(sentence("export to C", expected, repr(layer), "train with a larger one"))

        def compute(x: Array) -> Array:
            return ops.standardize(x, 1, epsilon)[0] * arrays["gain"] + arrays["bias"]

        return Step("layer_norm", compute, width, arrays, (epsilon,), about)
    return _activation(layer, width)


def _activation(layer: Any, width: int) -> Step:
    if type(layer) is Softmax:
        return softmax(width)
    if type(layer) not in ACTIVATIONS:
        known = "one of chainrule's own instead, or write it in C behind the network"
        raise ValueError(sentence("export to C", "layers whose equation it knows", repr(layer), f"use {known}"))
    function, numbers = function_of(layer)
    return Step(function, lambda x: _applied(layer, x), width, {}, numbers, repr(layer))


def _applied(layer: Activation, x: Array) -> Array:
    return layer.apply(x, out=np.empty_like(x))


def softmax(width: int) -> Step:
    """Probabilities from logits."""
    return Step("softmax", ops.softmax, width, about="Softmax()")


def _residual(layer: Residual, width: int) -> Step:
    inner = steps_of(layer.layers, width)
    return Step("add", lambda x: x + run(inner, x), width, about="Residual: add what went in", branch=inner)


def input_width(layers: Sequence[Layer]) -> int:
    """How many numbers a row has, by the first layer that says so."""
    softmax_seen = False
    for _, layer in walk(layers):
        if isinstance(layer, Linear):
            return layer.in_features
        if isinstance(layer, FeatureLayer):
            return layer.features
        softmax_seen |= type(layer) is Softmax
        if softmax_seen and type(layer) is Flatten:
            raise ValueError(sentence("export to C", "Flatten in front of Softmax", "it behind", "exchange the two"))
    remedy = "begin with a Linear or a Scale layer"
    raise ValueError(
        sentence("export to C", "a model whose layers say how many inputs it has", "none that does", remedy)
    )
