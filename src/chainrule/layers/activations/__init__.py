"""The activations as layers: thin over the ops, in the same three families."""

from __future__ import annotations

from ..._support.checks import resolve, sentence
from ...ops.fused import compiled
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

for _name, _activation in ACTIVATIONS.items():  # each is called as its op
    type(_activation).temporaries = not hasattr(compiled, _name)


def get_activation(who: str, activation: str | Activation | None) -> Activation | None:
    """The activation of this name; an :class:`Activation` and None stand for themselves."""
    found = resolve(who, "an activation", activation, ACTIVATIONS)
    if isinstance(found, Layer) and not isinstance(found, Activation):
        remedy = "put it behind the layer, in the list, instead"
        raise TypeError(sentence(who, "an activation without parameters", repr(activation), remedy))
    if found is None or isinstance(found, Activation):
        return found
    raise TypeError(sentence(who, "the name of an activation, an Activation or None", repr(activation)))
