"""Files: written whole or not at all, and read without belief in what they claim.

**Written.** :func:`replacing` is the one way in which anything of ours reaches a file. What stood at the path keeps its
mode, its owner and the symbolic links that lead to it; a pipe or a device is written through; other names (hard links)
of the file keep the earlier contents. What cannot be written is refused in one sentence, and nothing is left behind.

**Read.** Sizes are bounded before anything is unpacked. Arrays and a few facts are in one safetensors file, which is
believed only if its digest is right: nothing in it is executed, and sizes that it claims are held against its length.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .checks import Array, sentence
from .locks import locked
from .text import printable

DIGEST = "digest"
MAX_REASON = 300  # characters of somebody else's message that fit into our sentence
MAX_DEPTH = 200  # of lists and mappings in one another: what walks through them needs no more of Python's stack
MAX_RATIO, SPARE = 50, 16 << 20  # what grows more when it is unpacked, beyond some megabytes, is refused as a bomb
MOST_FACTS, MOST_PIPED = 16 << 20, 1 << 30  # bytes of a JSON file, and of a pipe, whose size nobody knows
LONGEST_NAME = 255  # bytes of a file name
CHUNK = 1 << 20
AGAIN = "copy or save the file again"
WRITABLE = "choose a folder that exists, that you may write to, and that has room"


def as_path(who: str, path: Any) -> Path:
    """The path that the user gave: text, bytes or path-like."""
    try:
        text = os.fsdecode(path)
        os.fsencode(text)
        if "\0" not in text and all(len(os.fsencode(part)) <= LONGEST_NAME for part in Path(text).parts):
            return Path(text)
    except TypeError:
        got = f"{type(path).__name__} {path!r}"
        raise TypeError(sentence(who, "the path of a file as text or pathlib.Path", got)) from None
    except UnicodeEncodeError:
        pass
    got = repr(text) if len(text) <= LONGEST_NAME else f"{text[:40]!r} and {len(text) - 40:,} more characters"
    raise ValueError(sentence(who, "a path that a file can have", got, "rename the file"))


# --- writing ------------------------------------------------------------------------------------------------------


def write_arrays(who: str, path: Path, arrays: Mapping[str, Array], header: Mapping[str, str]) -> None:
    """Into a safetensors file, whole or not at all: arrays of numbers, C-contiguous, and texts, each by its name."""
    from safetensors import SafetensorError
    from safetensors.numpy import save  # not save_file: its own temporary file would outlive a process that is killed

    try:
        content = save(dict(arrays), metadata=dict(header))
    except SafetensorError as error:  # a header of more than 100 MB
        expected = f"names and facts that fit into the header of {path}"
        raise ValueError(sentence(who, expected, str(error), "keep fewer")) from None
    start = 8 + int.from_bytes(content[:8], "little")
    facts = json.loads(content[8:start])
    facts["__metadata__"] = dict(sorted(header.items()))  # which safetensors leaves to chance: equal in, equal out
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers are aligned
    with replacing(who, path) as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.write(memoryview(content)[start:])


def write_text(who: str, path: Path, text: str) -> None:
    """Into a file, whole or not at all; half a character, which UTF-8 does not have, is escaped."""
    with replacing(who, path) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


@contextmanager
def replacing(who: str, path: Path) -> Iterator[BinaryIO]:
    """A stream whose contents become those of the file at ``path`` when all is written, and not before."""
    with in_our_words(who, f"to write {path}", WRITABLE), _stream_for(path) as stream:
        yield stream


@contextmanager
def in_our_words(who: str, expected: str, remedy: str = "") -> Iterator[None]:
    """An error of the system becomes one sentence, of the same type and number."""
    try:
        yield
    except OSError as error:
        if str(error).startswith(f"{who} expects "):
            raise  # it is one already
        raise _told(error, sentence(who, expected, error.strerror or str(error), remedy)) from None


def _told(error: OSError, words: str) -> OSError:
    """An error of the same type and number; raised from a variable, it and its traceback would hold each other."""
    told = type(error)(words)
    told.errno = error.errno
    return told


@contextmanager
def _stream_for(path: Path) -> Iterator[BinaryIO]:
    descriptor = _open_already(path)
    earlier = None
    with suppress(FileNotFoundError):
        earlier = path.stat()
    if descriptor is not None:
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            yield stream
    elif earlier is None or stat.S_ISREG(earlier.st_mode):
        with _beside(Path(os.path.realpath(path)), earlier) as stream:
            yield stream
    else:
        with _special(path, earlier.st_mode) as stream:
            yield stream


@contextmanager
def _beside(path: Path, earlier: os.stat_result | None) -> Iterator[BinaryIO]:
    """A temporary file in the same folder, which is then flushed to the disk and moved into place, or removed."""
    if earlier is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "a file that may not be changed")
    partial = hidden_beside(path, secrets.token_hex(4))
    try:
        partial.touch(exist_ok=False)
        with locked(partial):
            with partial.open("r+b") as stream:
                if earlier is not None:
                    _keep_owner_and_mode(partial, earlier)
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
    finally:
        with suppress(OSError):  # there is none, if all went well
            partial.unlink()


def hidden_beside(path: Path, ending: str) -> Path:
    """``.name.ending`` in the same folder; a digest stands for a name that would become too long."""
    name = f".{path.name}.{ending}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()}.{ending}"
    return path.with_name(name)


def _keep_owner_and_mode(path: Path, earlier: os.stat_result) -> None:
    if hasattr(os, "chown"):
        for owner in (earlier.st_uid, -1):  # only root may give a file away; its group others may, too
            with suppress(OSError):
                os.chown(path, owner, earlier.st_gid)
                break
    path.chmod(stat.S_IMODE(earlier.st_mode))


def _special(path: Path, mode: int) -> BinaryIO:
    """A pipe or a terminal, opened without waiting for somebody who reads it."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        raise OSError(errno.EINVAL, "a socket or a disk")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise OSError(error.errno, "a pipe that nobody reads") if error.errno == errno.ENXIO else error from None
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "wb")


