"""The lines that ``chainrule train`` prints, and the files of a run that are the same for every kind of data."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from .._support.files import write_text
from ..training.callbacks import History

HISTORY_FILE = "history.json"


def say(name: str, line: str) -> None:
    """One line of the report, under its name."""
    print(f"{name:<9}{line}", flush=True)


def say_command(name: str, *words: object) -> None:
    """A command that can be typed as it stands."""
    say(name, shlex.join([*_program(), *map(str, words)]))


def _program() -> list[str]:
    """The words that run this command: ``chainrule`` if it is on the path, otherwise as called or through Python."""
    if shutil.which("chainrule"):
        return ["chainrule"]
    return [sys.argv[0]] if Path(sys.argv[0]).stem == "chainrule" else [sys.executable, "-m", "chainrule"]


def write_history(out: Path, history: History) -> None:
    """A line an epoch."""
    write_text("train", out / HISTORY_FILE, history.to_json() + "\n")


def trained_in(seconds: float, history: History, planned: int) -> str:
    """The end of the line of results."""
    stopped = f", interrupted after {len(history)} of {planned} epochs" if history.interrupted else ""
    return f"trained in {seconds:.1f} s{stopped}"
