"""What other libraries say when they fail, in one sentence of ours."""

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
    """The first line of a message, without what means nothing to a user."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    for noise, instead in _NOISE:
        text = noise.sub(instead, text)
    return printable(text.strip(" ."), MAX_REASON)


def got_of(error: Exception) -> str:
    """What one of our sentences got, for another sentence."""
    return str(error).partition(", got ")[2].partition("; ")[0].rstrip(".")


@contextmanager
def in_a_sentence(who: str, expected: str, remedy: str = "") -> Iterator[None]:
    """Whatever fails here, and is neither the system's error nor a sentence already, becomes a ValueError of ours."""
    try:
        yield
    except (OSError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # those of ONNX, skl2onnx and PyTorch have no class of their own in common
        if isinstance(error, (ValueError, TypeError)) and _OURS.match(str(error)):
            raise
        raise ValueError(sentence(who, expected, f"{type(error).__name__}: {reason(error)}", remedy)) from None
