"""A network as the stages of a compiled plan: one for each layer that has a kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .._support.checks import Array
from ..layers import Activation, BatchNorm, Dropout, Flatten, Layer, LayerNorm, Linear
from ..layers.kernels import activation_kernel
from ..model import Sequential


@dataclass(eq=False, repr=False)  # each method that dataclasses compiles costs the import 0.1 ms
class Stage:
    """What kernels/plan.h needs of a layer.

    ``kind`` is affine, activation, dropout, batch_norm or layer_norm; ``a`` is the parameter of an activation, the rate
    of a dropout, the epsilon of a normalisation.
    """

    kind: str
    inputs: int
    outputs: int
    activation: int = 0  # the number of its kernel, -1 for none
    keeps_input: bool = False  # whether its pull-back needs the input
    a: float = 0.0
    momentum: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    W: Array | None = None
    b: Array | None = None
    dW: Array | None = None
    db: Array | None = None
    running_mean: Array | None = None
    running_variance: Array | None = None


def stages_of(model: Sequential, x: Array) -> list[Stage] | None:
    """The layers as stages, or None if one of them has no kernel or nothing is to be learned."""
    layers = [layer for layer in model.layers if not _does_nothing(layer)]
    if x.ndim < 2 or (x.ndim > 2 and not isinstance(model.layers[0], Flatten)):
        return None
    width = math.prod(x.shape[1:])
    stages: list[Stage] = []
    for layer in layers:
        stage = _stage(layer, width)
        if stage is None or stage.inputs != width:
            return None
        stages.append(stage)
        width = stage.outputs
    return stages if any(stage.W is not None for stage in stages) else None


def _does_nothing(layer: Layer) -> bool:
    """Flatten, since batches are laid out by rows, and dropout of nothing."""
    return type(layer) is Flatten or (type(layer) is Dropout and layer.rate == 0)


def _stage(layer: Layer, width: int) -> Stage | None:
    """The stage of a layer; a subclass may compute something else, so it has none."""
    if type(layer) is Linear:
        return _linear(layer)
    if type(layer) is Dropout:
        return Stage("dropout", width, width, a=layer.rate)
    if type(layer) in (BatchNorm, LayerNorm):
        return _normalization(layer)
    activation = _activation(layer)
    return None if activation is None else Stage("activation", width, width, **activation)


def _linear(layer: Linear) -> Stage | None:
    activation = {} if layer._activation is None else _activation(layer._activation)
    if activation is None:
        return None
    stage = Stage("affine", layer.in_features, layer.out_features, W=layer.W, dW=layer.dW, **activation)
    stage.l1, stage.l2 = layer.l1, layer.l2
    if layer.bias:
        stage.b, stage.db = layer.b, layer.db
    return stage


def _normalization(layer: Any) -> Stage:
    stage = Stage("layer_norm", layer.features, layer.features, a=layer.epsilon)
    stage.W, stage.b, stage.dW, stage.db = layer.gain, layer.bias, layer.dgain, layer.dbias
    if isinstance(layer, BatchNorm):
        stage.kind, stage.momentum = "batch_norm", layer.momentum
        stage.running_mean, stage.running_variance = layer.running_mean, layer.running_variance
    return stage


def _activation(layer: Layer) -> dict[str, Any] | None:
    """The kernel of an activation, its parameter, and whether its pull-back needs the input."""
    kernel = activation_kernel(layer)
    if kernel is None or not isinstance(layer, Activation):
        return None
    return {"activation": kernel[0], "a": kernel[1], "keeps_input": layer.keeps_input}
