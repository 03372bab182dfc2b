"""Reword errors of the library for the command line: the command and its options instead of Python's."""

from __future__ import annotations

import re

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
