"""Prepare the target and the weights of rows, and divide the rows for training, validation and test.

At random, stratified by class; or by whole groups; or by time, with the last rows for the test.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._support.checks import Array, check_name, nearest, sentence
from ..data.batches import split_rows
from ..tabular.columns import Frame, Moments, Numbers, as_words, text_of
from ..tabular.judging import HEAVIEST, LARGEST, MOST_CLASSES, NUMBER, is_no_class
from ..tabular.kinds import ColumnKind
from ..tabular.moments import DAY_FIRST, NO_MOMENT, microseconds
from ..tabular.numerals import numeral
from .scores import numbers_of

METRICS = {
    True: {"log_loss": "log_loss", "log-loss": "log_loss", "accuracy": "accuracy"},
    False: {
        "rmse": "root_mean_squared_error",
        "mae": "mean_absolute_error",
        "root_mean_squared_error": "root_mean_squared_error",
        "mean_absolute_error": "mean_absolute_error",
    },
}


@dataclass(frozen=True)
class Target:
    """y (N,) of the labelled rows, labels or numbers, and the indices of these rows (N,)."""

    name: str
    y: Array
    rows: Array
    is_class: bool

    @property
    def codes(self) -> Array | None:
        """The indices of the labels among the sorted classes; None for numbers."""
        return np.unique(self.y, return_inverse=True)[1] if self.is_class else None


def target_of(columns: Frame, kind: ColumnKind, missing: Collection[str]) -> Target:
    """Return the target of the labelled rows."""
    column = columns.column(kind.name)
    if kind.kind == NUMBER:
        y = numbers_of(kind.name, column, kind.form)
        rows = np.flatnonzero(np.isfinite(y))
        return Target(kind.name, y[rows], rows, is_class=False)
    if isinstance(column, Numbers):
        rows = np.flatnonzero(~column.missing)
        y = column.values[rows]
        if y.dtype.kind != "f" or ((np.floor(y) == y).all() and np.abs(y).max(initial=0) < 2**53):
            return Target(kind.name, y if y.dtype.kind in "iu" else y.astype(np.int64), rows, is_class=True)
    words = as_words(column)
    there = np.array([not is_no_class(word, missing) for word in words.words] + [False])[words.codes]
    rows = np.flatnonzero(there)
    labels = np.array([*words.words, ""], object)[words.codes[rows]]
    return Target(kind.name, labels, rows, is_class=True)


def check_learnable(target: Target, source: str) -> None:
    """Raise a ValueError if there is only one class, or one number."""
    different = np.unique(target.y)
    if not target.is_class and len(large := np.flatnonzero(np.abs(target.y) > LARGEST)):
        got = f"{target.y[large[0]]:g} in row {target.rows[large[0]] + 1}"
        raise ValueError(
            sentence("train", f"numbers up to {LARGEST:g} in the target {target.name!r}", got, "divide them")
        )
    most = max(MOST_CLASSES, len(target.y) // 2)
    if target.is_class and len(different) > most:
        first = text_of(different.tolist()[0])
        got = f"{len(different):,} different values in {len(target.y):,} rows, such as {first!r}"
        is_number = numeral(first) is not None
        remedy = "predict it as a number (--task regression)" if is_number else "merge or drop rare classes"
        raise ValueError(sentence("train", f"at most {most:,} classes in the target {target.name!r}", got, remedy))
    if len(different) > 1:
        return
    what = "classes" if target.is_class else "different values"
    got = f"{text_of(different.tolist()[0])!r} in every row" if len(different) else "no value in any row"
    raise ValueError(sentence("train", f"at least two {what} in the target {target.name!r} of {source}", got))


def weights_of(columns: Frame, name: str | None) -> Array | None:
    """Return the weights of all rows (N,); None without a column of weights."""
    if name is None:
        return None
    weights = numbers_of(name, columns.column(name))
    wrong = np.flatnonzero(~((weights >= 0) & (weights <= HEAVIEST)))
    if len(wrong):
        first = weights[wrong[0]]
        got = f"{first:g}" if np.isfinite(first) else "none"
        got += f" in row {wrong[0] + 1}"
        expected = f"weights {f'up to {HEAVIEST:g}' if first > 0 else 'of at least 0'} in column {name!r}"
        raise ValueError(sentence("train", expected, got, "fill or drop such rows"))
    if not weights.any():
        raise ValueError(sentence("train", f"weights in column {name!r}", "zeros alone"))
    return weights


def times_of(columns: Frame, kind: ColumnKind) -> Array:
    """Return the column of times as numbers (N,)."""
    column = columns.column(kind.name)
    if isinstance(column, Moments):
        times, gaps = column.values, column.values == NO_MOMENT
    elif isinstance(column, Numbers):
        times, gaps = column.values, column.missing
    else:
        words = as_words(column)
        known = microseconds(words.words, kind.form if kind.form in ("dmy", "mdy") else DAY_FIRST)
        times = np.append(known, NO_MOMENT)[words.codes]
        gaps = times == NO_MOMENT
    if gaps.any():
        got = f"none in row {int(np.argmax(gaps)) + 1}"
        raise ValueError(
            sentence("train", f"a time in every row of column {kind.name!r}", got, "fill it, or drop the row")
        )
    return times


def metric_of(given: str | None, is_class: bool) -> dict[str, str]:
    """Return the estimators' name of the metric, if one is chosen."""
    if given is None:
        return {}
    known = METRICS[is_class]
    if given not in known and given in METRICS[not is_class]:
        what = "classes" if is_class else "numbers"
        raise ValueError(sentence("train", f"a metric of {what} for --metric", given, f"known are {', '.join(known)}"))
    return {"metric": known[check_name("train", "a metric for --metric", given, known)]}


def class_weights(given: str | None, labels: Sequence[Any]) -> Any:
    """Parse ``balanced``, or ``A=2,B=1`` as label → weight; None if not given."""
    if given is None or given == "balanced":
        return given
    known = {text_of(label): label for label in labels}
    found: dict[Any, float] = {}
    for part in given.split(","):
        name, mark, weight = part.strip().rpartition("=")
        try:
            number = float(weight)
        except ValueError:
            number = -1.0
        if not mark or not 0 <= number < float("inf"):
            expected = "balanced, or weights such as yes=2,no=1, for --class-weight"
            raise ValueError(sentence("train", expected, repr(given)))
        if name not in known:
            got = f"{name!r}{nearest(name, known)}"
            some = ", ".join(list(known)[:20])
            raise ValueError(sentence("train", "classes of the target for --class-weight", got, f"known are {some}"))
        found[known[name]] = number
    if not any(found.get(label, 1.0) for label in labels):
        raise ValueError(sentence("train", "a class that counts, for --class-weight", repr(given)))
    return found


# --- the parts ------------------------------------------------------------------------------------------------------

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
