"""Whose code an object runs: a compiled kernel may stand in only for the equations that it was written for.

Users override methods in a subclass; or replace them on an object, as hooks do, or on a class, as tracers do. What is
replaced on a class counts from the next training, or prediction, on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

PACKAGE = __name__.partition(".")[0] + "."

#: For each class what reads the methods that kernels stand in for, and the methods that it was made with.
_as_made: dict[type, tuple[Callable[[type], Any], dict[str, Any]]] = {}


def states(thing: Any, name: str, equations: tuple[str, ...]) -> bool:
    """Whether the class that last changed one of these equations also states ``name`` in its own body.

    This is how everything finds its compiled twin: what a class says of itself (its ``kernel``, its ``program``) holds
    for the equations beside it. A subclass that changes them and says nothing has none, and neither has an object if a
    method was replaced on it or on its class.
    """
    cls = thing.__class__
    return is_as_made(cls) and _class_states(cls, name, equations) and _methods(cls).isdisjoint(thing.__dict__)


@lru_cache(maxsize=256)
def _class_states(cls: type, name: str, equations: tuple[str, ...]) -> bool:
    bodies = (vars(one) for one in cls.__mro__)
    return next((name in body for body in bodies if not body.keys().isdisjoint((name, *equations))), False)


@lru_cache(maxsize=256)
def _methods(cls: type) -> frozenset[str]:
    return frozenset(name for name in dir(cls) if inspect.isroutine(getattr(cls, name, None)))


def note_methods(cls: type, *names: str) -> None:
    """To be called when a class is made: kernels stand in for these methods of its objects."""
    parent = next((_as_made[base][1] for base in cls.__mro__[1:] if base in _as_made), {})
    made = {name: getattr(cls, name) for name in names if hasattr(cls, name)}
    made |= {name: method for name, method in parent.items() if name not in vars(cls)}
    _as_made[cls] = attrgetter(*made), made


def is_as_made(cls: type) -> bool:
    """Whether no method was replaced on the class, or on one that it is derived from."""
    read, made = _as_made.get(cls, (None, {}))
    return read is None or read(cls) == tuple(made.values())


def has_own_methods(thing: Any) -> bool:
    """Whether a method was replaced on the object itself, or on its class."""
    cls = thing.__class__
    return not (_methods(cls).isdisjoint(getattr(thing, "__dict__", ())) and is_as_made(cls))


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
