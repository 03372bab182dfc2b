"""Files that are read in parts: one sentence for any error, and none changes meanwhile."""

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


# Arrow allocates as many bytes as a compressed buffer claims, so these are added up first.

MAGIC, _BEFORE = b"ARROW1", 8  # of a file, and where its messages begin
_KIND, _HEADER, _DICTIONARY = 1, 2, 2  # fields of a message, and a kind
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
                rows, unpacked = _claims(message.metadata.to_pybytes(), message.body)
            except (struct.error, IndexError, ValueError):
                raise OSError("a damaged message") from None
            claimed += unpacked
            lengths += [rows] * (message.type == "record batch")
        if is_bomb(claimed, size):
            raise ValueError(f"{claimed:,} bytes in {size:,}")
    return lengths


def _claims(content: bytes, body: Any) -> tuple[int, int]:
    """Return the rows of a message, a FlatBuffer, and the size of its compressed buffers when they are unpacked."""

    def number(kind: str, at: int) -> int:
        return int(struct.unpack_from(f"<{kind}", content, at)[0])

    def field(table: int, place: int) -> int:
        """Return the offset of a field of a table; 0 if it is absent."""
        fields, offset = table - number("i", table), 4 + 2 * place
        found = number("H", fields + offset) if offset < number("H", fields) else 0
        return found and table + found

    def follow(at: int) -> int:
        return at and at + number("I", at)

    root = number("I", 0)
    batch, kind = follow(field(root, _HEADER)), field(root, _KIND)
    if batch and kind and content[kind] == _DICTIONARY:
        batch = follow(field(batch, _DATA))
    if not batch:
        return 0, 0
    length, buffers, unpacked = field(batch, _LENGTH), follow(field(batch, _BUFFERS)), 0
    if buffers and field(batch, _COMPRESSION):
        for place in range(number("I", buffers)):
            offset, size = struct.unpack_from("<qq", content, buffers + 4 + 16 * place)
            if size >= 8:
                (claimed,) = struct.unpack("<q", body.slice(offset, 8).to_pybytes())
                unpacked += size if claimed < 0 else claimed
    return length and number("q", length), unpacked
