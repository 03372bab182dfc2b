"""Read X as columns: frames by name, matrices by position, files with y as the name of a column; rows and weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from numbers import Number
from os.path import isfile
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils import check_array
from sklearn.utils.validation import check_non_negative

from ..._support.checks import Array, as_numeric, check_name, sentence
from ..._support.notices import warn
from ..._support.strangers import is_gap
from ...estimators.inputs import check_numbers
from ..columns import Column, Frame, is_cell, rows_of
from ..encoders.quantities import SIMPLE
from ..encoding import TableEncoder
from ..files import sources
from ..judging import NUMBER
from ..kinds import Kinds, understand
from ..reading import naming_rows, numbered, read_blocks
from ..recipe import ROWS_OF_BINS
from ..streaming import Stored, Target, open_table, weights_in

Columns: TypeAlias = "dict[str, Column]"
PARTS = ("TableEncoder", "understand", "read_table")
LIGHTEST = 1e-18  # of weights, beside the largest


@contextmanager
def speaking_as(who: str) -> Iterator[None]:
    """Reword errors of parts of an estimator as errors of the estimator."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        part, expects, rest = str(error).partition(" expects ")
        if part not in PARTS:
            raise
        kind = TypeError if isinstance(error, TypeError) else type(error) if isinstance(error, OSError) else ValueError
        raise kind(f"{who}{expects}{rest}") from None


def is_matrix(X: Any) -> bool:
    """Whether X has no column names."""
    kind = type(X)  # accessing the columns of a LazyFrame computes it
    return issparse(X) or not (isinstance(X, Mapping) or hasattr(kind, "columns") or hasattr(X, "frame"))


def read(who: str, X: Any) -> Columns:
    """Read the columns of X."""
    if is_matrix(X):
        X = check_array(X, dtype=None, ensure_all_finite=False, estimator=who, input_name="X")
        if X.dtype.kind == "c":
            raise ValueError(sentence(who, "numbers in X", "complex ones: Complex data not supported"))
    frame = Frame(who, X)
    return {name: frame.column(name) for name in frame.names}


def count_rows(columns: Columns) -> int:
    """Count the rows of a table."""
    return len(next(iter(columns.values())))


def take(columns: Columns, rows: Any) -> Columns:
    """Select rows of a table."""
    return {name: rows_of(column, rows) for name, column in columns.items()}


def kinds_of(X: Any, columns: Columns, stated: Mapping[str, str] | None) -> Kinds:
    """Decide the kinds of columns; those of a numeric matrix are numbers, because scikit-learn leaves none out."""
    chosen = dict(stated or {})
    if is_matrix(X) and np.asarray(X).dtype.kind in "fiu":
        chosen = dict.fromkeys(columns, NUMBER) | chosen
    return understand(columns, chosen)


def as_in_training(who: str, X: Any, names: Sequence[str], needed: Sequence[str], *, by_place: bool) -> Columns:
    """Return the columns of new rows by the names of training; by position if X was or is a matrix."""
    columns = read(who, X)
    if not (by_place or is_matrix(X)):
        _check_names(who, columns, needed)
        return {name: columns[name] for name in needed}
    _check_count(who, len(columns), names)
    if not by_place:
        warn(f"X does not have valid feature names, but {who} was fitted with feature names")
    return dict(zip(names, columns.values(), strict=True))


def _check_names(who: str, given: Collection[str], needed: Sequence[str]) -> None:
    if missing := [name for name in needed if name not in given]:
        some = ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")
        got = "a table without " + ("it" if len(missing) == 1 else "them")
        raise ValueError(sentence(who, f"the column{'s' * (len(missing) > 1)} {some} of its training", got))


def _check_count(who: str, given: int, names: Sequence[str]) -> None:
    if given != len(names):
        raise ValueError(f"X has {given} features, but {who} is expecting {len(names)} features as input.")


