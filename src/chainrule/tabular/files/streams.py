"""Turn chunks of bytes into a stream for Arrow and Python's csv, and transform or inspect them on the way."""

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
    """A file over a generator of chunks; errors of the generator reach the reader."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as possible."""
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
    """Skip the first ``count`` lines, which are short."""
    chunks, head = iter(chunks), b""
    while count and (chunk := next(chunks, b"")):
        head += chunk
        while count and (found := _BREAK.search(head)):
            head, count = head[found.end() :], count - 1
    if head:
        yield head
    yield from chunks


def one_blank(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Replace runs of blanks and tabs by one blank."""
    rest = b""
    for chunk in chunks:
        block, found, tail = (rest + chunk).rpartition(b"\n")
        rest = tail
        if found:
            yield b"\n".join(b" ".join(line.split()) for line in block.splitlines()) + b"\n"
    yield b" ".join(rest.split())


@dataclass
class Seen:
    """What was seen in the bytes while reading.

    ``codes`` are cells with leading zeros, such as ``007``, which an integer would lose; they are searched for only if
    there are columns of integers.
    """

    integers: bool
    codes: bool = False
    quotes: bool = False


def watched(chunks: Iterable[bytes], delimiter: str, seen: Seen) -> Iterator[bytes]:
    """Pass the chunks on, and inspect them."""
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
    """Yield lines of UTF-8 text with their ends; a line that is too long raises an error before it is in memory."""
    text = io.TextIOWrapper(io.BufferedReader(Stream(chunks), 1 << 20), encoding="utf-8", newline="")
    while line := text.readline(MOST_ROW):
        if len(line) == MOST_ROW and line[-1] not in "\r\n":
            refuse_long(source)
        yield line


def refuse_long(source: Source) -> None:
    """Raise the ValueError for a row that is too long."""
    remedy = "check its line ends, and close its quotation marks"
    source.refuse(f"rows of at most {MOST_ROW:,} bytes in", "a longer one", remedy)
