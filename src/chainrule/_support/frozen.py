"""Objects that are their parameters: equal where these are equal, never changed, written as the call that made them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, fields
from inspect import get_annotations
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")


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
