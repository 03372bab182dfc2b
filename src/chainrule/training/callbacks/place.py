"""A separate place for each run that writes files: copies write beside the original, and one run at a time writes."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from ..._support.checks import sentence
from ..._support.files import as_path
from ..._support.locks import LockFile
from .base import Callback


class WritesFiles(Callback):
    """A callback that writes to a folder or a file.

    A copy, which ``sklearn.base.clone`` makes for each fit of a search, must not write to the original's place. It
    takes a new place beside it when training begins.
    """

    writes = True
    place_name = "folder"  # name of the attribute
    _copied = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._given = as_path(type(self).__name__, path)
        self._lock: LockFile | None = None
        setattr(self, self.place_name, self._given)

    def own_place(self) -> Path:
        if self._copied:
            setattr(self, self.place_name, self._beside(self._given, secrets.token_hex(4)))
            self._copied = False
        place: Path = getattr(self, self.place_name)
        return place

    def _beside(self, given: Path, token: str) -> Path:
        return given / f"copy-{token}"

    def lock(self, path: Path) -> None:
        """Reserve the place for this run with a lock file of this name."""
        self._lock = LockFile(path)
        if not self._lock.acquire():
            self._lock = None
            who, place = type(self).__name__, getattr(self, self.place_name)
            remedy = f"choose another {self.place_name} for this run, or wait for the other to end"
            raise ValueError(sentence(who, f"{place} to be written to by one run at a time", "two", remedy))

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._copied = True
