"""Whose code an object runs: a compiled kernel may stand in only for what this package itself wrote."""

from __future__ import annotations

from typing import Any

PACKAGE = __name__.partition(".")[0] + "."


def has_own_methods(thing: Any) -> bool:
    """Whether a method was replaced on the object itself, as hooks do."""
    cls = type(thing)
    return any(callable(getattr(cls, name, None)) for name in getattr(thing, "__dict__", ()))


def states(thing: Any, name: str, *equations: str) -> bool:
    """Whether the class that last changed one of these equations also states ``name`` in its own body.

    This is how everything finds its compiled twin: what a class says of itself (its ``kernel``, its ``program``) holds
    for the equations beside it. A subclass that changes them, and says nothing, has none.
    """
    for cls in type(thing).__mro__:
        own = vars(cls)
        if name in own:
            return True
        if any(equation in own for equation in equations):
            return False
    return False


def overrides(thing: Any, base: type, *methods: str) -> bool:
    """Whether one of these methods is not that of the base, or any was replaced on the object."""
    return any(getattr(type(thing), name) is not getattr(base, name) for name in methods) or has_own_methods(thing)


def is_of_package(thing: Any, *methods: str) -> bool:
    """Whether the package's own classes define these methods of an object; without names, its whole class."""
    cls = type(thing)
    owners = [next(one for one in cls.__mro__ if name in vars(one)) for name in methods] or [cls]
    return all(one.__module__.startswith(PACKAGE) for one in owners) and not has_own_methods(thing)
