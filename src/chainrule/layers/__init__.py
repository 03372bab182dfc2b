"""Layers: parameters, forward and backward. A layer never stores a batch."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from .._support.checks import called_elsewhere, check_name, sentence
from .._support.registry import concrete
from . import (
    activations,
    columns,
    embedding,
    linear,
    members,
    noise,
    normalization,
    parametric,
    periodic,
    piecewise,
    structure,
)
from .activations import *  # noqa: F403
from .base import Layer
from .columns import *  # noqa: F403
from .embedding import *  # noqa: F403
from .linear import *  # noqa: F403
from .members import *  # noqa: F403
from .noise import *  # noqa: F403
from .normalization import *  # noqa: F403
from .parametric import *  # noqa: F403
from .periodic import *  # noqa: F403
from .piecewise import *  # noqa: F403
from .structure import *  # noqa: F403
from .workspace import Workspace

__all__ = ["LAYERS", "Layer", "Workspace", "layer_from_config"]
__all__ += activations.__all__
__all__ += columns.__all__
__all__ += embedding.__all__
__all__ += linear.__all__
__all__ += members.__all__
__all__ += noise.__all__
__all__ += normalization.__all__
__all__ += parametric.__all__
__all__ += periodic.__all__
__all__ += piecewise.__all__
__all__ += structure.__all__

LAYERS: dict[str, type[Layer]] = concrete(globals(), Layer)
called_elsewhere({"batchnormalization": "BatchNorm", "dense": "Linear", "layernormalization": "LayerNorm"})
called_elsewhere({"p": "rate", "swish": "SiLU"})


def layer_from_config(config: Any, known: Mapping[str, type[Layer]] = LAYERS) -> Layer:
    """Build the layer that :meth:`Layer.config` described.

    Parameters
    ----------
    config : dict
        The description, with the name of the class under ``"type"``.
    known : mapping of name to class
        The classes that may be called; no others are.

    Returns
    -------
    Layer
        A new layer, without parameters until it is in a model.

    Raises
    ------
    ValueError
        If the class is unknown, or its constructor does not take the arguments.
    """
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
