"""A change to the process that lasts no longer than its ``with`` block, whatever is raised and wherever."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

Self = TypeVar("Self", bound="Temporary")
ATTEMPTS = 10  # to end: each fails only if yet another exception comes from outside


class Temporary(ABC):
    """A context manager whose :meth:`end` runs for certain: an exception may come at any instruction, as Ctrl-C does.

    A generator under ``contextmanager`` does not promise that: what is raised between the change and its ``try``, or in
    its ``finally``, leaves the change in place. Here a ``begin`` that fails is ended, an ``end`` that fails runs again,
    and an object that was lost on the way is ended when it is deleted.
    """

    _begun = False

    @abstractmethod
    def begin(self) -> None:
        """Make the change; note what :meth:`end` needs before each part of it."""

    @abstractmethod
    def end(self) -> None:
        """Undo what there is to undo: after all of ``begin`` or a part, after a part of ``end``, or a second time."""

    def __enter__(self: Self) -> Self:
        self._begun = True
        try:
            self.begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._end()

    def __del__(self) -> None:
        if self._begun:
            self._end()

    def _end(self) -> None:
        raised: BaseException | None = None
        for _ in range(ATTEMPTS):
            try:
                self.end()
                self.__class__ = _Ended  # type: ignore[assignment]  # without __del__, which would swallow Ctrl-C
                break
            except BaseException as error:  # of a signal's handler; it is passed on once all is undone
                raised = error
        if raised is not None:
            raise raised


class _Ended(ABC):  # noqa: B024  the base gives it the layout of the others
    """What was temporary, and is over."""
