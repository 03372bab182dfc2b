"""Arrays and a few facts in one file, written whole or not at all, and believed only if its digest is right.

The file is a safetensors file: nothing in it is executed when it is read, and sizes that it claims are held against
its length before anything is allocated.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .checks import Array, sentence

DIGEST = "digest"
MAX_REASON = 300  # characters of somebody else's message that fit into our sentence
MAX_DEPTH = 200  # of lists and mappings in one another: what walks through them needs no more of Python's stack
AGAIN = "copy or save the file again"


def write_arrays(who: str, path: Path, arrays: Mapping[str, Array], header: Mapping[str, str]) -> None:
    """Into a safetensors file, whole or not at all.

    Parameters
    ----------
    who : str, the function of which the errors speak
    path : Path
    arrays : name → C-contiguous array of numbers
    header : name → text
    """
    from safetensors.numpy import save  # not save_file: its own temporary file would outlive a process that is killed

    content = save(dict(arrays), metadata=dict(header))
    start = 8 + int.from_bytes(content[:8], "little")
    facts = json.loads(content[8:start])
    facts["__metadata__"] = dict(sorted(header.items()))  # which safetensors leaves to chance: equal in, equal out
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers are aligned
    with replacing(who, path) as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.write(memoryview(content)[start:])


def write_text(who: str, path: Path, text: str) -> None:
    """Into a file, whole or not at all."""
    with replacing(who, path) as stream:
        stream.write(text.encode())


@contextmanager
def replacing(who: str, path: Path) -> Iterator[BinaryIO]:
    """A temporary file in the same folder, which is then flushed to the disk and moved into place, or removed."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        remedy = "choose a folder that exists, that you may write to, and that has room"
        reason = error.strerror or str(error)
        raise type(error)(sentence(who, f"to write {path}", reason, remedy)) from None
    finally:
        try:
            partial.unlink(missing_ok=True)
        except OSError:
            pass  # the parent is not a directory: reported above


def remove_partials(folder: Path, *names: str) -> None:
    """What a process that was killed left of files of these names (``step-*``) while it wrote them."""
    for name in names:
        for partial in folder.glob(f".{name}.{'[0-9a-f]' * 8}"):
            partial.unlink(missing_ok=True)


def read_arrays(who: str, path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the header of a file that was written with its :func:`digest`, which is held against them."""
    from safetensors import SafetensorError, safe_open

    check_readable(who, path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
    except (SafetensorError, ValueError, TypeError, AttributeError) as error:  # of types and shapes that NumPy lacks
        raise refusal(who, path, "to be a whole safetensors file", f"a damaged or different one ({error})") from None
    if header.pop(DIGEST, None) != digest(arrays, header):
        raise refusal(who, path, "to be as it was written", "one whose digest is not that of its contents")
    return arrays, header


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


def check_readable(who: str, path: Path, what: str = "file") -> None:
    """Raise in our words unless the file can be opened."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise type(error)(sentence(who, f"a {what} at {path}", error.strerror or str(error))) from None


def refusal(who: str, path: Path, expected: str, got: str, remedy: str = AGAIN) -> ValueError:
    """The error that says what is wrong with a file."""
    short = got if len(got) <= MAX_REASON else got[:MAX_REASON] + "…"
    short = "".join(character if character.isprintable() else " " for character in short)
    return ValueError(sentence(who, f"{path} {expected}", short, remedy))
