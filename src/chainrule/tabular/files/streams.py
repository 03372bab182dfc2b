"""Chunks of bytes as a stream that Arrow and Python's csv read, changed on their way where the file needs it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .sources import Source

MOST_ROW = 64 << 20  # bytes of one row
_BREAK = re.compile(rb"\r\n|\n|\r(?!\n|\Z)")
_ZERO, _NINE, _QUOTE, _BREAK_END = b'09"\n'
Bytes: TypeAlias = "np.ndarray[tuple[Any, ...], np.dtype[np.uint8]]"


class Stream(io.RawIOBase):
    """What a generator of chunks yields, as a file; an error that the generator raises reaches whoever reads."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """As files say."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, or as much of it as there is."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def without_lines(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The chunks without the first ``count`` lines, which are not long."""
    chunks, head = iter(chunks), b""
    while count and (chunk := next(chunks, b"")):
        head += chunk
        while count and (found := _BREAK.search(head)):
            head, count = head[found.end() :], count - 1
    if head:
        yield head
    yield from chunks


def one_blank(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines with one blank between words, where there are blanks and tabs."""
    rest = b""
    for chunk in chunks:
        block, found, tail = (rest + chunk).rpartition(b"\n")
        rest = tail
        if found:
            yield b"\n".join(b" ".join(line.split()) for line in block.splitlines()) + b"\n"
    yield b" ".join(rest.split())


@dataclass
class Seen:
    """What was seen in the bytes while they were read.

    ``codes`` are cells that begin with a zero and more digits, as ``007`` does, of which an integer would lose the
    zeros; they are looked for only if there are integers.
    """

    integers: bool
    codes: bool = False
    quotes: bool = False


def watched(chunks: Iterable[bytes], delimiter: str, seen: Seen) -> Iterator[bytes]:
    """The same chunks, looked at while they pass."""
    end = b"\n"
    for chunk in chunks:
        seen.quotes = seen.quotes or b'"' in chunk
        if seen.integers and not seen.codes:
            seen.codes = _has_code(np.frombuffer(end + chunk, np.uint8), ord(delimiter))
        end = chunk[-2:]
        yield chunk


def _has_code(text: Bytes, delimiter: int) -> bool:
    before, zeros = text[:-2], text[1:-1] == _ZERO
    begins = (before == delimiter) | (before == _BREAK_END)
    if (before == _QUOTE).any():
        begins |= before == _QUOTE
    after = text[np.flatnonzero(begins & zeros) + 2]
    return bool(((after >= _ZERO) & (after <= _NINE)).any())


def lines_of(source: Source, chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of UTF-8 text with their ends; one that is too long is refused before it is in memory."""
    text = io.TextIOWrapper(io.BufferedReader(Stream(chunks), 1 << 20), encoding="utf-8", newline="")
    while line := text.readline(MOST_ROW):
        if len(line) == MOST_ROW and line[-1] not in "\r\n":
            refuse_long(source)
        yield line


def refuse_long(source: Source) -> None:
    """Raise the error for a row that is too long."""
    remedy = "check its line ends, and close its quotation marks"
    source.refuse(f"rows of at most {MOST_ROW:,} bytes in", "a longer one", remedy)
