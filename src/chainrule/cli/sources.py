"""SOURCE, a table or a named data set, as rows to learn from or rows to use a model on."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .._checks import Array, check_name, nearest, sentence
from ..data import load_named, read_table, split
from ..data.batches import split_rows
from ..data.named import NAMES, NamedData
from ..data.tables import Table
from ..tabular import TableEncoder
from .facts import Facts

LEAST_ROWS = 5  # three to learn from, one to watch, one to test
Rows = tuple[Array, Array]


@dataclass(frozen=True)
class Problem:
    """What is to be learned, in three parts that share no row; ``validation`` may be missing."""

    facts: Facts
    train: Rows
    validation: Rows | None
    test: Rows


def resolve(who: str, source: str) -> Path | str:
    """The path of a table, or the name of a data set: an existing file wins."""
    path = Path(source)
    if path.is_file():
        return path
    if path.suffix or os.sep in source:
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        got = f"no such file{nearest(path.name, others)}"
        raise FileNotFoundError(sentence(who, f"a table at {source}", got))
    return check_name(who, "a data set, or an existing file", source, NAMES)


def named_problem(name: str, *, validation: float, seed: int) -> Problem:
    """A named data set: its test part is its own, the validation part a fraction of its training part."""
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
    """A table, its rows divided at random; only those to learn from tell the encoder what to expect."""
    table = read_table(path, header=header, columns=columns, text=text)
    target = check_name("train", f"a column of {path}", target or list(table)[-1], table)
    if table.row_count < LEAST_ROWS:
        got = str(table.row_count)
        raise ValueError(sentence("train", f"at least {LEAST_ROWS} rows in {path}, to learn from and to test", got))
    task = TableEncoder(task).fit(table, target).task
    stratify = task == "classification"
    labels = np.unique(table[target], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    kept, aside = split_rows(labels, test, rng, stratify)
    train, held_out = table.take(kept), None
    if validation:
        rest, watched = split_rows(labels[kept], validation, rng, stratify)
        train, held_out = table.take(kept[rest]), table.take(kept[watched])
    encoder = TableEncoder(task).fit(train, target)
    names = tuple(str(label) for label in encoder.classes)
    return Problem(
        Facts(path.name, target, names, encoder=encoder),
        _encoded(encoder, train),
        None if held_out is None else _encoded(encoder, held_out),
        _encoded(encoder, table.take(aside)),
    )


def _encoded(encoder: TableEncoder, table: Table) -> Rows:
    return encoder.transform(table), encoder.encode_target(table)


def labelled_rows(who: str, facts: Facts, source: str, header: bool | None) -> Rows:
    """The rows of a table, or of a named set's test part, with their targets."""
    found = resolve(who, source)
    if facts.encoder is not None and isinstance(found, Path):
        return _encoded(facts.encoder, _read(facts.encoder, found, [facts.target], header))
    data = _named(who, facts, found)
    return data.x_test, data.y_test


def unlabelled_rows(who: str, facts: Facts, source: str, header: bool | None) -> Array:
    """The same without targets: a table needs no column for them, and may be one of pixels."""
    found = resolve(who, source)
    if isinstance(found, str):
        return _named(who, facts, found).x_test
    if facts.encoder is not None:
        return facts.encoder.transform(_read(facts.encoder, found, [], header))
    return _pixels(who, facts, read_table(found, header=header))


def _read(encoder: TableEncoder, path: Path, more: list[str], header: bool | None) -> Table:
    columns = [*encoder.columns, *more]
    text = [name for name in encoder.text_columns if name in columns]
    return read_table(path, header=header, columns=columns, text=text)


def _named(who: str, facts: Facts, found: Path | str) -> NamedData:
    if facts.encoder is not None or isinstance(found, Path):
        expected = f"a {'table' if facts.encoder is not None else 'named data set'} for a model of {facts.source}"
        raise ValueError(sentence(who, expected, str(found)))
    data = load_named(found)
    if data.image_shape != facts.image_shape or data.class_names != facts.class_names:
        raise ValueError(sentence(who, f"data like {facts.source} for this model", found))
    return data


def _pixels(who: str, facts: Facts, table: Table) -> Array:
    """Images from a table with a column for each pixel."""
    numbers = [column for column in table.values() if column.dtype != object]
    if len(numbers) != len(table) or len(table) != facts.inputs:
        got = f"{len(table)} columns, {len(numbers)} of them numbers, in {table.source}"
        expected = f"{facts.inputs} columns of numbers, the pixels, for a model of {facts.source}"
        raise ValueError(sentence(who, expected, got, f"or write {facts.source} for its test part"))
    x = np.stack(numbers, axis=1)
    if x.min() < 0 or x.max() > 1:
        got = f"{x.min():g} to {x.max():g} in {table.source}"
        raise ValueError(sentence(who, f"pixels from 0 to 1, as in {facts.source}", got, "divide by the largest first"))
    return x
