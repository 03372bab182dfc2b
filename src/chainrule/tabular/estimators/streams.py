"""Tables in files for the estimators: X is a path, and y the name of a column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from ..._support.checks import Array, check_name, sentence
from ..._support.notices import warn
from ..columns import Frame, rows_of
from ..encoding import TableEncoder
from ..files import sources
from ..kinds import Kinds
from ..reading import naming_rows, numbered, read_blocks
from ..recipe import ROWS_OF_BINS
from ..streaming import Stored, Target, open_table, weights_in
from .tables import Columns, speaking_as

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
