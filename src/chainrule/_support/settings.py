"""What an object is set to: an attribute is checked wherever it is assigned, in the constructor and after it.

A class lists its checks, attribute -> check, and its ``__setattr__`` asks :func:`checked` first. So what a constructor
refuses an assignment refuses, in the same words, and the object keeps its former value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias, TypeVar

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
