"""Read tables for the shell: the options of all commands, SOURCE, the rows for a model, and those with an answer."""

from __future__ import annotations

import argparse
import glob
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, check_name, nearest, sentence
from .._support.files import as_path
from ..data.named import NAMES, NamedData, load_named
from ..tabular.columns import Frame, Numbers
from ..tabular.reading import Table, UnknownColumnError, naming_rows, read_blocks, read_table
from .models import Facts, Trained
from .scores import GAP, class_codes, numbers_of

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


STDIN = "-"


@dataclass(frozen=True)
class Source:
    """The user's text, and whether it is a table; the file if it can be read repeatedly."""

    text: str
    is_table: bool
    file: Path | None = None

    @property
    def name(self) -> str:
        """The name without folders."""
        return "standard input" if self.text == STDIN else Path(self.text).name


def is_file(source: str) -> bool:
    """Whether a source can be read repeatedly."""
    found = Path(source).is_file() or Path(source).is_dir() or "::" in source or "://" in source
    return source != STDIN and (found or glob.has_magic(source))


def resolve(who: str, source: str) -> Source:
    """Resolve a table or the name of a data set; an existing file takes precedence."""
    if source == STDIN or "://" in source:
        return Source(source, is_table=True)
    head, found, _ = source.rpartition("::")
    if found and as_path(who, head).is_file():
        return Source(source, is_table=True, file=Path(head))
    path = as_path(who, source)
    if path.exists() and not (path.is_dir() and source in NAMES):
        if path.is_dir() and not any(path.rglob("*.parquet")):
            raise IsADirectoryError(sentence(who, "a table", f"the folder {source}", "name a file in it"))
        return Source(source, is_table=True, file=path if path.is_file() else None)  # a pipe counts as a file
    if glob.has_magic(source):
        return Source(source, is_table=True)
    if path.suffix or os.sep in source:
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        got = f"no such file{nearest(path.name, others)}"
        raise FileNotFoundError(sentence(who, f"a table at {source}", got))
    return Source(check_name(who, "a data set, or an existing file", source, NAMES), is_table=False)


def test_set(who: str, facts: Facts, found: Source) -> NamedData:
    """Load the data set whose test set is used, for a model trained on images of this kind."""
    if facts.image_shape is None or found.is_table:
        kind = "named data set" if facts.image_shape is not None else "table"
        raise ValueError(sentence(who, f"a {kind} for a model trained on {facts.source}", found.text))
    data = load_named(found.text)
    if data.image_shape != facts.image_shape or data.class_names != facts.class_names:
        raise ValueError(sentence(who, f"a data set like {facts.source} for this model", found.text))
    return data


def pixels(who: str, facts: Facts, source: str, given: dict[str, Any]) -> Array:
    """Read images from a table with one column per pixel."""
    table = Frame(who, read_table(source, **options_of(given)))
    columns = [column for name in table.names if isinstance(column := table.column(name), Numbers)]
    if len(columns) != len(table.names) or len(columns) != facts.inputs:
        got = f"{len(table.names)} columns, {len(columns)} of them numeric, in {source}"
        expected = f"{facts.inputs} numeric columns, one per pixel, for a model trained on {facts.source}"
        raise ValueError(sentence(who, expected, got, f"or pass {facts.source} to predict its test set"))
    x = np.stack([np.where(column.missing, np.nan, column.values.astype(float)) for column in columns], axis=1)
    if not (x.min() >= 0 and x.max() <= 1):
        got = f"{x.min():g} to {x.max():g} in {source}"
        remedy = "divide by the largest possible value first"
        raise ValueError(sentence(who, f"pixels from 0 to 1, as in {facts.source}", got, remedy))
    return x


MOST_NOTES = 3  # of columns with values that training never saw


@dataclass(frozen=True)
class Labelled:
    """Rows for the model: pixels (N, I) or a frame. ``y`` are class indices or numbers (N,); ``lines`` are the
    positions of the rows in their table, from 1."""

    x: Any
    y: Array
    lines: Array


def labelled(who: str, model: Trained, source: str, given: Mapping[str, Any]) -> Labelled:
    """Return the labelled rows of a table or a named data set."""
    facts = model.facts
    found = resolve(who, source)
    if facts.image_shape is not None or not found.is_table:
        data = test_set(who, facts, found)
        return Labelled(data.x_test, data.y_test, np.arange(1, len(data.y_test) + 1))
    table = read_rows(who, facts, source, given, [facts.target])
    with naming_rows(source):
        kept = with_answers(who, facts, Frame(who, table), source)
    if len(kept.lines) < len(table.frame):
        count = len(table.frame) - len(kept.lines)
        print(f"note: {count:,} rows without a value in {facts.target!r} are left out", file=sys.stderr)
    rows = table.frame if len(kept.lines) == len(table.frame) else table.frame[(kept.lines - 1).tolist()]
    with naming_rows(source):
        note_unseen(model, rows)
    return Labelled(rows, kept.y, kept.lines)


def with_answers(who: str, facts: Facts, table: Frame, source: str, form: str = "") -> Labelled:
    """Return the labelled rows, and print notes about their classes."""
    column = table.column(facts.target)
    if facts.class_names:
        y, said = class_codes(column, facts.class_names)
        there = y != GAP
        if said:
            print(f"note: {said}", file=sys.stderr)
    else:
        y = numbers_of(facts.target, column, form)
        there = np.isfinite(y)
    if not there.any():
        raise ValueError(sentence(who, f"rows with a value in the target {facts.target!r} of {source}", "none"))
    return Labelled(None, y[there], np.flatnonzero(there) + 1)


def note_unseen(model: Trained, rows: Any, said: set[str] | None = None) -> None:
    """Note which columns have values that are rare or unseen in training, unless it was ``said`` before."""
    said = set() if said is None else said
    found = {name: strange for name, strange in model.unseen(rows).items() if name not in said}
    for name, (strange, values) in list(found.items())[:MOST_NOTES]:
        some = ", ".join(map(repr, values[:3])) + (", ..." if len(values) > 3 else "") or "missing ones"
        note = f"{strange:,} of {len(rows):,} rows have values that occur at most once in training ({some})"
        print(f"note: column {name!r}: {note}", file=sys.stderr)
    if others := list(found)[MOST_NOTES:]:
        some = ", ".join(map(repr, others[:MOST_NOTES])) + (", ..." if len(others) > MOST_NOTES else "")
        note = f"{len(others)} more columns have values that occur at most once in training: {some}"
        print(f"note: {note}", file=sys.stderr)
    said.update(found)
