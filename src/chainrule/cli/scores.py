"""Score predictions, as numbers and as text; a class that training did not have counts as wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, nearest
from .._support.text import printable
from ..losses.classification import FLOOR
from ..metrics import mean_absolute_error, r2_score, root_mean_squared_error
from ..tabular.columns import Column, as_words
from ..tabular.encoders.numbers import read
from ..tabular.judging.targets import is_no_class
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
    x = read(name, column, (), COMMA if form == COMMA else POINT)
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
