"""One run at a time: locks that the system lets go of when a process ends, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .checks import sentence


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a file or a folder until the end of the block; whether nobody else holds it. Nothing is written for it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        yield True
        return
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(who: str, folder: Path, remedy: str = "choose another folder") -> Iterator[None]:
    """Raise if another run writes into the folder; until the end no other one can begin."""
    with locked(folder) as is_free:
        if not is_free:
            expected = f"a folder that no other run writes to at this moment, {folder}"
            raise ValueError(sentence(who, expected, "one that is in use", remedy))
        yield


class LockFile:
    """A file that one run holds at a time, for a place that is replaced while the run lasts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def acquire(self) -> bool:
        """Whether nobody else holds it."""
        while True:
            file = self.path.open("ab")
            if not _lock(file.fileno()):
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
            _unlock(self._file.fileno())
            self._file.close()
            self._file = None


def _lock(descriptor: int) -> bool:
    """Whether nobody else holds it; where a file system knows no locks, nobody does."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _unlock(descriptor: int) -> None:
    """Also for processes that were forked meanwhile, and hold the file open."""
    if os.name != "nt":
        import fcntl

        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
