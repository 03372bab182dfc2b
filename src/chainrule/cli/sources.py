"""SOURCE, a table or a named data set, as arrays for training, evaluation and prediction."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, check_name, nearest, sentence
from .._support.files import as_path
from ..data.batches import split, split_rows
from ..data.named import NAMES, NamedData, load_named
from ..data.tables import Table, UnknownColumnError, read_table
from ..tabular import TableEncoder
from .facts import Facts

LEAST_ROWS = 5  # three for training, one for validation, one for the test
_DELIMITERS = "the delimiter must be a comma, semicolon or tab"
Rows = tuple[Array, Array]


def add_header_option(parser: argparse._ActionsContainer) -> None:
    """``--header`` and ``--no-header``, for every command that reads a table."""
    parser.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line holds the column names (default: inferred)",
    )


@dataclass(frozen=True)
class Problem:
    """The training, validation and test sets, which share no row; ``validation`` may be None.

    ``rows`` are those of the test as they stand in the table.
    """

    facts: Facts
    train: Rows
    validation: Rows | None
    test: Rows
    rows: Table | None = None


def resolve(who: str, source: str) -> Path | str:
    """The path of a table, or the name of a data set; an existing file takes precedence."""
    path = as_path(who, source)
    if path.exists() and not path.is_dir():  # a pipe is as good as a file
        return path
    if path.is_dir() and source not in NAMES:
        raise IsADirectoryError(sentence(who, "a table", f"the folder {source}", "name a file in it"))
    if path.suffix or os.sep in source:
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        got = f"no such file{nearest(path.name, others)}"
        raise FileNotFoundError(sentence(who, f"a table at {source}", got))
    return check_name(who, "a data set, or an existing file", source, NAMES)


def named_problem(name: str, *, validation: float, seed: int) -> Problem:
    """A named data set with its own test set; validation is a fraction of its training set."""
    data = load_named(name)
    facts = Facts(name, "class", data.class_names, image_shape=data.image_shape)
    train: Rows = (data.x, data.y)
    held_out: Rows | None = None
    if validation:
        x, y, xv, yv = split(data.x, data.y, validation, rng=seed, stratify=True)
        train, held_out = (x, y), (xv, yv)
    return Problem(facts, train, held_out, (data.x_test, data.y_test))


def table_problem(
    path: Path,
    *,
    target: str | None,
    task: str | None,
    columns: Collection[str] | None,
    text: Collection[str],
    header: bool | None,
    test: float,
    validation: float,
    seed: int,
) -> Problem:
    """A table, its rows split at random; the encoder is fitted to the training rows alone."""
    wanted = columns if columns is None or target is None else {*columns, target}
    table = read_table(path, header=header, columns=wanted, text=text)
    if columns is None and len(table) < 2:
        expected = f"inputs and a target in {path}"
        raise ValueError(sentence("train", expected, f"only one column, {next(iter(table))!r}", _DELIMITERS))
    target = check_name("train", f"a column of {path}", list(table)[-1] if target is None else target, table)
    if table.row_count < LEAST_ROWS:
        got = str(table.row_count)
        raise ValueError(sentence("train", f"at least {LEAST_ROWS} rows in {path}", got))
    task = TableEncoder(task).fit(table, target).task
    kept, chosen, aside = _divide(table, target, task == "classification", test, validation, seed)
    train, rows = table.take(kept), table.take(aside)
    encoder = TableEncoder(task).fit(train, target)
    names = tuple(str(label) for label in encoder.classes)
    _advise(table, target)
    return Problem(
        Facts(path.name, target, names, encoder=encoder),
        _encoded(encoder, train),
        _encoded(encoder, table.take(chosen)) if len(chosen) else None,
        _encoded(encoder, rows),
        rows,
    )


def _advise(table: Table, target: str) -> None:
    """Note the columns that cannot tell anything, and those that tell only where a row stands."""
    inputs = {name: column for name, column in table.items() if name != target}
    for name, column in inputs.items():
        if (column == column[0]).all():
            what = f"holds {column.tolist()[0]!r} in every row"
        elif len(inputs) > 1 and column.dtype != object and column[0].is_integer() and (np.diff(column) == 1).all():
            what = "numbers the rows, which new rows will not repeat"
        else:
            continue
        print(f"note: column {name!r} {what}; drop it (list the others in --columns)", file=sys.stderr)


def _divide(
    table: Table, target: str, stratify: bool, test: float, validation: float, seed: int
) -> tuple[Array, Array, Array]:
    """The rows for training, validation (none if it is 0) and the test."""
    labels = np.unique(table[target], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    kept, aside = split_rows(labels, test, rng, stratify)
    chosen = kept[:0]
    if validation and len(kept) > 1:
        rest, held_out = split_rows(labels[kept], validation, rng, stratify)
        kept, chosen = kept[rest], kept[held_out]
    unseen = np.flatnonzero(~np.isin(labels, labels[kept]))
    if len(unseen) and (stratify or len(set(labels[kept])) < 2):
        if 2 * len(kept) < table.row_count:
            option = "--validation" if validation > test else "--test-fraction"
            expected = f"enough rows of {table.source} for training"
            raise ValueError(sentence("train", expected, f"{len(kept)} of {table.row_count}", f"lower {option}"))
        expected = f"a training row for every class in column {target!r} of {table.source}"
        got = f"none for {table[target].tolist()[unseen[0]]!r}"
        raise ValueError(sentence("train", expected, got, "drop rare classes, or add rows of them"))
    return kept, chosen, aside


def _encoded(encoder: TableEncoder, table: Table) -> Rows:
    return encoder.transform(table), encoder.encode_target(table)


def labeled_rows(who: str, facts: Facts, source: str, header: bool | None) -> Rows:
    """The inputs and targets of a table, or of the test set of a named data set."""
    x, y, _ = labeled(who, facts, source, header)
    return x, y


def labeled(who: str, facts: Facts, source: str, header: bool | None) -> tuple[Array, Array, Table | None]:
    """The same, and the table."""
    found = resolve(who, source)
    if facts.encoder is not None and isinstance(found, Path):
        table = _read(who, facts.encoder, found, [facts.target], header)
        rows = _encoded(facts.encoder, table)
        _note_unseen(facts.encoder, table)
        return *rows, table
    data = _named(who, facts, found)
    return data.x_test, data.y_test, None


def unlabeled_rows(who: str, facts: Facts, source: str, header: bool | None) -> Array:
    """The inputs alone: a table needs no target column, and for an image model it holds pixels."""
    found = resolve(who, source)
    if isinstance(found, str):
        return _named(who, facts, found).x_test
    if facts.encoder is not None:
        table = _read(who, facts.encoder, found, [], header)
        x = facts.encoder.transform(table)
        _note_unseen(facts.encoder, table)
        return x
    return _pixels(who, facts, _read_like(found, header=header))


def _read(who: str, encoder: TableEncoder, path: Path, more: list[str], header: bool | None) -> Table:
    columns = [*encoder.columns, *more]
    text = [name for name in encoder.text_columns if name in columns]
    try:
        return _read_like(path, header=header, columns=columns, text=text)
    except UnknownColumnError as error:
        some = ", ".join(error.known[:20]) + (", ..." if len(error.known) > 20 else "")
        got = f"{some}{nearest(error.name, set(error.known) - set(columns))}"
        remedy = _DELIMITERS if len(error.known) == 1 else ""
        raise ValueError(
            sentence(who, f"column {error.name!r}, which the model needs, in {path}", got, remedy)
        ) from None


def _note_unseen(encoder: TableEncoder, table: Table) -> None:
    for name, (rows, values) in encoder.unseen(table).items():
        some = ", ".join(map(repr, values[:3])) + (", ..." if len(values) > 3 else "")
        note = f"{rows:,} of {table.row_count:,} rows hold values that training never saw ({some})"
        print(f"note: column {name!r}: {note}", file=sys.stderr)


def _read_like(path: Path, **options: Any) -> Table:
    """``read_table`` for a model that is there: columns and what is text are chosen, so no error advises it."""
    try:
        return read_table(path, **options)
    except UnknownColumnError:
        raise
    except ValueError as error:
        said, _, remedies = str(error).rpartition("; ")
        kept = [remedy for remedy in remedies.rstrip(".").split(", or ") if "=[...]" not in remedy]
        if "=[...]" in remedies and "rows" not in remedies:
            kept.append("drop this row")
        raise ValueError(f"{said}; {', or '.join(kept)}." if said and kept else str(error)) from None


def _named(who: str, facts: Facts, found: Path | str) -> NamedData:
    if facts.encoder is not None or isinstance(found, Path):
        expected = (
            f"a {'table' if facts.encoder is not None else 'named data set'} for a model trained on {facts.source}"
        )
        raise ValueError(sentence(who, expected, str(found)))
    data = load_named(found)
    if data.image_shape != facts.image_shape or data.class_names != facts.class_names:
        raise ValueError(sentence(who, f"a data set like {facts.source} for this model", found))
    return data


def _pixels(who: str, facts: Facts, table: Table) -> Array:
    """Images from a table with one column per pixel."""
    numbers = [column for column in table.values() if column.dtype != object]
    if len(numbers) != len(table) or len(table) != facts.inputs:
        got = f"{len(table)} columns, {len(numbers)} of them numeric, in {table.source}"
        expected = f"{facts.inputs} numeric columns, one per pixel, for a model trained on {facts.source}"
        raise ValueError(sentence(who, expected, got, f"or pass {facts.source} to predict its test set"))
    x = np.stack(numbers, axis=1)
    if x.min() < 0 or x.max() > 1:
        got = f"{x.min():g} to {x.max():g} in {table.source}"
        raise ValueError(
            sentence(
                who, f"pixels from 0 to 1, as in {facts.source}", got, "divide by the largest possible value first"
            )
        )
    return x
