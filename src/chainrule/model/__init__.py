"""A network: layers in a row over one flat vector of parameters."""

from .mlp import MLP
from .sequential import Sequential, layers_from_config, uninitialized_model

__all__ = ["MLP", "Sequential", "layers_from_config", "uninitialized_model"]
