"""One fit at a time: what a fit changes, no other may use meanwhile."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from .._support.checks import sentence

_HOLDERS: dict[int, tuple[Claim, int]] = {}  # by the id of an object: who holds it, and in which process


class Claim:
    """Holds objects for one fit, until the end of the block; refuses those that another fit holds."""

    def __init__(self, *objects: Any) -> None:
        self._held: list[Any] = []
        self.add(*objects)

    def add(self, *objects: Any) -> None:
        """Hold these, too."""
        for thing in objects:
            mine = self, os.getpid()
            holder = _HOLDERS.setdefault(id(thing), mine)  # in one step, whatever other threads do
            if holder[1] != os.getpid():  # that of a parent, from which this process was forked
                holder = _HOLDERS[id(thing)] = mine
            if holder[0] is not self:
                self._release()
                got = f"a {type(thing).__name__} that another fit is using"
                remedy = "wait for its end, or train a copy.deepcopy of the Trainer"
                raise ValueError(sentence("fit", "a trainer, model and optimizer of its own", got, remedy))
            if holder is mine:
                self._held.append(thing)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._release()

    def _release(self) -> None:
        for thing in self._held:
            _HOLDERS.pop(id(thing), None)
        self._held = []
