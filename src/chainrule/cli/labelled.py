"""Labelled rows for evaluate and report: of a table, or the test set of a named data set."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..tabular.columns import Frame
from .models import Facts, Trained
from .reading import naming_rows, read_rows
from .scores import GAP, class_codes, numbers_of
from .sources import resolve, test_set

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
