"""A place of its own for each run that writes files: copies go beside the original, and one run at a time goes in."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..._support.checks import sentence
from .base import Callback


class WritesFiles(Callback):
    """A callback that writes to a folder or a file, and what of it is copied and pickled.

    A copy, as ``sklearn.base.clone`` makes one for each fit of a search, must not write to the place of the original,
    whether or not they happen to train at the same time. It takes a new one beside it when training begins.
    """

    place_name = "folder"  # of the attribute
    _copied = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._given = Path(path)
        self._lock: Lock | None = None
        setattr(self, self.place_name, self._given)

    def own_place(self) -> Path:
        """The path to write to; for a copy, a new one."""
        if self._copied:
            setattr(self, self.place_name, self._beside(self._given, secrets.token_hex(4)))
            self._copied = False
        place: Path = getattr(self, self.place_name)
        return place

    def _beside(self, given: Path, token: str) -> Path:
        return given / f"copy-{token}"

    def lock(self, path: Path) -> None:
        """Keep the place for this run, by a file of this name."""
        self._lock = Lock(path)
        if not self._lock.acquire():
            self._lock = None
            who, place = type(self).__name__, getattr(self, self.place_name)
            remedy = f"choose another {self.place_name} for this run, or wait for the end of the other"
            raise ValueError(sentence(who, f"{place} to be written to by one run at a time", "two", remedy))

    def unlock(self) -> None:
        """Leave the place to others."""
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._copied = True


class Lock:
    """A file that one run holds at a time. The system lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def acquire(self) -> bool:
        """Whether nobody else holds it."""
        while True:
            file = self.path.open("ab")
            if not _locked(file):
                file.close()
                return False
            with suppress(OSError):
                if os.path.samestat(os.fstat(file.fileno()), self.path.stat()):
                    self._file = file
                    return True
            file.close()  # the one before removed it in between

    def release(self) -> None:
        """Remove it."""
        if self._file is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            _unlock(self._file)
            self._file.close()
            self._file = None


def _locked(file: BinaryIO) -> bool:
    """Lock the file, or False where it is locked; where a file system knows no locks, it counts as locked by us."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _unlock(file: BinaryIO) -> None:
    """Also for processes that were forked meanwhile, and hold the file open."""
    if os.name != "nt":
        import fcntl

        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
