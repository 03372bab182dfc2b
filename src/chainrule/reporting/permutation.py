"""Permutation importances: how much worse a model gets if a column is shuffled, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, require
from ..metrics import METRICS
from .answers import WHO, Answers
from .inputs import exchanged, is_frame, taken

MOST_ROWS, REPETITIONS = 2000, 5
MOST_PREDICTIONS = 2000  # beyond which columns are shuffled fewer times, at least once
Exchange = Callable[[Any, Array, Array], Any]


class _Asked:
    """The estimator interface that scikit-learn needs; it is never fitted here."""

    def fit(self, x: Array, y: Array) -> _Asked:
        """Do nothing."""
        return self


def permutation(answers: Answers, names: Sequence[str]) -> tuple[list[str], Array]:
    """Return the columns, and the loss of accuracy or rise of the RMSE for each, (C, repetitions).

    Inputs of one name, such as one-hot columns, count as one column and are shuffled together. At most 2,000 rows are
    used, drawn with a fixed seed. Of more than 400 columns, each is shuffled fewer than five times.

    References
    ----------
    Breiman, Random Forests (2001), section 10.
    """
    importance = require("sklearn.inspection", "sklearn", f"{WHO}'s permutation importance").permutation_importance
    columns = list(dict.fromkeys(names))
    inputs = {column: np.flatnonzero([name == column for name in names]) for column in columns}
    chosen = np.sort(np.random.default_rng(0).permutation(len(answers.true))[:MOST_ROWS])
    (x, exchange), true = _rows(answers, chosen), answers.true[chosen]
    metric, sign = (METRICS["accuracy"], 1) if answers.class_names else (METRICS["root_mean_squared_error"], -1)

    # scikit-learn shuffles row numbers, one column of them for each of ours.
    in_order = np.repeat(np.arange(len(true))[:, None], len(columns), axis=1)

    def score(_: _Asked, rows: Array, y: Array) -> float:
        shuffled = x
        for place in np.flatnonzero((rows != in_order).any(axis=0)):
            shuffled = exchange(shuffled, inputs[columns[place]], rows[:, place])
        return sign * metric(y, answers.predict(shuffled))

    times = min(max(MOST_PREDICTIONS // len(columns), 1), REPETITIONS)
    found = importance(_Asked(), in_order, true, scoring=score, n_repeats=times, random_state=0)
    falls: Array = found.importances
    return columns, falls


def _rows(answers: Answers, chosen: Array) -> tuple[Any, Exchange]:
    """Some of the rows, and how to take some of their columns from other rows; rows of a table are encoded once."""
    x = taken(answers.x, chosen)
    if answers.encode is None or not is_frame(x):
        return x, exchanged
    names = list(x.columns)
    return answers.encode(x), lambda encoded, which, rows: encoded.exchanged([names[k] for k in which], rows)
