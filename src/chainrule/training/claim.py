"""One fit at a time: no other fit may use what a fit is changing."""

from __future__ import annotations

import os
import weakref
from typing import Any

from .._support.checks import sentence

_HOLDERS: dict[int, weakref.ref[Claim]] = {}  # by the id of an object; an aborted fit holds nothing


class Claim:
    """Holds objects for one fit until the end of the block; rejects objects that another fit holds.

    Parameters
    ----------
    who : str
        The call that errors name.
    expected : str
        What must not be shared, for errors.
    whole : str
        What to copy for another fit, for errors.
    """

    def __init__(
        self, who: str, expected: str = "a trainer, model and optimizer of its own", whole: str = "Trainer"
    ) -> None:
        self._who, self._expected, self._whole = who, expected, whole
        self._held: list[Any] = []  # a reference, so no other object gets their ids
        self._process = os.getpid()

    def add(self, *objects: Any) -> None:
        """Hold these objects."""
        mine = weakref.ref(self)
        for thing in objects:
            if _HOLDERS.get(id(thing)) is mine:
                continue
            self._held.append(thing)
            holder = _HOLDERS.setdefault(id(thing), mine)()  # atomic
            if holder is None or holder._process != os.getpid():  # a parent process's, before a fork
                _HOLDERS[id(thing)], holder = mine, self
            if holder is not self:
                got = f"a {type(thing).__name__} that another fit is using"
                remedy = f"wait for it to end, or train a copy.deepcopy of the {self._whole}"
                raise ValueError(sentence(self._who, self._expected, got, remedy))

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *error: object) -> None:
        for thing in self._held:
            if (holder := _HOLDERS.get(id(thing))) is not None and holder() is self:
                del _HOLDERS[id(thing)]
        self._held = []