def row_of(
    who: str, X: Any, names: Sequence[str], needed: Sequence[str], *, by_place: bool
) -> Mapping[str, Any] | None:
    """Return the cells of a single row by the names of training; None if X is a table, or may be one.

    A row is a dict of cells, a tuple or list of cells in the order of training, or a frame of one row.
    """
    if by_place and isinstance(X, Mapping):
        X = tuple(X.values())
    if isinstance(X, (tuple, list)) and X and all(map(is_cell, X)):
        if all(isinstance(cell, (str, Path)) and isfile(cell) for cell in X):
            remedy = "pass a pattern, such as 'parts/*.csv', or one file at a time"
            raise ValueError(sentence(who, "a table or a row", f"a list of files, {X[0]!s} first", remedy))
        _check_count(who, len(X), names)
        return dict(zip(names, X, strict=True))
    if isinstance(X, Mapping):
        row = X if all(name in X for name in needed) else {str(name): cell for name, cell in X.items()}
        if not row or not all(map(is_cell, [row[name] for name in needed if name in row] or row.values())):
            return None
        _check_names(who, row, needed)
        return row
    is_known = type(X).__module__.partition(".")[0] in ("pandas", "polars")
    if not by_place and is_known and hasattr(X, "shape") and hasattr(X, "columns") and len(X) == 1:
        return _only_row(X, needed)
    return None


def _only_row(frame: Any, needed: Sequence[str]) -> dict[str, Any] | None:
    """Return the cells of the frame; of types that are not simple, frames of one column."""
    of_pandas = hasattr(frame, "iat")
    cell_at = (lambda place: frame.iat[0, place]) if of_pandas else frame.row(0).__getitem__
    places = {str(label): place for place, label in enumerate(frame.columns)}
    if len(places) < frame.shape[1] or not all(name in places for name in needed):
        return None
    row: dict[str, Any] = {}
    for name in needed:
        cell = cell_at(place := places[name])
        if isinstance(cell, (np.number, np.bool_)):
            cell = cell.item()
        if type(cell) not in SIMPLE:
            cell = None if is_gap(cell) else frame.iloc[:, [place]] if of_pandas else frame[:, [place]]
        row[name] = cell
    return row


def weights_of(who: str, name: str, weight: Any, count: int) -> Array | None:
    """Convert sample weights to float64 (N,); a single number applies to all rows."""
    if weight is None:
        return None
    if isinstance(weight, Number):
        weight = np.full(count, weight)
    check_numbers(who, name, weight)
    weight = as_numeric(who, name, weight, np.float64)
    found: Array = check_array(weight, ensure_2d=False, dtype=np.float64, input_name=name)
    if found.shape != (count,):
        raise ValueError(sentence(who, f"{name} of shape ({count},), one for each row", f"{found.shape}"))
    check_non_negative(found, f"`{name}`")
    if not found.any():
        raise ValueError(sentence(who, f"a {name} that is not zero", "zeros alone"))
    weights = scaled(found)
    if lost := np.count_nonzero(found) - np.count_nonzero(weights):
        warn(f"{lost:,} rows whose {name} is below {LIGHTEST:g} of the largest are left out")
    return weights


def scaled(weights: Array) -> Array:
    """Return weights times a power of two, which float32 holds: the largest is from 0.5 to 1, the least are 0."""
    found = np.ldexp(weights, -int(np.frexp(weights.max())[1]))
    return np.where(found < LIGHTEST, 0.0, found)


def set_aside(labels: Array | None, count: int, fraction: float, rng: np.random.Generator, member: int = 0) -> Array:
    """Choose validation rows: a random share, stratified by label, that leaves each label at least one row.

    With the same generator, members have different rows, as long as there are others.
    """
    order = rng.permutation(count)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    passed = np.floor(np.arange(member, member + count + 1) * fraction + rng.random())
    chosen = np.zeros(count, bool)
    chosen[order] = np.diff(passed) > 0
    if labels is not None:
        chosen[order[np.unique(labels[order], return_index=True)[1]]] = False
    elif chosen.all():
        chosen[order[0]] = False
    return chosen


def folds(labels: Array | None, count: int, number: int, rng: np.random.Generator) -> Array:
    """Return the fold of each row: random, of equal sizes, each with its share of each label."""
    order = rng.permutation(count)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    ids = np.empty(count, np.intp)
    ids[order] = np.arange(count) % number
    return ids


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """x (N, I + J) as the network takes it, and the column of the table from which each of its columns comes."""

    x: Array
    columns: tuple[str, ...]

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, name in enumerate(self.columns):
            found.setdefault(name, []).append(place)
        return found

    def exchanged(self, names: Collection[str], rows: Array) -> EncodedRows:
        """The same with these columns of the table taken from other rows; a column is encoded without the others."""
        which = [place for name in names for place in self._places.get(name, ())]
        x = self.x.copy()
        x[:, which] = x[np.ix_(rows, np.array(which, np.intp))]
        return EncodedRows(x, self.columns)


