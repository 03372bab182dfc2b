"""Turn the errors of other libraries into one sentence of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .._support.checks import sentence
from .._support.files import MAX_REASON
from .._support.text import printable

_OURS = re.compile(r"\S.* expects .+, got ")
#: What means nothing to a user: codes, places in C++, where to complain; and the name of a class within its repr.
_NOISE = (
    (re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : "), ""),
    (re.compile(r"\S+\.(?:cc|cpp|h):\d+ (?:[\w:]+\([^)]*\)\S* )?"), ""),
    (re.compile(r" ?(?:You may raise an is+ue at|Please fill an issue at) \S+"), ""),
    (re.compile(r"<class '(?:[\w.]*\.)?(\w+)'>"), r"\1"),
)


def reason(error: Exception) -> str:
    """Return the first line of a message, without parts that mean nothing to a user."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    for noise, instead in _NOISE:
        text = noise.sub(instead, text)
    return printable(text.strip(" ."), MAX_REASON)


def got_of(error: Exception) -> str:
    """Return the "got" part of one of our sentences, for another sentence."""
    return str(error).partition(", got ")[2].partition("; ")[0].rstrip(".")


@contextmanager
def in_a_sentence(who: str, expected: str, remedy: str = "") -> Iterator[None]:
    """Turn errors in the block into our ValueError, except the system's errors and our own sentences."""
    try:
        yield
    except (OSError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # those of ONNX, skl2onnx and PyTorch have no class of their own in common
        if isinstance(error, (ValueError, TypeError)) and _OURS.match(str(error)):
            raise
        raise ValueError(sentence(who, expected, f"{type(error).__name__}: {reason(error)}", remedy)) from None
