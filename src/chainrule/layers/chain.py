"""The chain rule, for layers in sequence: y = fₙ(… f₂(f₁(x))), so dx = f₁′ᵀ (f₂′ᵀ (… fₙ′ᵀ dy)).

``dx`` is ∂L/∂x, the gradient of the loss L with respect to x; dy, dW and db likewise, here and everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .._support.checks import Array, sentence
from .._support.overrides import is_of_package
from .base import Layer
from .workspace import Workspace


def forward_through(layers: Sequence[Layer], x: Array, work: Workspace) -> Array:
    """The composition of the layers: the output of each is the input of the next."""
    for index, layer in enumerate(layers):
        x = layer.forward(x, work.child(index))
    return x


def backward_through(layers: Sequence[Layer], dy: Array, work: Workspace, input_gradient: bool) -> Array | None:
    """The chain rule: going backwards, each layer turns the dy of its output into the dx of its input."""
    for index in reversed(range(len(layers))):
        needed = input_gradient or index > 0
        dx = layers[index].backward(dy, work.child(index), needed)
        if not needed:
            return None
        if dx is None:
            raise TypeError(sentence(f"backward of {layers[index]!r}", "to return dx", "None"))
        dy = dx
    return dy


def input_width(layers: Iterable[Layer]) -> int | None:
    """Return the number of columns of x that layers in sequence take; a user's layer may take anything."""
    first = next((one for one in layers if one.input_width is not None or not is_of_package(one)), None)
    return None if first is None else first.input_width
