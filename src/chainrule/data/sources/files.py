"""Files that are read in parts: whatever a library says of them becomes one sentence, and none changes meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..._support.checks import sentence
from ..._support.files import MAX_RATIO

AGAIN = "write the file again"
KEEP = "keep the file as it is while it is read"
SPARE = 1 << 30  # bytes that may be unpacked of any file: constant columns are tiny in it


@contextmanager
def reading(what: object, remedy: str = AGAIN) -> Iterator[None]:
    """Reword any error of a library; those of the system and of memory keep their type."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        said = str(error)
        if said.startswith("stream expects "):
            raise
        if isinstance(error, FileNotFoundError):
            said, remedy = "no such file", ""
        elif isinstance(error, OSError):
            said = error.strerror or said
        said = (said or type(error).__name__).split("\n")[0]
        raise _reworded(error, sentence("stream", f"to read {what}", said, remedy)) from None


def _reworded(error: Exception, words: str) -> Exception:
    if isinstance(error, OSError):
        kind = type(error) if type(error).__module__ == "builtins" else OSError  # others may want more than a text
        told = kind(words)
        told.errno = error.errno
        return told
    return MemoryError(words) if isinstance(error, MemoryError) else ValueError(words)


class Stamp(NamedTuple):
    """What changes if a file does."""

    size: int
    time: int

    @classmethod
    def of(cls, file: Path | int) -> Stamp:
        """Return that of a path or an open file."""
        found = os.stat(file)
        return cls(found.st_size, found.st_mtime_ns)

    def check(self, file: Path | int, *, may_be_written: bool = False) -> None:
        """Raise if the file has changed, or only if it is shorter: a map of it would end the process."""
        now = Stamp.of(file)
        if now.size < self.size:
            raise OSError(f"a file that shrank from {self.size} to {now.size} bytes")
        if now != self and not may_be_written:
            raise OSError("a file that has changed since it was opened")


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether a file of ``packed`` bytes claims to hold too much for memory."""
    return unpacked > max(SPARE, MAX_RATIO * packed)
