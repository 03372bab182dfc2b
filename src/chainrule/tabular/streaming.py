"""Tables in files, which may be larger than memory: then a random sample of their rows decides, and one pass encodes.

The sample is the n of N rows with the smallest of N random numbers, so every n rows are equally likely. With a
probability of 1 − δ, all its quantiles are within √(ln(2/δ) / 2n) of their rank in the table (Dvoretzky, Kiefer and
Wolfowitz): 0.23 % for n = 500,000 and δ = 1 %. It misses a value that a share p of the rows has with a probability of
(1 − p)ⁿ. Classes are counted in all rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .._support.checks import Array, require, sentence
from .._support.files import in_our_words
from .._support.notices import warn
from ..data.sources.files import Stamp
from .columns import Column, Frame, Moments, Numbers, as_words, text_of
from .encoders.program import is_missing_name
from .encoders.quantities import read_numbers
from .encoding import TableEncoder
from .files.cells import Findings, resolve
from .files.columnar import open_dataset, parquet_in, refusing
from .files.sources import WHO, Options, Source, choose, kind, staged
from .judging import DATE, HEAVIEST, NUMBER, is_no_class, judge_target
from .kinds import Kinds, inputs
from .moments import NO_MOMENT
from .numerals import COMMA, POINT, value
from .reading import Table, as_table, naming_rows, numbered, parts, read
from .words import is_missing

WHOLE = 1 << 30  # bytes; a larger table is not read as a whole
PACKED = 5  # bytes of text in a packed one
ROWS, CELLS, LEAST = 500_000, 5_000_000, 10_000  # most rows and cells of a sample, and rows in spite of its cells
MOST_CLASSES = 10_000
SPARE = 1.25  # times the rows of the sample are in memory while it is drawn


@dataclass(frozen=True)
class Stored:
    """A table in files: all its rows, or a sample of them if it is too large.

    ``rows`` are those in the files, ``places`` (n,) says which of them ``table`` has, and ``counts`` are the rows of
    each text in the column ``target``, None if they are too many.
    """

    source: Source
    options: Options
    target: str
    table: Table
    rows: int
    places: Array
    counts: Counter[str] | None
    is_sample: bool
    _stamps: list[Stamp]
    _held: ExitStack  # of a temporary file
    skipped: Array = field(default_factory=lambda: np.zeros(0, np.intp))  # places that are not learned from

    def encoded(
        self, encoder: TableEncoder, kinds: Kinds, target: Target, weight: str | None, skipped: Array
    ) -> Iterator[tuple[Array, Array, Array | None]]:
        """Encode all rows but the ``skipped`` places in blocks, each in random order; yield x, y and the weights.

        A value that contradicts its column raises a ValueError that names its row.
        """
        rng, gaps, passed, lost = np.random.default_rng(0), set[str](), 0, 0
        names = list(dict.fromkeys([*encoder.columns, target.name, *([weight] if weight else [])]))
        options = replace(self.options, columns=names, text=[name for name in self.options.text if name in names])
        safe = [
            kind.name
            for kind in inputs(kinds)
            if kind.kind in (NUMBER, DATE) and is_missing_name(kind.name) not in encoder.feature_names
        ]
        blocks = (as_table(block, name) for name, block in parts(self.source, options))
        for table, above in numbered(blocks):
            with naming_rows(table.source, above):
                frame, trimmed = Frame(WHO, table), Frame(WHO, table, trims=True)
                columns = {column: trimmed.column(column) for column in encoder.columns}
                y, there = target.read(frame.column(target.name))
                w = None if weight is None else weights_in(weight, frame.column(weight))
                x = encoder.matrix(columns)
            lost += int((~there).sum())
            there[skipped[(skipped >= passed) & (skipped < passed + frame.rows)] - passed] = False
            kept = rng.permutation(np.flatnonzero(there if w is None else there & (w > 0)))
            gaps |= {column for column in safe if column not in gaps and _has_gaps(columns[column], encoder.missing)}
            passed += frame.rows
            if len(kept):
                yield x[kept], y[kept], None if w is None else w[kept]
        if passed != self.rows or _stamps_of(self.source) != self._stamps:
            self.source.refuse("no changes while it is read of", "another table than at first", "train again")
        if lost:
            warn(f"{lost:,} rows without a value in column {target.name!r} are left out")
        for column in sorted(gaps):
            warn(f"column {column!r} has missing values, but not in the sample of rows: they become the median")

    def some(self, rows: Array, names: Collection[str], skipped: Array) -> Stored:
        """Return the sample with these rows and columns only; nothing is learned from the ``skipped`` rows of it."""
        frame = self.table.frame.select(list(names))[rows.tolist()]
        table = Table(frame, self.table.notes, self.table.source)
        return replace(self, table=table, places=self.places[rows], skipped=np.sort(self.places[skipped]))


def _has_gaps(column: Column, missing: Collection[str]) -> bool:
    if isinstance(column, Numbers):
        return bool(column.missing.any())
    if isinstance(column, Moments):
        return bool((column.values == NO_MOMENT).any())
    words = as_words(column)
    return bool((words.codes < 0).any()) or any(is_missing(word, missing) for word in words.words)


def weights_in(name: str, column: Column) -> Array:
    """Return the weights of rows (N,)."""
    found = read_numbers(name, column, (), POINT)
    if len(wrong := np.flatnonzero(~((found >= 0) & (found <= HEAVIEST)))):
        first = found[wrong[0]]
        expected = f"weights {f'up to {HEAVIEST:g}' if first > 0 else 'of at least 0'} in column {name!r}"
        raise ValueError(sentence(WHO, expected, f"{first:g} at row {wrong[0]}", "fill or drop such rows"))
    return found


# --- opening --------------------------------------------------------------------------------------------------------


def open_table(given: Any, target: str | None = None, *, always: bool = False, **options: Any) -> Stored:
    """Read a table, or a sample if it is too large unless ``always`` all; the last column is the target by default."""
    held = ExitStack()
    source, asked = held.enter_context(staged(given)), Options(**options)
    if always or not is_large(source):
        stamps, (table, notes) = _stamps_of(source), read(source, asked)
        target, rows = _checked(target, table.column_names, source), table.num_rows
        found = as_table(table, source.name, notes)
        return Stored(source, asked, target, found, rows, np.arange(rows), None, False, stamps, held)
    return _sampled(source, asked, target, held)


def _sampled(source: Source, options: Options, target: str | None, held: ExitStack) -> Stored:
    stamps, findings, sample = _stamps_of(source), Findings(), Sample()
    starts: dict[str, int] = {}
    for name, block in parts(source, options, findings):
        starts.setdefault(name, sample.rows)
        target = _checked(target, block.column_names, source)
        sample.add(block)
        if sample.counts is not None:
            sample.count(Frame(WHO, as_table(block, source.name)).column(target))
    if target is None:
        source.refuse("rows in", "none")
    table, places = sample.drawn()
    doubtful = [at for at, name in enumerate(table.column_names) if name in findings.doubtful]
    drawn = replace(source, places=places, starts=starts)
    table = resolve(drawn, table, doubtful, options.decimal, options.missing, findings)
    if findings.means_comma and options.decimal is None:
        return _sampled(source, replace(options, decimal=COMMA), target, held)
    texts = [column.name for column in table.schema if str(column.type) in ("string", "large_string")]
    told = replace(options, decimal=options.decimal or findings.decimal or None, text=texts)
    note = f"read in parts: a random sample of {len(places):,} of {sample.rows:,} rows decides about the columns"
    found = as_table(table, source.name, [note])
    return Stored(source, told, target, found, sample.rows, places, sample.counts, True, stamps, held)


def is_large(source: Source) -> bool:
    """Whether a table is too large to be read as a whole: by its cells of 8 bytes, or its bytes of text."""
    if kind(source) in ("parquet", "folder"):
        with refusing(source, source.name):
            whole = open_dataset(source)
            return bool(8 * whole.count_rows() * len(whole.schema.names) > WHOLE)
    packed = {file: PACKED if file.suffix in (".gz", ".zip") else 1 for file in _files(source)}
    return sum(file.stat().st_size * times for file, times in packed.items()) > WHOLE


def _files(source: Source) -> list[Path]:
    if source.dataset is not None:
        return []
    return [*source.files] or ([*map(Path, parquet_in(source.path))] if source.path.is_dir() else [source.path])


def _stamps_of(source: Source) -> list[Stamp]:
    with in_our_words(WHO, f"to read {source.name}"):
        return [Stamp.of(file) for file in _files(source)]


def _checked(target: str | None, names: list[str], source: Source) -> str:
    return names[-1] if target is None else names[choose(source, names, Options(columns=[target]))[0]]


class Sample:
    """Rows drawn at random from blocks, as many as a bound allows; and the counts of the texts of the target."""

    def __init__(self) -> None:
        self._rng, self._limit = np.random.default_rng(0), 1.0
        self._kept: list[tuple[Any, Array, Array]] = []  # tables, keys and places
        self.rows, self._most = 0, ROWS
        self.counts: Counter[str] | None = Counter()

    def add(self, block: Any) -> None:
        """Draw from the next rows."""
        keys = self._rng.random(block.num_rows)
        kept = np.flatnonzero(keys < self._limit)
        self._kept.append((block.take(kept), keys[kept], self.rows + kept))
        self.rows += block.num_rows
        self._most = min(ROWS, max(CELLS // block.num_columns, LEAST))
        if sum(len(keys) for _, keys, _ in self._kept) > SPARE * self._most:
            self._shrink()

    def count(self, target: Column) -> None:
        """Count the texts of the target in the next rows, unless they are too many."""
        self.counts = (self.counts or Counter()) + _counts(target)
        self.counts = self.counts if len(self.counts) <= MOST_CLASSES else None

    def _shrink(self) -> None:
        """Keep the rows with the smallest keys, in their order."""
        tables, *numbers = zip(*self._kept, strict=True)
        table, (keys, places) = _stacked(tables), map(np.concatenate, numbers)
        if len(keys) > self._most:
            kept = np.sort(np.argpartition(keys, self._most)[: self._most])
            table, keys, places = table.take(kept), keys[kept], places[kept]
            self._limit = keys.max()
        self._kept = [(table.combine_chunks(), keys, places)]

    def drawn(self) -> tuple[Any, Array]:
        """Return the Arrow table, and the places of its rows (n,)."""
        self._shrink()
        ((table, _, places),) = self._kept
        require("pyarrow", "tabular", WHO).default_memory_pool().release_unused()
        return table, places


def _counts(column: Column) -> Counter[str]:
    words = as_words(column)
    return Counter(dict(zip(words.words, words.counts().tolist(), strict=True)))


def _stacked(tables: Sequence[Any]) -> Any:
    """Join tables; a column that is text in one, as numbers among words are, is text in all."""
    arrow = require("pyarrow", "tabular", WHO)
    texts = {column.name for table in tables for column in table.schema if column.type == arrow.string()}
    for name in texts:
        if any(table.schema.field(name).type != arrow.string() for table in tables):
            place = tables[0].schema.get_field_index(name)
            tables = [table.set_column(place, name, table[name].cast(arrow.string())) for table in tables]
    return arrow.concat_tables(tables, promote_options="permissive")


# --- the target -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """The column to predict: numbers, or classes by their texts; ``counts`` are the rows of each class."""

    name: str
    form: str = ""
    counts: Mapping[str, int] | None = None
    are_integers: bool = False

    @staticmethod
    def of(who: str, stored: Stored, *, is_class: bool, kind: str = "") -> Target:
        """Find the classes in all rows, or how numbers are written."""
        name, missing = stored.target, stored.options.missing
        column = Frame(who, stored.table).column(name)
        if not is_class:
            return Target(name, judge_target(who, name, column, missing, NUMBER).form)
        judge_target(who, name, column, missing, kind)
        found = stored.counts if stored.is_sample else _counts(column)
        if found is None:
            raise ValueError(sentence(who, f"at most {MOST_CLASSES:,} classes in column {name!r}", "more"))
        counts = Counter[str]()
        for word, count in found.items():
            number = value(word) if isinstance(column, Numbers) else None  # as blocks of text have it
            if count and (number is not None or not is_no_class(word, missing)):
                counts[word if number is None else text_of(number)] += count
        are_integers = isinstance(column, Numbers) and all(word.removeprefix("-").isdecimal() for word in counts)
        order = sorted(counts, key=int if are_integers else str)
        return Target(name, "", {word: counts[word] for word in order}, are_integers)

    @property
    def labels(self) -> Array:
        """The classes, in order."""
        texts = list(self.counts or ())
        return np.array([int(text) for text in texts], np.int64) if self.are_integers else np.array(texts, object)

    def read(self, column: Column) -> tuple[Array, Array]:
        """Return y (N,), numbers or labels, and which rows have one."""
        if self.counts is None:
            y = read_numbers(self.name, column, (), COMMA if self.form == COMMA else POINT)
            return y, np.isfinite(y)
        places = {text: place for place, text in enumerate(self.counts)}
        words = as_words(column)
        codes = np.array([*(places.get(word, -1) for word in words.words), -1])[words.codes]
        return self.labels[codes], codes >= 0
