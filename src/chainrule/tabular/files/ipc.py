"""Compare the claimed sizes in an Arrow file with its length before Arrow allocates memory.

Arrow allocates as many bytes as the prefix of a compressed buffer claims. This file adds up the prefixes first: the
metadata of a message is a FlatBuffer, of which only the path to these numbers is read.
"""

from __future__ import annotations

import struct
from typing import Any

from ..._support.checks import require
from .sources import WHO, Source

_RATIO, _SPARE = 50, 1 << 30  # maximum bytes in memory per byte of the file
MAGIC, _BEFORE = b"ARROW1", 8  # the first bytes of a file, and the offset of its first message
_KIND, _HEADER, _DICTIONARY = 1, 2, 2  # fields of a message, and the kind of a dictionary message
_DATA, _BUFFERS, _COMPRESSION = 1, 2, 3  # fields of a dictionary and of a batch


def check_buffers(source: Source, content: bytes) -> None:
    """Raise a ValueError if the compressed buffers of an Arrow file or stream claim to be much larger than the file."""
    arrow, ipc = require("pyarrow", "tabular", WHO), require("pyarrow.ipc", "tabular", WHO)
    start = _BEFORE if content.startswith(MAGIC) else 0
    most, claimed = max(_SPARE, _RATIO * len(content)), 0
    for message in ipc.MessageReader.open_stream(arrow.py_buffer(content).slice(start)):
        if message.type in ("record batch", "dictionary"):
            claimed += _claimed(source, message)
        if claimed > most:
            got = f"{claimed:,} bytes in {len(content):,}"
            source.refuse("a size that can be read of", got, "write it uncompressed")


def _claimed(source: Source, message: Any) -> int:
    """Return the uncompressed size of the buffers of a message."""
    metadata, body = message.metadata.to_pybytes(), message.body
    total = 0
    try:
        root = _Table(metadata, struct.unpack_from("<I", metadata)[0])
        batch = root.table(_HEADER)
        if batch is not None and root.byte(_KIND) == _DICTIONARY:
            batch = batch.table(_DATA)
        if batch is None or batch.field(_COMPRESSION) is None:
            return 0
        for offset, length in batch.pairs(_BUFFERS):
            if length >= 8:
                (size,) = struct.unpack("<q", body.slice(offset, 8).to_pybytes())
                total += length if size < 0 else size
    except (struct.error, IndexError, ValueError):
        source.refuse("a whole Arrow file in", "a damaged message", "copy or save it again")
    return total


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
