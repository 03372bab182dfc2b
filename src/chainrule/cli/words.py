"""Errors of the library in the words of the command line: the command speaks, of its own options."""

from __future__ import annotations

import re

OURS = (ValueError, TypeError, OSError, ImportError, MemoryError)  # they say what to do; all others are faults of ours
OPTIONS = {
    "header=False": "--no-header",
    "header=True": "--header",
    "text=[...]": "--text",
    "columns=[...]": "--columns",
    "task='regression'": "--task regression",
}
_SPEAKER = re.compile(r"(?!resume )[\w.]+(\(.*?\))? expects ")  # load, read_table, AdamW(1e-3); --resume is a word here


def in_the_shell(error: Exception, command: str) -> str:
    """One line: what ``command`` expects, got, and what to do."""
    message = " ".join(str(error).split())
    if not isinstance(error, OURS):
        kind = f"{type(error).__name__}{': ' if message else ''}{message}"
        report = "please report it, with what chainrule config prints, and this command's output with CHAINRULE_DEBUG=1"
        return f"{command} met a fault of its own, {kind}; {report}."
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"cannot open {error.filename}: {error.strerror}."
    if isinstance(error, MemoryError):
        return f"{command} expects enough memory, got {message or 'too little'}."
    for argument, option in OPTIONS.items():
        message = message.replace(argument, option)
    return _SPEAKER.sub(f"{command} expects ", message, count=1) if _SPEAKER.match(message) else message
