"""What may be asked for by its name: a loss, an optimizer, a metric, an initializer, an activation."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeVar

from .checks import called_elsewhere, check_name, sentence

T = TypeVar("T")
NONE: Mapping[str, str] = MappingProxyType({})


class Registry(Mapping[str, T]):
    """All things of one kind, by name.

    Parameters
    ----------
    kind : str
        What one of them is, with its article: "a loss".
    things : mapping of name to class, function or prototype
        A class is called for a new object, all else is copied.
    accepts : callable
        Whether an object may stand for itself.
    expected : str
        What is accepted, as an error says it.
    remedy : str
        What an error says to do.
    elsewhere : mapping of name to name
        What other libraries call ours, for suggestions: these are no second names.
    """

    def __init__(
        self,
        kind: str,
        things: Mapping[str, Any],
        accepts: Callable[[Any], bool],
        expected: str,
        remedy: str = "",
        elsewhere: Mapping[str, str] = NONE,
    ) -> None:
        self._kind, self._things, self._accepts, self._expected, self._remedy = kind, things, accepts, expected, remedy
        called_elsewhere(elsewhere)
        classes = {theirs: things[ours] for theirs, ours in elsewhere.items()}
        called_elsewhere({theirs: cls.__name__ for theirs, cls in classes.items() if isinstance(cls, type)})

    def __getitem__(self, name: str) -> T:
        thing: T = self._things[name]
        return thing

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def resolve(self, value: Any, who: str = "") -> Any:
        """A new object of this name, with its default parameters; an object as it is.

        Parameters
        ----------
        value : str or object
            The name of one of the registry's own, or an object that it accepts.
        who : str, optional
            Whom an error speaks for.

        Raises
        ------
        ValueError
            If the name is unknown; the nearest is suggested.
        TypeError
            If it is neither a name nor an object of this kind; a class is none yet.

        Examples
        --------
        >>> import chainrule as cr
        >>> cr.losses.get_loss("huber")
        Huber()
        >>> cr.optimizers.get_optimizer(cr.Adam(0.1))
        Adam(learning_rate=0.1)
        """
        who = who or f"get_{self._kind.split()[-1]}"
        if isinstance(value, str):
            if value not in self._things:
                check_name(who, self._kind, value, self)
            thing: Any = self[value]
            return thing() if isinstance(thing, type) else copy.copy(thing)
        if isinstance(value, type):
            got, remedy = f"the class {value.__name__}", f"write {value.__name__}()"
            raise TypeError(sentence(who, f"{self._kind} object", got, remedy))
        if not self._accepts(value):
            raise TypeError(sentence(who, self._expected, repr(value), self._remedy))
        return value


def concrete(namespace: Mapping[str, Any], base: type) -> dict[str, Any]:
    """The classes of a module that are derived from ``base`` and not abstract, by their names, sorted."""
    classes = {name: thing for name, thing in namespace.items() if isinstance(thing, type)}
    derived = sorted(name for name, cls in classes.items() if base in cls.__mro__[1:])
    return {name: classes[name] for name in derived if not inspect.isabstract(classes[name])}


def snake_case(name: str) -> str:
    """``GaussianNLL`` as ``gaussian_nll``."""
    return "".join(f"_{c}" if c.isupper() and before.islower() else c for before, c in pairwise(" " + name)).lower()
