"""Detect a user's own code in a network, which no file can hold."""

from __future__ import annotations

from .._support.checks import sentence
from .._support.overrides import has_own_methods
from ..layers import Layer
from ..layers.base import walk
from ..model import Sequential

PREDICTION = ("forward", "predict")
TRAINING = ("backward", "penalty")


def check_no_own_code(who: str, model: Sequential, methods: tuple[str, ...] = PREDICTION) -> None:
    """Raise if the model's class overrides one of these methods, or one was replaced on the model or a layer."""
    changed = next((name for name in methods if getattr(type(model), name) is not getattr(Sequential, name)), None)
    replaced = ["the model"] if has_own_methods(model) else []
    replaced += [f"layer {place.rstrip('.')}" for place, layer in walk(model.layers) if _is_hooked(layer)]
    if changed:
        expected, got = "a network with the methods of Sequential", f"{type(model).__name__}, which overrides {changed}"
    elif replaced:
        expected, got = "methods that belong to a class", f"one that was replaced on {replaced[0]}"
    else:
        return
    remedy = "put what it does into a layer of your own, or do it outside the network"
    raise TypeError(sentence(who, expected, got, remedy))


def _is_hooked(layer: Layer) -> bool:
    """Whether a method was replaced on the layer, or on a layer that is its attribute, such as an activation."""
    return any(map(has_own_methods, (layer, *(value for value in vars(layer).values() if isinstance(value, Layer)))))
