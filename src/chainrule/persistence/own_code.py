"""Code of the user's own in a network, which no file can hold: what is read from one does without it."""

from __future__ import annotations

from collections.abc import Iterable

from .._support.checks import sentence
from .._support.overrides import has_own_methods, is_hooked
from ..layers import LAYERS, Activation, Layer
from ..layers.base import walk
from ..model import Sequential

PREDICTION = ("forward", "predict")
TRAINING = ("backward", "penalty")


def check_no_own_code(who: str, model: Sequential, methods: tuple[str, ...] = PREDICTION) -> None:
    """Raise if the model's class overrides one of these methods, or if any was replaced on the model or on a layer."""
    changed = next((name for name in methods if getattr(type(model), name) is not getattr(Sequential, name)), None)
    replaced = ["the model"] if has_own_methods(model) else []
    replaced += [f"layer {place.rstrip('.')}" for place, layer in walk(model.layers) if is_hooked(layer)]
    if changed:
        expected, got = "a network with the methods of Sequential", f"{type(model).__name__}, which overrides {changed}"
    elif replaced:
        expected, got = "methods that belong to a class", f"one that was replaced on {replaced[0]}"
    else:
        return
    remedy = "put what it does into a layer of your own, or do it outside the network"
    raise TypeError(sentence(who, expected, got, remedy))


def check_very_classes(who: str, layers: Iterable[Layer]) -> None:
    """Raise at a layer of a class that is derived from one of ours: it may do something else."""
    for layer in layers:
        ours = next((cls for cls in type(layer).__mro__ if LAYERS.get(cls.__name__) is cls), None)
        if ours not in (None, type(layer)):
            what = "an activation" if isinstance(layer, Activation) else "a layer"
            raise ValueError(
                sentence(who, f"{what} whose equation it knows", f"{layer!r}, derived from {ours.__name__}")
            )
