"""The activations as layers: thin over the ops, in the same three families."""

from __future__ import annotations

from ..._checks import check_name, sentence
from ..base import Layer
from .base import Activation
from .gated import GELU, Mish, SiLU
from .piecewise import HardSigmoid, Identity, LeakyReLU, PReLU, ReLU
from .smooth import ELU, SELU, Sigmoid, Softmax, Softplus, Tanh

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "HardSigmoid",
    "Identity",
    "LeakyReLU",
    "Mish",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "get_activation",
]

ACTIVATIONS: dict[str, Activation] = {
    "elu": ELU(),
    "gelu": GELU(),
    "gelu_tanh": GELU("tanh"),
    "hard_sigmoid": HardSigmoid(),
    "identity": Identity(),
    "leaky_relu": LeakyReLU(),
    "mish": Mish(),
    "relu": ReLU(),
    "selu": SELU(),
    "sigmoid": Sigmoid(),
    "silu": SiLU(),
    "softmax": Softmax(),
    "softplus": Softplus(),
    "tanh": Tanh(),
}


def get_activation(who: str, activation: str | Activation | None) -> Activation | None:
    """The activation of this name; an :class:`Activation` and None stand for themselves."""
    if activation is None or isinstance(activation, Activation):
        return activation
    if isinstance(activation, Layer):
        remedy = "put it behind the layer, in the list, instead"
        raise TypeError(sentence(who, "an activation without parameters", repr(activation), remedy))
    return ACTIVATIONS[check_name(who, "an activation", activation, ACTIVATIONS)]
