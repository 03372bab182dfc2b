"""Layers: parameters and the two directions through them; a batch never stays on a layer."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from .._support.checks import check_name, sentence
from .activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    HardSigmoid,
    Identity,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .base import Layer, Workspace
from .linear import Linear, Scale
from .noise import Dropout, GaussianNoise
from .normalization import BatchNorm, LayerNorm
from .structure import Flatten, Residual

LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        *(Linear, Scale, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Mish, Softplus, Tanh, Sigmoid, HardSigmoid),
        *(Identity, PReLU, Softmax, Dropout, GaussianNoise, BatchNorm, LayerNorm, Flatten, Residual),
    )
}


def layer_from_config(config: Any, known: Mapping[str, type[Layer]] = LAYERS) -> Layer:
    """The layer that :meth:`Layer.config` described; only classes in ``known`` are ever called."""
    if not isinstance(config, dict) or not isinstance(config.get("type"), str):
        raise ValueError(sentence("a layer's description", 'a mapping with a "type"', repr(config)))
    cls = known[check_name("a layer's description", "a layer", config["type"], known)]

    def build(value: Any) -> Any:
        if isinstance(value, list):
            return [build(item) for item in value]
        return layer_from_config(value, known) if isinstance(value, dict) else value

    try:
        return cls(**{name: build(value) for name, value in config.items() if name != "type"})
    except TypeError as error:
        got = f"{reprlib.repr(config)}: {str(error).rstrip('.')}"
        raise ValueError(sentence(cls.__name__, "the arguments of its constructor", got)) from None


__all__ = [
    "ELU",
    "GELU",
    "LAYERS",
    "SELU",
    "Activation",
    "BatchNorm",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "HardSigmoid",
    "Identity",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Mish",
    "PReLU",
    "ReLU",
    "Residual",
    "Scale",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Workspace",
    "layer_from_config",
]
