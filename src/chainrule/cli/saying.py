"""Print the lines of ``chainrule train``, and write the files that all kinds of data share."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from .._support.files import write_text
from ..training.callbacks import History

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
