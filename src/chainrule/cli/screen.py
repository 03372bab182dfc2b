"""What the command prints: through streams that let nothing harmful pass, the lines of train, errors in its words.

``mpiexec -n 4 chainrule train ...``: all ranks train, the first alone prints and writes into the output folder.
"""

from __future__ import annotations

import io
import math
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from .._support.files import in_our_words, write_text
from .._support.text import printable
from ..distributed.serial import SERIAL, Serial
from ..training.callbacks import History

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


@contextmanager
def screens() -> Iterator[None]:
    """Make standard output and standard error screens, unless the shell closed them, as in ``chainrule config >&-``.

    Warnings become notes, without the lines of code that Python adds.
    """
    import warnings

    def note(message: Warning | str, *where: Any, **more: Any) -> None:
        print(f"note: {message}", file=sys.stderr)

    with ExitStack() as stack:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
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
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


HISTORY_FILE = "history.json"


def say(name: str, line: str) -> None:
    """Print one line of the report, under its name."""
    print(f"{name:<9}{line}", flush=True)


def say_command(name: str, *words: object) -> None:
    """Print a command that can be copied as it is."""
    say(name, shlex.join([*_program(), *map(str, words)]))


def _program() -> list[str]:
    """Return the words that run this command: ``chainrule`` if it is on the path, otherwise as called."""
    if shutil.which("chainrule"):
        return ["chainrule"]
    return [sys.argv[0]] if Path(sys.argv[0]).stem == "chainrule" else [sys.executable, "-m", "chainrule"]


def write_history(out: Path, history: History) -> None:
    """Write the history, one line per epoch."""
    write_text("train", out / HISTORY_FILE, history.to_json() + "\n")


def trained_in(seconds: float, epochs: int, planned: int, *, interrupted: bool) -> str:
    """Return the end of the result line."""
    stopped = f", interrupted after {epochs} of {planned} epochs" if interrupted else ""
    return f"trained in {seconds:.1f} s{stopped}"


OURS = (ValueError, TypeError, OSError, ImportError, MemoryError)  # these state what to do; all others are our bugs
#: Arguments of Python functions in remedies, and the options of the shell instead.
_ARGUMENTS = [
    (re.compile(pattern), option)
    for pattern, option in (
        (r"header=True if it names the columns \(--header\)", "--header if it names the columns"),
        (r"header=False if it is data \(--no-header\)", "--no-header if it is data"),
        (r"missing=\[(['\"])(.*?)\1\] \(--missing\)", r"--missing '\2'"),
        (r"decimal='\.' or ',', or", "--decimal with . or a comma, or"),
        (r"decimal='\.' if the comma separates thousands, or decimal=',' \(--decimal\)",
         "--decimal . if the comma separates thousands, otherwise --decimal ,"),
        (r"columns=\{'(.*?)': '(\w+):(\S+)'\}(.*?) '\w+:(\S+)'", r"--\2 '\1:\3'\4 --\2 '\1:\5'"),
        (r"list the column in text=\[\.\.\.\]", "take it as it is, with --category"),
        (r"columns=\[\.\.\.\]", "--columns"),
        (r"query=\.\.\.", "--query"),
        (r"encoding='([\w-]+)'", r"--encoding \1"),
        (r"pass its encoding, as in", "pass"),
    )
]  # fmt: skip
_OF_TRAINING = re.compile(r"(, or|; otherwise|;) take it as it is, with --category")
_SPEAKER = re.compile(r"(?!resume )[\w.]+(\(.*?\))? expects ")  # load, read_table, AdamW(1e-3); not --resume


def in_the_shell(error: Exception, command: str) -> str:
    """Return one line: what ``command`` expects, what it got, and what to do."""
    message = " ".join(str(error).split())
    if not isinstance(error, OURS):
        kind = f"{type(error).__name__}{': ' if message else ''}{message}"
        report = "please report it, with what chainrule config prints, and this command's output with CHAINRULE_DEBUG=1"
        return f"{command} failed with an internal error, {kind}; {report}."
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"cannot open {error.filename}: {error.strerror}."
    if isinstance(error, MemoryError):
        return f"{command} expects enough memory, got {message or 'too little'}."
    for argument, option in _ARGUMENTS:
        message = argument.sub(option, message)
    if command != "train":  # which alone decides the kind of a column
        message = _OF_TRAINING.sub("", message)
    return _SPEAKER.sub(f"{command} expects ", message, count=1) if _SPEAKER.match(message) else message


RANKS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")  # as launchers tell it


def rank() -> int | None:
    """Return the number of this process in the job of a launcher, None outside of any."""
    return next((int(os.environ[name]) for name in RANKS if os.environ.get(name, "").isdecimal()), None)


@contextmanager
def ranks() -> Iterator[Serial]:
    """Make the communicator of the job; ranks but the first are silent until the end of the block."""
    if rank() is None:
        yield SERIAL
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        if rank() == 0:
            yield from _joined()
        else:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield from _joined()


def _joined() -> Iterator[Serial]:
    from ..distributed import MPI

    communicator = MPI()
    with communicator:
        if communicator.size > 1:
            say("ranks", f"{communicator.size} processes train, each on {communicator.threads} of its processors")
        yield communicator
        communicator.timeout = math.inf  # for what rank 0 does alone: it tests the model and writes it


@contextmanager
def folder_of_rank(communicator: Serial, out: Path) -> Iterator[Path]:
    """Give ranks but the first a copy of the output folder, as it was when the job began; it vanishes at the end."""
    if communicator.rank == 0:
        communicator.allgather("copied")
        yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / out.name
        if out.is_dir():
            shutil.copytree(out, copy)
        communicator.allgather("copied")
        yield copy
