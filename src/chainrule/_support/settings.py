"""What an object is set to: an attribute is checked wherever it is assigned, in the constructor and after it.

A class lists its checks, attribute -> check, and its ``__setattr__`` asks :func:`checked` first. So what a constructor
refuses an assignment refuses, in the same words, and the object keeps its former value. Objects that are their
parameters are :func:`frozen`: equal where these are equal, never changed, written as the call that made them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import FrozenInstanceError, dataclass, fields
from functools import partial
from inspect import get_annotations
from typing import Any, TypeAlias, TypeVar, cast, dataclass_transform

from .checks import check_number, nearest, sentence

T = TypeVar("T")

#: (who, name, value) -> the value as it is kept.
Check: TypeAlias = Callable[[str, str, Any], Any]
Checks: TypeAlias = Mapping[str, Check]

AT_LEAST_ZERO: Check = partial(check_number, minimum=0)
ABOVE_ZERO: Check = partial(check_number, above=0)
FRACTION: Check = partial(check_number, minimum=0, below=1)


def optional(check: Check) -> Check:
    """The check of a value that may be None."""
    return lambda who, name, value: None if value is None else check(who, name, value)


def checked(owner: Any, checks: Checks, name: str, value: Any) -> Any:
    """The value as ``owner`` keeps it under this name."""
    check = checks.get(name)
    return value if check is None else check(type(owner).__name__, name, value)


def checking(**checks: Check) -> Callable[[type[T]], type[T]]:
    """A dataclass, frozen or not, whose fields are checked when it is made and kept as the checks return them.

    A ``__post_init__`` of its own comes after.
    """

    def decorate(cls: type[T]) -> type[T]:
        then = vars(cls).get("__post_init__")

        def check_fields(self: Any) -> None:
            for name, check in checks.items():
                object.__setattr__(self, name, check(type(self).__name__, name, getattr(self, name)))
            if then is not None:
                then(self)

        cls.__post_init__ = check_fields  # type: ignore[attr-defined]
        return cls

    return decorate


def is_unknown(owner: Any, name: str) -> bool:
    """Whether an object of our own classes has no use for a public attribute; derived classes have some of theirs."""
    cls = type(owner)
    return not name.startswith("_") and not hasattr(cls, name) and cls.__module__.startswith("chainrule.")


def refuse_unknown(owner: Any, name: str, known: Iterable[str]) -> None:
    """The error for an attribute that would be kept and never read."""
    names = sorted(known)
    got, remedy = repr(name) + nearest(name, names), f"known are {', '.join(names)}" if names else ""
    raise AttributeError(sentence(type(owner).__name__, "the name of an attribute that it has", got, remedy))


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """The class as ``@dataclass(frozen=True)`` makes it; a ``__repr__`` that it defines or inherits stays.

    dataclasses compiles the methods of each class separately: for our thirty, a tenth of ``import numpy``.
    Here it compiles ``__init__`` alone; the others are written out once.
    """
    own = bool(get_annotations(cls))  # else the inherited __init__ does
    made = cast(Any, dataclass(eq=False, repr=False, match_args=own, init=own)(cls))
    made.__dataclass_params__.frozen = True  # what is derived from it must be frozen too
    names = {field.name for field in fields(made)}

    def refuse_change(self: Any, name: str, value: Any = None) -> None:
        """``__init__`` sets each field once; names that are no fields are for derived classes."""
        if name in self.__dict__ if name in names else type(self) is cls:
            raise FrozenInstanceError(f"{cls.__name__} cannot be changed: make a new one with another {name}")
        object.__setattr__(self, name, value)

    made.__setattr__, made.__delattr__ = refuse_change, refuse_change
    made.__eq__, made.__hash__ = _equal, _hash
    if made.__repr__ is object.__repr__:
        made.__repr__ = _repr
    return cast("type[T]", made)


def _values(self: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(self, field.name)) for field in fields(self)]


def _equal(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(_values(self)))


def _repr(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in _values(self))})"
