"""Whose code an object runs: a compiled kernel may stand in only for what this package itself wrote."""

from __future__ import annotations

from typing import Any

PACKAGE = __name__.partition(".")[0] + "."


def has_own_methods(thing: Any) -> bool:
    """Whether a method was replaced on the object itself, as hooks do."""
    cls = type(thing)
    return any(callable(getattr(cls, name, None)) for name in getattr(thing, "__dict__", ()))


def is_hooked(layer: Any) -> bool:
    """Whether a method of a layer was replaced on the object, or of the activation within it."""
    return has_own_methods(layer) or has_own_methods(vars(layer).get("_activation"))


def predicts_as_made(layer: Any) -> bool:
    """Whether a layer's forward pass is that of its class: asked for every prediction, so it looks for three names."""
    own = vars(layer)
    within = vars(own.get("_activation") or layer)
    return not ("forward" in own or "apply" in within or "apply_frugally" in within)


def overrides(thing: Any, base: type, *methods: str) -> bool:
    """Whether one of these methods is not that of the base, or any was replaced on the object."""
    return any(getattr(type(thing), name) is not getattr(base, name) for name in methods) or has_own_methods(thing)


def is_of_package(thing: Any, *methods: str) -> bool:
    """Whether the package's own classes define these methods of an object; without names, its whole class."""
    cls = type(thing)
    owners = [next(one for one in cls.__mro__ if name in vars(one)) for name in methods] or [cls]
    return all(one.__module__.startswith(PACKAGE) for one in owners) and not has_own_methods(thing)
