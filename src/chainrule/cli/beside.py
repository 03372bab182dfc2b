"""Compute the scores that a model must beat: those of a guess and of a linear model on the same encoding.

guess     the shares of the classes, or the mean, in training
linear    logistic regression, or ridge regression: W = (XᵀX + λI)⁻¹ Xᵀy on centred columns, λ = 1
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._support.checks import Array, require
from .scores import scores_of_classes, scores_of_numbers

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


def told(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return one line: ``a guess: accuracy 50.00 %, log-loss 1.01; logistic regression: …``."""
    parts = []
    for name, scores in found.items():
        shown = {"accuracy": f"accuracy {100 * scores.get('accuracy', 0):.2f} %"}
        shown |= {key: f"{label} {scores.get(key, 0):.4g}" for key, label in LABELS.items()}
        parts.append(f"{name}: {', '.join(shown[key] for key in shown if key in scores)}")
    return "; ".join(parts)


def warnings_of(mine: Mapping[str, float], found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a sentence for each that is better than the model by log-loss or root mean squared error."""
    name = "log_loss" if "accuracy" in mine else "rmse"
    return [
        f"on the test rows {what} is better than the model ({LABELS[name]} {scores[name]:.4g} against {mine[name]:.4g})"
        for what, scores in found.items()
        if name in scores and name in mine and scores[name] < mine[name]
    ]
