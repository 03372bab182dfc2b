"""The ``chainrule`` command: train on a table or a named data set, then apply the model."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from .._support.checks import check_name
from . import check, config, evaluate, export, inspect, predict, report, train

COMMANDS = {
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "report": report,
    "inspect": inspect,
    "export": export,
    "check": check,
    "config": config,
}
IN_THE_SHELL = {"header=False": "--no-header", "header=True": "--header", "text=[...]": "--text"}
FAILED, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # as argparse and the shells have them


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 for success, 1 if a check fails, 2 for an error.

    Errors are reported in one sentence; with ``CHAINRULE_DEBUG=1`` in the environment, with their traceback.

    Examples
    --------
    >>> from chainrule.cli import main
    >>> main(["predict", "nothing.safetensors", "table.csv"])
    2
    """
    with contextlib.ExitStack() as stack:
        for name, redirect in (("stdout", contextlib.redirect_stdout), ("stderr", contextlib.redirect_stderr)):
            if getattr(sys, name) is None:  # closed by the shell, as in `chainrule train digits >&-`
                stack.enter_context(redirect(stack.enter_context(open(os.devnull, "w", encoding="utf-8"))))
        return _guarded(sys.argv[1:] if argv is None else argv)


def _guarded(argv: Sequence[str]) -> int:
    """The exit code; errors become one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without → or ² is no reason to stop
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain when it flushes
        return BROKEN_PIPE
    except KeyboardInterrupt:
        print("chainrule: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        if os.environ.get("CHAINRULE_DEBUG") == "1":
            raise
        print(f"chainrule: error: {_one_line(error)}", file=sys.stderr)
        return FAILED


def _run(argv: Sequence[str]) -> int:
    if argv and not argv[0].startswith("-"):
        check_name("chainrule", "a command", argv[0], COMMANDS)
    args = make_parser().parse_args(argv)
    status: int = args.run(args)
    return status


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"cannot open {error.filename}: {error.strerror}."
    message = " ".join(str(error).split())
    for argument, option in IN_THE_SHELL.items():
        message = message.replace(argument, option)
    return message


class _Parser(argparse.ArgumentParser):
    """Report an invalid argument in one sentence, like every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAILED, f"chainrule: error: {message}; see {self.prog} --help.\n")


def make_parser() -> argparse.ArgumentParser:
    """The parser for the command and its subcommands, each with an example in its help."""
    parser = _Parser(
        prog="chainrule",
        description="Train a network on a table or a named data set, then use it to predict.",
        epilog="example: chainrule train digits",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        text = (command.__doc__ or "").strip()
        sub = subparsers.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            epilog=f"example: {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser
