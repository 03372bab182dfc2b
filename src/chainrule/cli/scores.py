"""Score predictions, as numbers and as text; a class that training did not have counts as wrong.

A model must beat the scores of a guess and of a linear model on the same encoding:

guess     the shares of the classes, or the mean, in training
linear    logistic regression, or ridge regression: W = (XᵀX + λI)⁻¹ Xᵀy on centred columns, λ = 1
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, nearest, require
from .._support.text import printable
from ..losses.classification import FLOOR
from ..metrics import mean_absolute_error, r2_score, root_mean_squared_error
from ..tabular.columns import Column, as_words
from ..tabular.encoders.quantities import read_numbers
from ..tabular.judging import is_no_class
from ..tabular.numerals import COMMA, POINT
from ..tabular.words import truth

MOST_CHARACTERS = 60  # characters of the name of a class
NEVER, GAP = -1, -2  # codes of a class unseen in training, and of a missing value
_FEW = 3  # classes that a note lists


def class_codes(column: Column, class_names: Sequence[str]) -> tuple[Array, str]:
    """Return the class index of each row (N,), NEVER or GAP, and notes on unknown classes.

    ``True`` and ``yes`` are the same class if the classes are yes and no.
    """
    known = {name: at for at, name in enumerate(class_names)}
    meant = {truth(name): at for name, at in known.items()}
    flags = meant if set(meant) == {True, False} and len(known) == 2 else {}
    found = as_words(column)
    codes = np.array([_code(word, known, flags) for word in found.words] + [GAP], np.intp)[found.codes]
    strange = [word for word in found.words if _code(word, known, flags) == NEVER]
    if not (codes == NEVER).any():
        return codes, ""
    some = ", ".join(map(repr, strange[:_FEW])) + (", ..." if len(strange) > _FEW else "")
    near = nearest(strange[0], known)
    said = f"{int((codes == NEVER).sum()):,} of {len(codes):,} rows have classes that training did not have ({some})"
    return codes, f"{said}{near}: they count as wrong"


def _code(word: str, known: Mapping[str, int], flags: Mapping[Any, int]) -> int:
    if word in known:
        return known[word]
    return GAP if is_no_class(word, ()) else flags.get(truth(word), NEVER)


def numbers_of(name: str, column: Column, form: str = "") -> Array:
    """Return the numbers of a target (N,), NaN if missing."""
    x = read_numbers(name, column, (), COMMA if form == COMMA else POINT)
    return np.where(np.isfinite(x), x, np.nan)


def scores_of_classes(p: Array, codes: Array) -> dict[str, float]:
    """Score probabilities (N, K): accuracy of all rows, and log-loss of those with a known class."""
    known = np.flatnonzero(codes >= 0)
    found = {"accuracy": float((p.argmax(axis=1) == codes).mean())}
    if len(known):
        found["log_loss"] = float(-np.log(np.maximum(p[known, codes[known]], FLOOR)).mean())
    return found


def scores_of_numbers(predicted: Array, true: Array) -> dict[str, float]:
    """Score numbers in the units of the target."""
    z, t = predicted[:, None].astype(np.float64), true[:, None].astype(np.float64)
    scores = {"rmse": root_mean_squared_error(t, z), "mae": mean_absolute_error(t, z)}
    return scores | ({"r2": r2_score(t, z)} if len(t) > 1 else {})


def written(scores: Mapping[str, float], rows: int) -> str:
    """Format scores as text: ``accuracy 98.33 % (353 of 359 rows), log-loss 0.062``."""
    if "accuracy" in scores:
        share = scores["accuracy"]
        loss = f", log-loss {scores['log_loss']:.4g}" if "log_loss" in scores else ""
        return f"accuracy {100 * share:.2f} % ({round(share * rows):,} of {rows:,} rows){loss}"
    r2 = f", R² {scores['r2']:.4f}" if "r2" in scores else ""
    return f"RMSE {scores['rmse']:.4g}, MAE {scores['mae']:.4g}{r2} ({rows:,} row{'s' * (rows != 1)})"


def per_class(class_names: Sequence[str], said: Array, codes: Array) -> str:
    """Return a table of recall and precision per class, from predicted and true class indices (N,)."""
    right = np.bincount(codes[said == codes], minlength=len(class_names))
    true = np.bincount(codes[codes >= 0], minlength=len(class_names))
    predicted = np.bincount(said, minlength=len(class_names))
    names = [printable(name, MOST_CHARACTERS) for name in class_names]
    width = max(map(len, ("class", *names)))
    lines = [f"{'class':<{width}}  {'rows':>7}  {'recall':>9}  {'precision':>9}"]
    for name, hits, rows, guesses in zip(names, right, true, predicted, strict=True):
        lines.append(f"{name:<{width}}  {rows:>7,}  {_share(hits, rows):>9}  {_share(hits, guesses):>9}")
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "–"


# --- what a model must beat -----------------------------------------------------------------------------------------

MOST_ROWS, MOST_COLUMNS = 10_000, 1_000  # for the linear model, which takes about a second
ITERATIONS = 100
_ALPHA = 1.0
LABELS = {"log_loss": "log-loss", "rmse": "RMSE"}
GUESS, LINEAR = "a guess", {True: "logistic regression", False: "ridge regression"}


def scores_beside(encoder: Any, train: tuple[Any, Array], test: tuple[Any, Array], classes: int) -> dict[str, Any]:
    """Return name → test scores; ``train`` and ``test`` are frames, with y as class indices (N,) or numbers."""
    (x, y), (x_test, y_test) = train, test
    chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:MOST_ROWS])
    a, b = _matrix(encoder, x)[chosen], _matrix(encoder, x_test)
    mean, deviation = a.mean(axis=0), a.std(axis=0)
    a, b = ((part - mean) / np.where(deviation > 0, deviation, 1) for part in (a, b))
    if not classes:
        guess = scores_of_numbers(np.full(len(y_test), y.mean()), y_test)
        return {GUESS: guess, LINEAR[False]: scores_of_numbers(_ridge(a, y[chosen], b), y_test)}
    shares = np.bincount(y, minlength=classes) / len(y)
    found = {GUESS: scores_of_classes(np.broadcast_to(shares, (len(y_test), classes)), y_test)}
    if len(np.unique(y[chosen])) > 1:
        found[LINEAR[True]] = scores_of_classes(_logistic(a, y[chosen], b, classes), y_test)
    return found


def _matrix(encoder: Any, x: Any) -> Array:
    """Return the features (N, I), and a column for each code, unless there are too many."""
    numbers, codes = encoder.transform(x)
    parts = [numbers.astype(np.float64)]
    for column, size in zip(codes.T, encoder.code_sizes, strict=True):
        if sum(part.shape[1] for part in parts) + size <= MOST_COLUMNS:
            parts.append(np.eye(size)[column])
    return np.hstack(parts)


def _ridge(a: Array, y: Array, b: Array) -> Array:
    middle = y.mean()
    spread = float(y.std()) or 1.0
    weights = np.linalg.solve(a.T @ a + _ALPHA * np.eye(a.shape[1]), a.T @ ((y - middle) / spread))
    predicted: Array = b @ weights * spread + middle
    return predicted


def _logistic(a: Array, y: Array, b: Array, classes: int) -> Array:
    linear = require("sklearn.linear_model", "tabular", "train")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged, but close enough
        model = linear.LogisticRegression(max_iter=ITERATIONS).fit(a, y)
    p = np.zeros((len(b), classes))
    p[:, model.classes_] = model.predict_proba(b)
    return p


def written_beside(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return one line: ``a guess: accuracy 50.00 %, log-loss 1.01; logistic regression: …``."""
    parts = []
    for name, scores in found.items():
        shown = {"accuracy": f"accuracy {100 * scores.get('accuracy', 0):.2f} %"}
        shown |= {key: f"{label} {scores.get(key, 0):.4g}" for key, label in LABELS.items()}
        parts.append(f"{name}: {', '.join(shown[key] for key in shown if key in scores)}")
    return "; ".join(parts)


def better_than(mine: Mapping[str, float], found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a sentence for each that is better than the model by log-loss or root mean squared error."""
    name = "log_loss" if "accuracy" in mine else "rmse"
    return [
        f"on the test rows {what} is better than the model ({LABELS[name]} {scores[name]:.4g} against {mine[name]:.4g})"
        for what, scores in found.items()
        if name in scores and name in mine and scores[name] < mine[name]
    ]


def model_line(model: Any) -> str:
    """Return how many features and parameters a model has."""
    network, encoder = model.model_, model.encoder_
    codes = len(encoder.code_names)
    more = f" and {codes} embedding{'s' * (codes != 1)}" if codes else ""
    count = len(encoder.feature_names)
    return f"{count} feature{'s' * (count != 1)}{more}: {network.parameters.vector.size:,} parameters"


def epochs_line(model: Any) -> str:
    """Return the best epoch and the number of epochs, from the least to the most of all networks."""
    best, trained = (_range([member[name] for member in model.members_]) for name in ("best_epoch", "n_epochs"))
    return f"best epoch {best} of {trained}"


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def limit_line(model: Any) -> str:
    """Return what the time limit took away; empty if nothing."""
    whole, plan = model._whole, model.plan_
    late = {member for member, *_ in plan.get("shortened", ())}
    count, epochs = plan["n_ensemble"] * plan["n_folds"], plan["epochs"]
    said = [f"{count} of {whole.members} networks"] * (count < whole.members)
    said += [f"{epochs} of {whole.epochs} epochs planned"] * (epochs < whole.epochs)
    return ", ".join(said + [f"{len(late)} cut further, perhaps within an epoch"] * bool(late))


def members_line(model: Any) -> str:
    """Return how many networks there are, and how far apart."""
    count, errors = len(model.members_), [member["error"] for member in model.members_]
    if None in errors:  # no validation rows, or interrupted at once
        return f"{count} networks"
    metric, low, high = model.metric.replace("_", " "), min(errors), max(errors)
    own = ", each on its own rows" if len({member["fold"] for member in model.members_}) > 1 else ""
    return f"{count} networks, validation {metric} {low:.4g} to {high:.4g}{own}; overall {model.validation_error_:.4g}"
