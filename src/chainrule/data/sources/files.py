"""Files that are read in parts: whatever a library says of them becomes one sentence, and none changes meanwhile."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..._support.checks import require, sentence
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
    """What changes if a file does; ``of`` and ``check`` take a path or an open file."""

    size: int
    time: int

    @classmethod
    def of(cls, file: Path | int) -> Stamp:
        found = os.stat(file)
        return cls(found.st_size, found.st_mtime_ns)

    def check(self, file: Path | int, *, may_be_written: bool = False) -> None:
        now = Stamp.of(file)
        if now.size < self.size:
            raise OSError(f"a file that shrank from {self.size} to {now.size} bytes")
        if now != self and not may_be_written:
            raise OSError("a file that has changed since it was opened")


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether a file of ``packed`` bytes claims to hold too much for memory."""
    return unpacked > max(SPARE, MAX_RATIO * packed)


# --- Arrow allocates as many bytes as the prefix of a compressed buffer claims, so these are added up first ---------

MAGIC, _BEFORE = b"ARROW1", 8  # the first bytes of a file, and the offset of its first message
_KIND, _HEADER, _DICTIONARY = 1, 2, 2  # fields of a message, and the kind of a dictionary message
_DATA, _LENGTH, _BUFFERS, _COMPRESSION = 1, 0, 2, 3  # fields of a dictionary, and of a batch


def rows_of_batches(stream: BinaryIO) -> list[int]:
    """Return the rows of each batch of an Arrow file or stream; raise if it is damaged or claims too many bytes."""
    ipc = require("pyarrow.ipc", "tabular", "stream")
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    stream.seek(_BEFORE if stream.read(len(MAGIC)) == MAGIC else 0)
    lengths, claimed = [], 0
    for message in ipc.MessageReader.open_stream(stream):
        if message.type in ("record batch", "dictionary"):
            try:
                rows, bytes_of_batch = _claims(message)
            except (struct.error, IndexError, ValueError):
                raise OSError("a damaged message") from None
            claimed += bytes_of_batch
            lengths += [rows] * (message.type == "record batch")
        if is_bomb(claimed, size):
            raise ValueError(f"{claimed:,} bytes in {size:,}")
    return lengths


def _claims(message: Any) -> tuple[int, int]:
    """Return the rows of a message, and the size of its compressed buffers when they are unpacked."""
    metadata, body = message.metadata.to_pybytes(), message.body
    root = _Table(metadata, struct.unpack_from("<I", metadata)[0])
    batch = root.table(_HEADER)
    if batch is not None and root.byte(_KIND) == _DICTIONARY:
        batch = batch.table(_DATA)
    if batch is None:
        return 0, 0
    return batch.integer(_LENGTH), 0 if batch.field(_COMPRESSION) is None else sum(_sizes(batch, body))


def _sizes(batch: _Table, body: Any) -> Iterator[int]:
    for offset, length in batch.pairs(_BUFFERS):
        if length >= 8:
            (size,) = struct.unpack("<q", body.slice(offset, 8).to_pybytes())
            yield length if size < 0 else size


class _Table:
    """A table of a FlatBuffer: fields by number."""

    def __init__(self, content: bytes, at: int) -> None:
        self.content, self.at = content, at
        self._fields = at - struct.unpack_from("<i", content, at)[0]

    def field(self, number: int) -> int | None:
        """Return the offset of a field; None if it is absent."""
        size, offset = struct.unpack_from("<H", self.content, self._fields)[0], 4 + 2 * number
        found = struct.unpack_from("<H", self.content, self._fields + offset)[0] if offset < size else 0
        return self.at + found if found else None

    def byte(self, number: int) -> int:
        at = self.field(number)
        return 0 if at is None else self.content[at]

    def integer(self, number: int) -> int:
        """Read an integer of 64 bits."""
        at = self.field(number)
        return 0 if at is None else int(struct.unpack_from("<q", self.content, at)[0])

    def _follow(self, number: int) -> int | None:
        at = self.field(number)
        return None if at is None else at + int(struct.unpack_from("<I", self.content, at)[0])

    def table(self, number: int) -> _Table | None:
        at = self._follow(number)
        return None if at is None else _Table(self.content, at)

    def pairs(self, number: int) -> list[tuple[int, int]]:
        """Read a vector of pairs of 64-bit integers."""
        at = self._follow(number)
        if at is None:
            return []
        (count,) = struct.unpack_from("<I", self.content, at)
        return [struct.unpack_from("<qq", self.content, at + 4 + 16 * place) for place in range(count)]
