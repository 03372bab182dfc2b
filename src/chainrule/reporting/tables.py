"""The scores beside those of a guess, the recall of each class, the worst rows, and the importance of the columns.

The importance of a column is by scikit-learn: how much worse the model gets if the column is shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, require
from .._support.text import printable
from ..metrics import METRICS, confusion_matrix
from ..metrics.probability import sample_losses
from .answers import WHO, Answers, exchanged, is_frame, taken

#: Each score: its name in the metrics, its title, and its meaning.
FOR_CLASSES = {
    "accuracy": ("Accuracy", "share of the rows that is classified correctly"),
    "balanced_accuracy": ("Balanced accuracy", "share that is found of each class, mean over the classes"),
    "f1_score": ("F1", "harmonic mean of precision and recall, mean over the classes"),
    "roc_auc_score": ("Area under the ROC curve", "how often a row of a class is ranked above one that is not of it"),
    "log_loss": ("Log-loss", "cross-entropy of the probabilities, in nats; lower is better"),
    "expected_calibration_error": ("Calibration error", "distance between confidence and accuracy"),
}
FOR_NUMBERS = {
    "r2_score": ("R²", "share of the variance that is explained"),
    "mean_absolute_error": ("Mean absolute error", "in the units of the target; lower is better"),
    "root_mean_squared_error": ("Root mean squared error", "in the units of the target; lower is better"),
}
NAMES = FOR_CLASSES | FOR_NUMBERS
IN_PERCENT = {"accuracy", "balanced_accuracy", "expected_calibration_error"}
MOST_CHARACTERS = 60  # of the name of a class
GUESS = {
    True: "The guess knows how frequent each class is among these rows, and nothing of the inputs.",
    False: "The guess is the mean of these rows' targets, whatever the inputs.",
}


@dataclass(frozen=True)
class ClassRow:
    """One class: its rows, the share of them that was found, and the share of its predictions that was right."""

    name: str
    rows: int
    recall: float | None
    precision: float | None
    f1: float | None


def scores(answers: Answers) -> dict[str, float]:
    """Return each score that these rows define: one row has no R², one class has nothing to rank."""
    return _scores(answers.z, answers.true, FOR_CLASSES if answers.class_names else FOR_NUMBERS)


def baseline(answers: Answers) -> dict[str, float]:
    """Return the scores of a guess that knows the shares of the classes in these rows, or the mean, but not x."""
    if not answers.class_names:
        return _scores(np.broadcast_to(answers.true.mean(axis=0), answers.z.shape), answers.true, FOR_NUMBERS)
    shares = np.bincount(answers.true, minlength=len(answers.class_names)) / len(answers.true)
    guess = np.broadcast_to(np.log(np.maximum(shares, 1e-12)), answers.z.shape)
    return _scores(guess, answers.true, FOR_CLASSES)


def _scores(z: Array, true: Array, names: Mapping[str, object]) -> dict[str, float]:
    impossible = {"r2_score"} if len(true) < 2 else set()
    impossible |= {"roc_auc_score"} if true.ndim == 1 and np.ptp(true) == 0 else set()
    return {name: METRICS[name](true, z) for name in names if name not in impossible}


def class_rows(answers: Answers) -> list[ClassRow]:
    """Return a row for each class, in the order of the classes."""
    counts = confusion_matrix(answers.true, answers.said, len(answers.class_names))
    right, true, said = (part.tolist() for part in (counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)))
    return [
        ClassRow(name, rows, _share(hits, rows), _share(hits, guesses), _share(2 * hits, rows + guesses))
        for name, hits, rows, guesses in zip(answers.class_names, right, true, said, strict=True)
    ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def worst_rows(answers: Answers, count: int) -> Array:
    """Return the numbers of the rows with the largest loss, or absolute error, largest first."""
    if answers.class_names:
        measure = sample_losses(WHO, answers.true, answers.z, from_logits=True)
    else:
        measure = np.abs(answers.z - answers.true).max(axis=1)
    return np.argsort(-measure, kind="stable")[:count]


def written(name: str, value: float) -> str:
    """Format a score: 97.78 %, or four digits."""
    return percent(value) if name in IN_PERCENT else f"{value:.4g}"


def percent(share: float | None, digits: int = 2) -> str:
    """Format a share, below 1 never as 100 %; a dash if there is none."""
    if share is None:
        return "–"
    most = 1.0 if share >= 1 else 1 - 10.0 ** -(digits + 2)
    return f"{100 * min(share, most):.{digits}f} %"


def as_text(found: Mapping[str, float], guess: Mapping[str, float], rows: int, classes: list[ClassRow]) -> str:
    """Format the tables as plain text."""
    wide = max(len(NAMES[name][0]) for name in found)
    lines = [f"{f'{rows:,} rows':<{wide}}  {'model':>10}  {'guess':>10}"]
    lines += [f"{NAMES[n][0]:<{wide}}  {written(n, v):>10}  {written(n, guess[n]):>10}" for n, v in found.items()]
    if classes:
        shown = [printable(row.name, MOST_CHARACTERS) for row in classes]
        wide = max(5, *map(len, shown))
        lines += ["", f"{'class':<{wide}}  {'rows':>7}  {'recall':>9}  {'precision':>9}  {'F1':>9}"]
        for name, row in zip(shown, classes, strict=True):
            shares = "  ".join(f"{percent(share):>9}" for share in (row.recall, row.precision, row.f1))
            lines.append(f"{name:<{wide}}  {row.rows:>7,}  {shares}")
    return "\n".join(lines)


MOST_ROWS, REPETITIONS = 2000, 5
MOST_PREDICTIONS = 2000  # beyond which columns are shuffled fewer times, at least once
Exchange = Callable[[Any, Array, Array], Any]


class _Asked:
    """The estimator interface that scikit-learn needs; it is never fitted here."""

    def fit(self, x: Array, y: Array) -> _Asked:
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
