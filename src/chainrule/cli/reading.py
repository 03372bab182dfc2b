"""Read tables for the shell: the options that all commands share, and the rows for a model."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from .._support.checks import nearest, sentence
from ..tabular.reading import Table, UnknownColumnError, read_blocks, read_table

OPTIONS = ("header", "delimiter", "decimal", "encoding", "sheet", "query", "missing")
REMEMBERED = ("header", "decimal", "missing")  # of the training table, used for later tables too
_MARKS = {"tab": "\t", "\\t": "\t", "space": " ", "blank": " ", "comma": ",", "semicolon": ";", "bar": "|"}
_FEW = 20  # names that a message lists


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--header``, ``--delimiter`` and so on, for every command that reads a table."""
    group = parser.add_argument_group("how the table is read (default: inferred from its contents)")
    group.add_argument("--header", action=argparse.BooleanOptionalAction, help="whether the first row names columns")
    group.add_argument("--delimiter", metavar="MARK", type=_mark, help="the delimiter: a character, or tab or space")
    group.add_argument("--decimal", metavar="MARK", help="the decimal mark, . or ,")
    group.add_argument("--encoding", metavar="NAME", help="encoding of a text file, such as cp1251")
    group.add_argument("--sheet", metavar="NAME", help="sheet of a workbook, by name or position (default: the first)")
    group.add_argument("--query", metavar="SQL", help="query for a SQLite file; or pass FILE::TABLE as the table")
    group.add_argument("--missing", metavar="A,B", type=names, help="further words for a missing value")


def _mark(value: str) -> str:
    return _MARKS.get(value.lower(), value)


def names(value: str) -> list[str]:
    """Parse ``A,B`` as a list of names."""
    return [name.strip() for name in value.split(",") if name.strip()]


def options_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are set, as arguments of ``read_table``."""
    found = {name: given[name] for name in OPTIONS if given.get(name) is not None}
    if str(found.get("sheet", "")).isdecimal():
        found["sheet"] = int(found["sheet"])
    return found


def like_training(facts: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for a table: the given ones, otherwise those of the model's training table."""
    found = {name: value for name, value in facts.reading.items() if name in REMEMBERED}
    return found | options_of(given)


def read_rows(who: str, facts: Any, source: str, given: Mapping[str, Any], more: Sequence[str] = ()) -> Table:
    """Read the columns that a model needs, and ``more``, of a whole table."""
    options = like_training(facts, given)
    table: Table = _asked(who, facts, source, more, lambda chosen: read_table(source, **options, **chosen))
    return table


def blocks_of_rows(
    who: str, facts: Any, source: str, given: Mapping[str, Any], more: Sequence[str] = ()
) -> Iterator[Table]:
    """Read the columns that a model needs in blocks, for a table larger than memory."""
    options = like_training(facts, given)

    def first(chosen: Mapping[str, Any]) -> tuple[Table, Iterator[Table]]:
        parts = read_blocks(source, **options, **chosen)
        return next(parts), parts

    names: dict[str, str] = {}
    part, parts = _asked(who, facts, source, more, first, names)
    yield renamed(part, names)
    yield from (renamed(part, names) for part in parts)


def _asked(
    who: str, facts: Any, source: str, more: Sequence[str], read: Any, names: dict[str, str] | None = None
) -> Any:
    """Call ``read`` for the columns that are needed, under the names that they had in training.

    In a file without header and target, the columns after the target have other positions, and so other names.
    """
    needed = list(dict.fromkeys([*facts.columns, *more]))
    try:
        return read(_chosen(facts, needed, more))
    except UnknownColumnError as error:
        places = facts.without_target(error.known)
        if not places:
            raise _lacking(who, facts, source, needed, more, error) from None
    if lost := [name for name in needed if name not in places]:
        got = f"a table without a header of {len(places)} columns, which lacks it"
        raise ValueError(sentence(who, f"column {lost[0]!r} in {source}", got))
    chosen = _chosen(facts, needed, more)
    found = read({name: [places[column] for column in columns] for name, columns in chosen.items()})
    back = {there: name for name, there in places.items()}
    if names is None:
        return renamed(found, back)
    names.update(back)
    return found


def renamed(table: Table, names: Mapping[str, str]) -> Table:
    """Rename some columns."""
    known = {name: names[name] for name in table if name in names}
    return Table(table.frame.rename(known), table.notes, table.source) if known else table


def _chosen(facts: Any, needed: Sequence[str], more: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns to read, and those to read as text: texts of training, and columns that are only copied."""
    copied = [name for name in more if name not in facts.columns and name != facts.target]
    return {"columns": list(needed), "text": [name for name in needed if name in facts.texts or name in copied]}


def _lacking(
    who: str, facts: Any, source: str, needed: Sequence[str], more: Sequence[str], error: UnknownColumnError
) -> ValueError:
    known = error.known
    lost = [name for name in needed if name not in known]
    shown = ", ".join(map(repr, lost[:5])) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
    some = ", ".join(known[:_FEW]) + (", ..." if len(known) > _FEW else "")
    spare: Collection[str] = set(known) - set(needed)
    got = f"{some}{nearest(lost[0], spare)}"
    why = ", which the model needs," if lost[0] in facts.columns else ""
    remedy = "name its delimiter with --delimiter" if len(known) == 1 < len(needed) else ""
    return ValueError(sentence(who, f"column{'s' * (len(lost) > 1)} {shown}{why} in {source}", got, remedy))