FEW = ROWS_OF_BINS  # rows in memory, by which the weights begin


def is_stored(X: Any) -> bool:
    """Whether X is a table in files, or one that streams its rows."""
    return isinstance(X, Stored) or sources.is_stored(X)


class Opened(NamedTuple):
    """The columns, labels or numbers, and weights of the rows that are read; and where they are from."""

    columns: Columns
    y: Array
    weight: Array | None
    places: Array
    target: Target
    weight_name: str | None
    stored: Stored

    @property
    def rows(self) -> int:
        """Number of rows to learn from, and for validation."""
        return self.stored.rows - len(self.stored.skipped)

    @property
    def all_labels(self) -> Array:
        """All classes, twice, as if they were of few rows; or the numbers."""
        return self.y if self.target.counts is None else np.repeat(self.target.labels, 2)

    def encoded(
        self, encoder: TableEncoder, kinds: Kinds, aside: Array | None
    ) -> Iterator[tuple[Array, Array, Array | None]]:
        """Encode all rows, without those of the sample that are set aside."""
        skipped = np.concatenate([self.stored.skipped, self.places[[] if aside is None else aside]])
        return self.stored.encoded(encoder, kinds, self.target, self.weight_name, np.sort(skipped))


def in_memory(
    estimator: Any, X: Any, y: Any, weight: Any, *, always: bool = False, of: str = ""
) -> tuple[Any, Any, Any, Opened | None]:
    """Return X, y and the weights as they are, or those in files; if these are a sample, all of what is known of it."""
    if not is_stored(X):
        return X, y, weight, None
    found = opened(type(estimator).__name__, X, y, weight, is_class=is_classifier(estimator), always=always, of=of)
    return found.columns, found.y, found.weight, found if found.stored.is_sample else None


def opened(who: str, X: Any, y: Any, weight: Any, *, is_class: bool, always: bool = False, of: str = "") -> Opened:
    """Read a table, or a sample of a larger one; rows without a value in the column ``y`` are left out."""
    for name, given in {f"y{of}": y, f"sample_weight{of}": weight}.items():
        if not isinstance(given, str) and not (given is None and name != f"y{of}"):
            got = "none" if given is None else f"a value of type {type(given).__name__}"
            raise TypeError(sentence(who, f"{name} to be the name of a column of X", got, f"pass {name}='...'"))
    with speaking_as(who):
        stored = X if isinstance(X, Stored) else open_table(X, y, always=always)
        frame, target = Frame(who, stored.table), Target.of(who, stored, is_class=is_class)
        found, there = target.read(frame.column(y))
        w = None
        if weight is not None:
            check_name(who, "a column of X for sample_weight", weight, frame.names)
            w = weights_in(weight, frame.column(weight))
    kept = np.flatnonzero(there)
    if len(kept) < len(there) and not stored.is_sample:
        warn(f"{len(there) - len(kept):,} rows without a value in column {y!r} are left out")
    columns = {name: rows_of(frame.column(name), kept) for name in frame.names if name not in (y, weight)}
    if not columns:
        raise ValueError(sentence(who, f"columns beside {y!r}", "none"))
    return Opened(columns, found[kept], None if w is None else w[kept], stored.places[kept], target, weight, stored)


def balanced(counts: Mapping[str, int] | None) -> dict[int, float]:
    """Return the weight of each class that gives all the same total."""
    found = list((counts or {}).values())
    return {place: sum(found) / (len(found) * count) for place, count in enumerate(found)}


def encoded_blocks(who: str, X: Any, encoder: TableEncoder) -> Iterator[Array]:
    """Encode a table in files block by block; an error names the file and the row."""
    with speaking_as(who):
        for block, above in numbered(read_blocks(X, columns=encoder.columns, missing=encoder.missing)):
            with naming_rows(block.source, above):
                yield encoder.matrix(block)
