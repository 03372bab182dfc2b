"""A network: layers in sequence over one flat vector of parameters."""

from .._support.checks import called_elsewhere
from .mlp import MLP
from .sequential import Sequential, layers_from_config, uninitialized_model

__all__ = ["MLP", "Sequential", "layers_from_config", "uninitialized_model"]

called_elsewhere({"model": "Sequential"})
