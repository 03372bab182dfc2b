"""The ``chainrule`` command: train on a table or a named data set, then apply the model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from .._support.checks import check_name
from .._support.text import printable
from . import check, config, evaluate, explain, export, inspect, playground, predict, report, train
from .screen import forsake_streams, in_the_shell, rank, screens

COMMANDS = {
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "report": report,
    "explain": explain,
    "inspect": inspect,
    "export": export,
    "check": check,
    "config": config,
    "playground": playground,
}
FAILED, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # as in argparse and the shells


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 for success, 1 if a check fails, 2 for an error, 128 plus the number of
    the signal that ended it.

    Errors are reported in one sentence; with ``CHAINRULE_DEBUG=1`` in the environment, with their traceback.

    Examples
    --------
    >>> from chainrule.cli import main
    >>> main(["predict", "nothing.safetensors", "table.csv"])
    2
    """
    with screens():
        return _guarded(sys.argv[1:] if argv is None else argv)


def _guarded(argv: Sequence[str]) -> int:
    """Run and return the exit code; errors become one line."""
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        forsake_streams()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        _tell("interrupted")
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("CHAINRULE_DEBUG") == "1":
            raise
        _tell(f"error: {in_the_shell(error, argv[0] if argv else 'chainrule')}")
        return FAILED


def _tell(what: str) -> None:
    if rank():  # rank 0 prints the error of any
        return
    try:
        print(f"chainrule: {what}", file=sys.stderr)
        sys.stdout.flush()
    except OSError:  # for instance, the disk is full
        forsake_streams()


def _run(argv: Sequence[str]) -> int:
    if argv and not argv[0].startswith("-"):
        check_name("chainrule", "a command", argv[0], COMMANDS)
    args = make_parser().parse_args(argv)
    status: int = args.run(args)
    return status


class _Parser(argparse.ArgumentParser):
    """Report an invalid argument in one sentence, like every other error."""

    def error(self, message: str) -> NoReturn:
        said = f"chainrule: error: {printable(message)}; see {self.prog} --help.\n"
        self.exit(FAILED, "" if rank() else said)


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of the command and its subcommands, each with an example in its help."""
    parser = _Parser(
        prog="chainrule",
        allow_abbrev=False,
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
            allow_abbrev=False,
            help=text.splitlines()[0],
            description=text,
            epilog=f"example: {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser
