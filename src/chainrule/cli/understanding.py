"""Decide the kind of each column for ``chainrule train``, apply overrides, and find likely leaks.

Options override kinds by name, as in ``--category zip --drop id,notes``; ``--date planted:dmy`` and
``--number price:,`` also state the format.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._support.checks import check_name, sentence
from .._support.text import MOST, printable
from ..tabular.columns import Frame, Words
from ..tabular.judging import CATEGORY, CONSTANT, DATE, DROP, ID, NUMBER, TEXT
from ..tabular.kinds import ColumnKind, Kinds, understand
from ..tabular.leaks import find_leaks
from ..tabular.reading import Table, UnknownColumnError
from ..tabular.streaming import Stored, open_table
from .reading import is_file, names, options_of

OVERRULES = (NUMBER, CATEGORY, DATE, TEXT, DROP)
TASKS = {"classification": CATEGORY, "regression": NUMBER}
ASIDE = ("group", "sample_weight")  # columns about rows that are not inputs
_WIDTH, _MOST = 80, 200  # width of the table on screen, and maximum number of columns


@dataclass(frozen=True)
class Understood:
    """A table, and the facts about its columns."""

    stored: Stored
    columns: Frame
    kinds: Kinds
    headless: bool

    @property
    def table(self) -> Table:
        """The rows, or a sample of those of a table that is larger than memory."""
        return self.stored.table

    @property
    def target(self) -> ColumnKind:
        return next(kind for kind in self.kinds if kind.is_target)

    @property
    def inputs(self) -> list[ColumnKind]:
        """The columns that a model gets."""
        return [kind for kind in self.kinds if kind.is_input]

    @property
    def stated(self) -> dict[str, str]:
        """The kind of each column, for the estimators."""
        found = {}
        for kind in self.kinds:
            if not kind.is_target:
                form = (
                    f":{kind.form}" if (kind.kind, kind.form) in ((DATE, "mdy"), (DATE, "dmy"), (NUMBER, ",")) else ""
                )
                found[kind.name] = DROP if kind.kind in (ID, CONSTANT) else kind.kind + form
        return found

    @property
    def texts(self) -> list[str]:
        return [name for name in self.columns.names if isinstance(self.columns.column(name), Words)]


def add_overrules(group: Any) -> None:
    """Add ``--number A,B`` and so on."""
    for kind in OVERRULES:
        what = "leave these columns out" if kind == DROP else f"take these columns as {kind}"
        form = {
            DATE: "; A:dmy or A:mdy says what comes first",
            NUMBER: "; A:, states that the comma is the decimal mark",
        }
        group.add_argument(
            f"--{kind}", metavar="A,B", action="append", help=what + form.get(kind, "") + "; may be repeated"
        )


def understand_table(args: argparse.Namespace, source: str) -> Understood:
    """Read the table of ``train`` and decide the kind of each column."""
    options = options_of(vars(args))
    try:
        stored = _read(args, source, options)
    except UnknownColumnError as error:
        check_name("train", f"a column of {source}", error.name, error.known)
        raise
    table = stored.table
    columns = Frame("train", table)
    if len(columns.names) < 2:
        got, remedy = f"only one column, {columns.names[0]!r}", "name its delimiter with --delimiter"
        raise ValueError(sentence("train", f"inputs and a target in {source}", got, remedy))
    target = columns.names[-1] if args.target is None else args.target
    check_name("train", f"a column of {source}", target, columns.names)
    stated = _stated(args, columns.names, target)
    missing = options.get("missing", ())
    kinds = understand(table, stated, target, missing=missing)
    headless = any(note.startswith("no header") for note in table.notes)
    return Understood(stored, columns, kinds, headless)


def _read(args: argparse.Namespace, source: str, options: Mapping[str, Any]) -> Stored:
    """Read the table; ambiguous columns whose kind the user states stay text."""
    whole = args.group is not None or args.time is not None  # these divide the rows by all values of a column
    given: dict[str, Any] = {"target": args.target, "always": whole, "columns": _wanted(args), **options}
    told = [name for kind in (CATEGORY, TEXT, DROP) for value in getattr(args, kind) or () for name in names(value)]
    if told and not is_file(source):  # it can be read only once
        return open_table(source, text=told, **given)
    try:
        return open_table(source, **given)
    except UnknownColumnError:
        raise
    except ValueError:
        if not told:
            raise
    return open_table(source, text=told, **given)


def _wanted(args: argparse.Namespace) -> Collection[str] | None:
    """Return the columns to read, if the user chooses them."""
    if args.columns is None:
        return None
    beside = (args.target, args.group, args.time, args.sample_weight)
    return dict.fromkeys([*args.columns, *(name for name in beside if name is not None)])


def _stated(args: argparse.Namespace, names: Sequence[str], target: str) -> dict[str, str]:
    """Return column → kind, as stated by the user."""
    stated: dict[str, str] = {}
    for option in ("group", "time", "sample_weight"):
        if (name := getattr(args, option)) is not None:
            named = f"--{option.replace('_', '-')}"
            check_name("train", f"a column for {named}", name, names)
            if name == target:
                raise ValueError(sentence("train", f"{named} to name another column than the target", repr(name)))
    for option in ASIDE:
        if (name := getattr(args, option)) is not None:
            stated[name] = DROP
    for kind in OVERRULES:
        for name, form in _named(kind, getattr(args, kind) or (), names):
            if stated.get(name, kind) not in (kind, DROP) or (name in stated and DROP in (kind, stated[name])):
                got = f"{name!r} as {stated[name].partition(':')[0]} and {kind}"
                raise ValueError(sentence("train", "one kind for a column", got))
            if kind == DROP and name == target:
                raise ValueError(sentence("train", f"the target {target!r} among the columns", f"--drop {name}"))
            stated[name] = kind + form
    if args.task is not None:
        stated[target] = TASKS[check_name("train", "a task", args.task, TASKS)]
    return stated


def _named(option: str, given: Sequence[str], known: Sequence[str]) -> list[tuple[str, str]]:
    """Return the columns that an option names, and their formats: ``:dmy``, or empty."""
    found = []
    for value in given:
        for name in [value] if _whole(value, known) else [part.strip() for part in value.split(",")]:
            bare, form = _split(name, known)
            found.append((check_name("train", f"a column for --{option}", bare, known), form))
    return found


def _whole(value: str, known: Sequence[str]) -> bool:
    """Whether a value with commas is one name, possibly with ``:,`` at the end."""
    return value in known or value.removesuffix(":,") in known


def _split(name: str, known: Sequence[str]) -> tuple[str, str]:
    head, mark, form = name.rpartition(":")
    return (head, mark + form) if name not in known and head in known else (name, "")


def tell(found: Understood) -> None:
    """Print the table of kinds, how to overrule one, and notes before training."""
    for note in found.table.notes:
        print(f"note: {note}", file=sys.stderr)
    lines = found.kinds.lines(_WIDTH)
    print("\n".join(lines[: _MOST + 1]))
    if len(lines) > _MOST + 1:
        print(f"… and {len(lines) - _MOST - 1:,} more columns")
    options = " ".join(f"--{kind} {name}" for kind, name in zip(OVERRULES, "ABCDE", strict=True))
    print(f"to overrule: {options}")
    for leak in find_leaks(found.table, found.kinds):
        drop = ",".join(leak.columns)
        print(f"note: {printable(str(leak), MOST)} (--drop {printable(drop, MOST)})", file=sys.stderr)