def _open_already(path: Path) -> int | None:
    """The descriptor that ``/dev/stdout`` or ``/dev/fd/3`` stands for."""
    for _ in range(40):  # links, of which no system follows more
        if str(path.parent.resolve()) in ("/dev/fd", f"/proc/{os.getpid()}/fd") and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return None


def remove_partials(folder: Path, *names: str) -> None:
    """What a process that was killed left of files of these names (``step-*``) while it wrote them."""
    for name in names:
        for partial in folder.glob(f".{name}.{'[0-9a-f]' * 8}"):
            with locked(partial) as is_free:
                if is_free:
                    partial.unlink(missing_ok=True)


def writable_folder(who: str, folder: Path, remedy: str = "choose another") -> Path:
    """The folder, made if it does not exist; raise in our words, before any work is done, unless it takes files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        got = "a file" if isinstance(error, FileExistsError) else error.strerror or str(error)
        raise type(error)(sentence(who, f"{folder} to be a folder that it can write to", got, remedy)) from None
    return folder


# --- reading ------------------------------------------------------------------------------------------------------


def read_arrays(who: str, path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the header of a file that was written with its :func:`digest`, which is held against them."""
    with open_tensors(who, path) as file:
        header = dict(file.metadata() or {})
        arrays = tensors_in(who, path, file)
    if header.pop(DIGEST, None) != digest(arrays, header):
        raise refusal(who, path, "to be as it was written", "one whose digest is not that of its contents")
    return arrays, header


@contextmanager
def open_tensors(who: str, path: Path, what: str = "file", kind: str = "a whole safetensors file") -> Iterator[Any]:
    """A safetensors file as its library opens it; what it refuses is one sentence."""
    from safetensors import SafetensorError, safe_open

    check_readable(who, path, what)
    try:
        with in_our_words(who, f"a {what} at {path}"), safe_open(path, framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise refusal(who, path, f"to be {kind}", f"a damaged or different one ({error})") from None


def tensors_in(who: str, path: Path, file: Any) -> dict[str, Array]:
    """All arrays of an open safetensors file."""
    try:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
    except (ValueError, TypeError, AttributeError) as error:
        raise refusal(who, path, "to hold arrays of types and shapes that NumPy has", f"others ({error})") from None


def digest(arrays: Mapping[str, Array], header: Mapping[str, str]) -> str:
    """SHA-256 of all names, texts and numbers."""
    sha = hashlib.sha256()
    for name in sorted(header):
        sha.update(f"{name}\0{header[name]}\0".encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        sha.update(array.reshape(-1).view(np.uint8).data)  # no copy: it may be as large as the memory that is left
    return sha.hexdigest()


@contextmanager
def opened(who: str, path: Path, what: str = "file") -> Iterator[tuple[BinaryIO, int]]:
    """The stream of a file, which may be gzipped, and the number of bytes of which no more may be taken from it.

    A file that is damaged, or too large for the memory, is refused in one sentence.
    """
    import gzip
    import zlib

    with in_our_words(who, f"a {what} at {path}"), path.open("rb") as raw:
        found = os.fstat(raw.fileno())
        if stat.S_ISCHR(found.st_mode) and not raw.isatty():
            raise OSError(errno.EINVAL, "a device")  # which may have no end
        is_file = stat.S_ISREG(found.st_mode)
        size = found.st_size if is_file else MOST_PIPED // MAX_RATIO
        try:
            if raw.peek(2)[:2] == b"\x1f\x8b":
                yield gzip.GzipFile(fileobj=raw), MAX_RATIO * size + SPARE  # type: ignore[misc]  # it reads alike
            else:
                yield raw, sys.maxsize if is_file else MOST_PIPED
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refusal(who, path, "to be a whole gzip file", f"a damaged one ({error})") from None
        except MemoryError:
            raise refusal(who, path, "to fit into the memory", f"{size:,} bytes", "read a part of it") from None


def read_up_to(stream: BinaryIO, count: int) -> bytearray:
    """At most ``count`` bytes, for which no more memory is taken than the file fills."""
    body = bytearray()
    while len(body) < count and (chunk := stream.read(min(CHUNK, count - len(body)))):
        body += chunk
    return body


def read_bytes(who: str, path: Path, what: str = "file") -> bytearray:
    """The contents of a file, unzipped if it is gzipped."""
    with opened(who, path, what) as (stream, most):
        content = read_up_to(stream, most + 1)
        if len(content) > most:
            got = f"one that becomes more than {most:,}"
            raise refusal(who, path, "to be of a size that can be read", f"{got} bytes", "unzip it if you trust it")
        return content


def read_facts(who: str, path: Path, what: str, remedy: str = AGAIN) -> dict[str, Any]:
    """The mapping in a JSON file."""
    check_readable(who, path, what)
    with path.open("rb") as stream:
        content = read_up_to(stream, MOST_FACTS + 1)
    try:
        facts = read_json(content.decode()) if len(content) <= MOST_FACTS else None
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise refusal(who, path, f"to be the {what}", "something else", remedy)
    return facts


def read_json(text: str) -> Any:
    """JSON, but nothing of which readers differ: a name twice, NaN, a number too large, half a character, great depth.

    Raises
    ------
    ValueError (RecursionError where Python's own parser gives up), whose text fits behind "invalid JSON".
    """
    value = json.loads(text, object_pairs_hook=_mapping, parse_float=_number, parse_constant=_number)
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        inside = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level, depth = [item for items in inside for item in items], depth + 1
    if "\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a name comes twice")
    return mapping


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number")
    return number


def check_readable(who: str, path: Path, what: str = "file") -> None:
    """Raise in our words unless it is a file, no pipe without an end, and can be opened."""
    with in_our_words(who, f"a {what} at {path}"):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "a pipe or a device")
        with path.open("rb"):
            pass


def refusal(who: str, path: Path, expected: str, got: str, remedy: str = AGAIN) -> ValueError:
    """The error that says what is wrong with a file."""
    return ValueError(sentence(who, f"{path} {expected}", printable(got, MAX_REASON), remedy))
