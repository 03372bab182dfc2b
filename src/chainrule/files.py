"""Arrays and a few facts in one file, written whole or not at all, and believed only if its digest is right.

The file is a safetensors file: nothing in it is executed when it is read, and sizes that it claims are held against
its length before anything is allocated.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ._checks import Array, sentence

DIGEST = "digest"
MAX_REASON = 300  # characters of somebody else's message that fit into our sentence
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
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with replacing(who, path) as partial:
        try:
            save_file(dict(arrays), partial, metadata=dict(header))
        except SafetensorError as error:
            raise OSError(str(error)) from None


def write_text(who: str, path: Path, text: str) -> None:
    """Into a file, whole or not at all."""
    with replacing(who, path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def replacing(who: str, path: Path) -> Iterator[Path]:
    """A temporary file in the same folder, which is then flushed to the disk and moved into place, or removed."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        partial.touch(exist_ok=False)
        mode = partial.stat().st_mode  # as the user wants new files; safetensors makes its own private
        yield partial
        partial.chmod(mode)
        with partial.open("rb+") as stream:
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


def read_arrays(who: str, path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the header of a file that was written with its :func:`digest`, which is held against them."""
    from safetensors import SafetensorError, safe_open

    check_readable(who, path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
    except SafetensorError as error:
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
        sha.update(array.tobytes())
    return sha.hexdigest()


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
    return ValueError(sentence(who, f"{path} {expected}", short, remedy))
