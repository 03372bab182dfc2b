"""Prepare the target and the weights of rows for the estimators."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, check_name, nearest, sentence
from ..tabular.columns import Frame, Numbers, as_words, text_of
from ..tabular.judging.facts import NUMBER
from ..tabular.judging.targets import MOST_CLASSES, is_no_class
from ..tabular.kinds import ColumnKind
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
    wrong = np.flatnonzero(~(weights >= 0))
    if len(wrong):
        first = weights[wrong[0]]
        got = f"{first:g}" if np.isfinite(first) else "none"
        got += f" in row {wrong[0] + 1}"
        raise ValueError(sentence("train", f"weights of at least 0 in column {name!r}", got, "fill or drop such rows"))
    if not weights.any():
        raise ValueError(sentence("train", f"weights in column {name!r}", "zeros alone"))
    return weights


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
