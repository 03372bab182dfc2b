"""Whose code an object runs: a compiled kernel may stand in only for the equations that it was written for."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

PACKAGE = __name__.partition(".")[0] + "."


def states(thing: Any, name: str, equations: tuple[str, ...]) -> bool:
    """Whether the class that last changed one of these equations also states ``name`` in its own body.

    This is how everything finds its compiled twin: what a class says of itself (its ``kernel``, its ``program``) holds
    for the equations beside it. A subclass that changes them and says nothing has none, and neither has an object on
    which a method was replaced.
    """
    methods = _methods_beside(thing.__class__, name, equations)
    return methods is not None and methods.isdisjoint(thing.__dict__)


@lru_cache(maxsize=256)
def _methods_beside(cls: type, name: str, equations: tuple[str, ...]) -> frozenset[str] | None:
    """The methods of a class that states ``name``, and None of another."""
    bodies = (vars(one) for one in cls.__mro__)
    stated = next((name in body for body in bodies if not body.keys().isdisjoint((name, *equations))), False)
    return _methods(cls) if stated else None


def has_own_methods(thing: Any) -> bool:
    """Whether a method was replaced on the object itself, as hooks do."""
    return not _methods(thing.__class__).isdisjoint(getattr(thing, "__dict__", ()))


@lru_cache(maxsize=256)
def _methods(cls: type) -> frozenset[str]:
    return frozenset(name for name in dir(cls) if inspect.isroutine(getattr(cls, name, None)))


def overrides(thing: Any, base: type, *methods: str) -> bool:
    """Whether one of these methods is not that of the base, or any was replaced on the object."""
    return any(getattr(type(thing), name) is not getattr(base, name) for name in methods) or has_own_methods(thing)


def is_of_package(thing: Any, *methods: str) -> bool:
    """Whether the package's own classes define these methods of an object; without names, its whole class."""
    cls = type(thing)
    owners = [next(one for one in cls.__mro__ if name in vars(one)) for name in methods] or [cls]
    return all(one.__module__.startswith(PACKAGE) for one in owners) and not has_own_methods(thing)
