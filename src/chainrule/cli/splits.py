"""Divide rows for training, validation and test.

At random, stratified by class; or by whole groups; or by time, with the last rows for the test.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._support.checks import Array, sentence
from ..data.batches import split_rows

LEAST_ROWS = 5  # three for training, one for validation, one for the test


class Parts(NamedTuple):
    """The indices of the rows, in ascending order; ``validation`` may be empty."""

    train: Array
    validation: Array
    test: Array


def divide(
    labels: Array | None,
    rows: int,
    *,
    test: float,
    validation: float,
    seed: int,
    groups: Array | None = None,
    times: Array | None = None,
) -> Parts:
    """Divide this many rows; ``labels`` are class labels for stratification."""
    if rows < LEAST_ROWS:
        raise ValueError(sentence("train", f"at least {LEAST_ROWS} rows with a target", str(rows)))
    if times is not None:
        return _by_time(times, test, validation)
    rng = np.random.default_rng(seed)
    if groups is not None:
        return _by_group(groups, test, validation, rng)
    stratify = labels is not None
    codes = np.zeros(rows, np.intp) if labels is None else labels
    kept, aside = split_rows(codes, test, rng, stratify)
    chosen = kept[:0]
    if validation and len(kept) > 1:
        rest, held_out = split_rows(codes[kept], validation, rng, stratify)
        kept, chosen = kept[rest], kept[held_out]
    parts = Parts(kept, chosen, aside)
    return parts if labels is None else _with_all_classes(parts, labels)


def _with_all_classes(parts: Parts, labels: Array) -> Parts:
    """Move rows so that each class has at least one training row."""
    train, others = parts.train, []
    for part in parts[1:]:
        strange = ~np.isin(labels[part], labels[train])
        first = part[strange][np.unique(labels[part][strange], return_index=True)[1]]
        train = np.sort(np.concatenate([train, first]))
        others.append(part[~np.isin(part, first)])
    return Parts(train, *others)


def _by_group(groups: Array, test: float, validation: float, rng: np.random.Generator) -> Parts:
    """Divide by whole groups, in random order, until there are enough rows."""
    count = len(np.unique(groups))
    least = 3 if validation else 2
    if count < least:
        raise ValueError(sentence("train", f"at least {least} groups for --group", str(count)))
    sizes = np.bincount(groups)
    order = rng.permutation(count)
    passed = np.cumsum(sizes[order]) / len(groups)
    last = max(1, int(np.argmin(np.abs(passed - test))) + 1)
    more = max(last + 1, int(np.argmin(np.abs(passed - test - validation * (1 - test)))) + 1) if validation else last
    last, more = min(last, count - least + 1), min(more, count - 1)
    place = np.empty(count, np.intp)
    place[order] = np.arange(count)
    at = place[groups]
    return Parts(*(np.flatnonzero(chosen) for chosen in (at >= more, (at >= last) & (at < more), at < last)))


def _by_time(times: Array, test: float, validation: float) -> Parts:
    """Divide by time: the last rows are the test, those before validate; rows of equal time stay together."""
    order = np.sort(times)
    first_test = order[_cut(order, 1 - test)]
    before = order[order < first_test]
    first_held_out = before[_cut(before, 1 - validation)] if validation and len(before) > 1 else first_test
    train = times < first_held_out
    if not train.any():
        remedy = "lower --test-fraction, or name another column"
        raise ValueError(sentence("train", "different times for --time", "too few of them", remedy))
    held_out = (times >= first_held_out) & (times < first_test)
    return Parts(*map(np.flatnonzero, (train, held_out, times >= first_test)))


def _cut(order: Array, share: float) -> int:
    """Return an index that divides sorted times, with at least one row on either side."""
    return min(max(round(share * len(order)), 1), len(order) - 1)
