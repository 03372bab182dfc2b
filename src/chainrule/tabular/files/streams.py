"""Turn chunks of bytes in any encoding into checked UTF-8 streams for Arrow and Python's csv, inspected on the way."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..._support.checks import nearest
from .sources import Source, unpacked

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
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
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


# --- encodings ------------------------------------------------------------------------------------------------------

UTF8, LATIN1 = "utf-8", "cp1252"  # Windows-1252 is Latin-1 with a few more characters, as Excel writes it
SAID = {
    LATIN1: "read as Latin-1 (Windows-1252), because it is not UTF-8; if names look wrong, pass its encoding",
    "utf-16": "read as UTF-16",
    "utf-16-le": "read as UTF-16",
    "utf-16-be": "read as UTF-16",
    "utf-32": "read as UTF-32",
}
_MARKS = {
    codecs.BOM_UTF8: UTF8,
    codecs.BOM_UTF32_LE: "utf-32",  # which begins as UTF-16 does
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_KNOWN = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "iso8859-15", "shift_jis", "gb18030", "big5")
_BEYOND_ASCII = re.compile("[^\\x00-\\x7f]")
_UNUSED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # bytes that Windows-1252 does not have
_ANOTHER_SCRIPT = re.compile(rb"[\x80-\xff]{5,}")  # words of letters that are all above ASCII


class NotUtf8Error(ValueError):
    """The bytes are not UTF-8; holds the line of the first invalid byte."""

    def __init__(self, line: int, byte: int) -> None:
        super().__init__(f"byte 0x{byte:02x} on line {line}")


def find_encoding(source: Source, head: bytes, stated: str | None) -> str:
    """Return the encoding that the user states or the first bytes show; otherwise UTF-8."""
    if stated is not None:
        return _known(source, stated)
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    some = head[:4096]
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if some[start::2].count(0) > 0.4 * len(some) / 2 and not some[1 - start :: 2].count(0):
            return name
    return UTF8


def _known(source: Source, stated: str) -> str:
    try:
        if codecs.lookup(stated)._is_text_encoding:
            return UTF8 if codecs.lookup(stated).name == "utf-8" else stated
    except (LookupError, TypeError, ValueError):
        pass
    got = repr(stated) + (nearest(stated, _KNOWN) if isinstance(stated, str) else "")
    return source.refuse("the name of an encoding for", got, "some are " + ", ".join(_KNOWN))


def as_utf8(source: Source, chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Convert to UTF-8 in chunks, without a byte order mark; an invalid byte or a NUL raises an error.

    Raises
    ------
    NotUtf8Error
        If ``encoding`` is UTF-8, and the bytes are not.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line, is_first = 1, True
    for chunk in _and_end(chunks):
        text = _decoded(source, decoder, chunk, encoding, line)
        if is_first:
            text, is_first = text.removeprefix(codecs.BOM_UTF8), False
        if b"\0" in text:
            line += text.count(b"\n", 0, text.index(b"\0"))
            source.refuse("text in", f"a NUL character on line {line}", "save it as UTF-8, or pass its encoding")
        line += text.count(b"\n")
        if text:
            yield text


def _and_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks
    yield b""


def _decoded(source: Source, decoder: codecs.IncrementalDecoder, chunk: bytes, encoding: str, line: int) -> bytes:
    """Decode a chunk; an empty chunk is the end, where no character may be incomplete."""
    if encoding == UTF8 and chunk and chunk.isascii() and not decoder.getstate()[0]:
        return chunk
    try:
        text = decoder.decode(chunk, not chunk)
    except UnicodeDecodeError as error:
        line += _lines(error.object[: error.start], encoding)
        byte = error.object[error.start]
        if encoding == UTF8:
            raise NotUtf8Error(line, byte) from None
        source.refuse(f"{encoding} text in", f"byte 0x{byte:02x} near line {line}", "pass another encoding")
    except UnicodeError as error:  # of UTF-16 without a byte order mark
        source.refuse(f"{encoding} text in", str(error), "pass another encoding")
    return chunk if encoding == UTF8 else text.encode()


def _lines(part: bytes, encoding: str) -> int:
    return part.decode(encoding, "ignore").count("\n")


def guess_encoding(source: Source, first: NotUtf8Error) -> str:
    """Return the encoding of a file that is not UTF-8, if it is unambiguous: Latin-1 as Windows writes it."""
    decoder = codecs.getincrementaldecoder(UTF8)("surrogateescape")
    right = wrong = 0
    other = False
    with unpacked(source) as chunks:
        for chunk in chunks:
            if not chunk.isascii():
                beyond = _BEYOND_ASCII.findall(decoder.decode(chunk))
                wrong += sum(map(_is_wrong, beyond))
                right += len(beyond) - sum(map(_is_wrong, beyond))
                other = other or bool(_UNUSED.search(chunk) or _ANOTHER_SCRIPT.search(chunk))
    if right >= wrong:
        remedy = "convert it to UTF-8 first, or pass encoding='latin-1' to read each byte as a character"
        source.refuse("one encoding in", f"UTF-8 beside {first}, which is not", remedy)
    if other or right:
        source.refuse("UTF-8 or Latin-1 text in", str(first), "pass its encoding, as in encoding='cp1251'")
    return LATIN1


def _is_wrong(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"  # replaces a byte that is not UTF-8
