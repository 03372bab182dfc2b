"""Whose code an object runs: a compiled kernel may stand in only for what this package itself wrote.

Users override methods in a subclass; or replace them on an object, as hooks do, or on a class, as tracers do. What is
replaced on a class counts from the next training, or prediction, on.
"""

from __future__ import annotations

from typing import Any

PACKAGE = __name__.partition(".")[0] + "."

_as_made: dict[type, dict[str, Any]] = {}  # of each class the methods that kernels stand in for


def note_methods(cls: type, *names: str) -> None:
    """To be called when a class is made: kernels stand in for these methods of its objects."""
    parent: dict[str, Any] = next((_as_made[base] for base in cls.__mro__[1:] if base in _as_made), {})
    _as_made[cls] = {
        name: parent[name] if name in parent and name not in vars(cls) else getattr(cls, name, None) for name in names
    }


def is_as_made(cls: type) -> bool:
    """Whether no method was replaced on the class, or on one that it is derived from."""
    return all(getattr(cls, name, None) is method for name, method in _as_made.get(cls, {}).items())


def has_own_methods(thing: Any) -> bool:
    """Whether a method was replaced on the object itself, or on its class."""
    cls = type(thing)
    own = any(callable(getattr(cls, name, None)) for name in getattr(thing, "__dict__", ()))
    return own or not is_as_made(cls)


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
    """Whether one of these methods is not that of the base as it was made, or was replaced on the object."""
    cls = type(thing)
    return (
        any(getattr(cls, name) is not getattr(base, name) for name in methods)
        or has_own_methods(thing)
        or not is_as_made(base)
    )


def is_of_package(thing: Any, *methods: str) -> bool:
    """Whether the package's own classes define these methods of an object; without names, its whole class."""
    cls = type(thing)
    owners = [next(one for one in cls.__mro__ if name in vars(one)) for name in methods] or [cls]
    return all(one.__module__.startswith(PACKAGE) for one in owners) and not has_own_methods(thing)
