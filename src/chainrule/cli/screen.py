"""Filter all output of the command to standard output and standard error."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from .._support.files import in_our_words
from .._support.text import printable

_SUSPECT = re.compile(r"[^\n\t]*[^\n\t\x20-\x7e][^\n\t]*")  # a stretch of text that is not plain ASCII


class Screen(io.TextIOBase):
    """A stream that escapes everything that could move the cursor, set a title or reverse a line.

    Only a progress bar on a terminal may return to the beginning of its line, at the edges of its output.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without → or ² must not stop the command

    def write(self, text: str) -> int:
        """Write ``text`` with harmful characters escaped; line breaks and tabs stay."""
        bare = text.strip("\r") if self.isatty() else text
        start, _, end = text.partition(bare) if bare else (text, "", "")
        with in_our_words("chainrule", "to write its output"):
            self._stream.write(start + _SUSPECT.sub(_harmless, bare) + end)
        return len(text)

    def flush(self) -> None:
        with in_our_words("chainrule", "to write its output"):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the underlying stream, which a progress bar looks at."""
        return self._stream.encoding


def _harmless(found: re.Match[str]) -> str:
    return printable(found[0])


@contextlib.contextmanager
def screens() -> Iterator[None]:
    """Make standard output and standard error screens, unless the shell closed them, as in ``chainrule config >&-``.

    Warnings become notes, without the lines of code that Python adds.
    """
    import warnings

    def note(message: Warning | str, *where: Any, **more: Any) -> None:
        print(f"note: {message}", file=sys.stderr)

    with contextlib.ExitStack() as stack:
        for name, redirect in (("stdout", contextlib.redirect_stdout), ("stderr", contextlib.redirect_stderr)):
            stream = getattr(sys, name)
            if stream is None:
                stream = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(redirect(Screen(stream)))
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = note
        yield


def forsake_streams() -> None:
    """Discard the streams, because nobody reads them: Python must not complain when it flushes them at exit."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
