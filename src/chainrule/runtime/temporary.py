"""A change to the process that ends with its ``with`` block, even if an exception comes at any instruction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

Self = TypeVar("Self", bound="Temporary")
ATTEMPTS = 10  # to end: each fails only if another asynchronous exception arrives


class Temporary(ABC):
    """A context manager whose :meth:`end` always runs, even if Ctrl-C raises at any instruction.

    A generator under ``contextmanager`` does not guarantee that: an exception between the change and its ``try``, or in
    its ``finally``, leaves the change in place. Here, a ``begin`` that fails is ended, an ``end`` that fails runs
    again, and an object that gets lost is ended when it is deleted.
    """

    _begun = False

    @abstractmethod
    def begin(self) -> None:
        """Make the change; before each part of it, record what :meth:`end` needs."""

    @abstractmethod
    def end(self) -> None:
        """Undo the change: after all or a part of ``begin``, after a part of ``end``, or a second time."""

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
            except BaseException as error:  # from a signal handler; raised again when everything is undone
                raised = error
        if raised is not None:
            raise raised


class _Ended(ABC):  # noqa: B024  the base gives it the layout of the others
    """A temporary change that has ended."""
