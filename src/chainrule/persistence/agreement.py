"""What other programs make of a file: how far they are from its model, in meaningful units, and what they refuse.

The measure is that of :mod:`chainrule._support.differences`, with unit 1 for probabilities. y is the model's prediction
for float64 rows, and y′ the file's for the same rows in its own dtype. Differing labels count as their share of rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from .._support.differences import MATERIAL, largest_difference
from .._support.files import MAX_REASON
from .._support.text import printable
from ..layers.program import PROBABILITIES, last_op
from ..model import Sequential

#: The largest d of a file that is vouched for. Whoever asks for fewer bits accepts that some is lost, not that most is.
LIMITS = {"float32": MATERIAL, "float64": MATERIAL, "float16": 0.5, "int8": 1.0}
MOST_NAMES = 5  # of columns in an error


@dataclass
class Answers:
    """The predictions of a model or a file for some rows: numbers, and labels if it has them."""

    numbers: Array | None
    labels: Array | None = None
    unit: float | None = None  # of the numbers; None for the spread of each


def answers(model: Any, rows: Any) -> Answers:
    """The predictions of a model, called as its user does."""
    rows = _as_fitted(model, rows)
    with np.errstate(all="ignore"):
        if hasattr(model, "predict_proba"):
            p = model.predict_proba(rows)  # of several outputs a list, which no two libraries lay out alike
            return Answers(None if isinstance(p, list) else p, np.asarray(model.predict(rows)), 1.0)
        y = np.asarray(model.predict(rows))
    if hasattr(model, "classes_"):
        return Answers(None, y)
    return Answers(y, unit=1.0 if gives_probabilities(model) else None)


def _as_fitted(model: Any, rows: Any) -> Any:
    """The rows in the form of the fit: with column names if the model knows them."""
    names = getattr(model, "feature_names_in_", None)
    if names is None or not isinstance(rows, np.ndarray):
        return rows
    try:
        import pandas as pd
    except ModuleNotFoundError:
        return rows
    return pd.DataFrame(rows, columns=names)


def distance(found: Answers, expected: Answers) -> float:
    """The distance d of a file's predictions; infinite if only one of two is finite."""
    worst = 0.0
    if expected.labels is not None and found.labels is not None and len(expected.labels):
        worst = float(np.mean(_differs(found.labels, expected.labels)))
    if expected.numbers is None or found.numbers is None:
        return worst
    return max(worst, largest_difference(found.numbers, expected.numbers, expected.unit))


def _differs(found: Array, expected: Array) -> Array:
    one, other = (np.asarray(labels).reshape(len(expected), -1).astype(object) for labels in (found, expected))
    differs: Array = np.any(one != other, axis=1)
    return differs


def gives_probabilities(model: Any, outputs: str = "model", **_: Any) -> bool:
    """Whether the file's numbers are between 0 and 1; differences then need no unit."""
    if not isinstance(model, Sequential) or outputs == "probabilities":
        return outputs == "probabilities" or hasattr(model, "predict_proba")
    return last_op(model.layers) in PROBABILITIES


# --- what float32 can hold -------------------------------------------------------------------------------------------


Answer = Callable[[Any], Answers]


def float32_distance(answer: Answer, rows: Any, columns: Collection[Any] | None = None) -> float:
    """The distance d of a file that only rounds x, or these columns, and y to float32: the best of any float32 file."""
    expected = answer(rows)
    try:
        with np.errstate(all="ignore"):
            found = answer(rounded(rows, columns))
    except ValueError:  # what is finite in float64 alone
        return np.inf
    if found.numbers is not None and columns is None:
        with np.errstate(over="ignore"):
            found.numbers = found.numbers.astype(np.float32)
    return distance(found, expected)


def lost_columns(answer: Answer, rows: Any, names: Sequence[Any], limit: float) -> str:
    """Name up to five columns whose rounding to float32 alone changes the predictions by more than this."""
    lost: list[str] = []
    keys = list(rows.columns) if hasattr(rows, "columns") else list(range(math.prod(np.shape(rows)[1:])))
    for index, key in enumerate(keys):
        if len(lost) > MOST_NAMES:
            break
        if float32_distance(answer, rows, [key]) > limit:
            lost.append(str(key) if isinstance(key, str) else str(names[index]) if len(names) else f"x[{index}]")
    return ", ".join(lost[:MOST_NAMES]) + " and others" * (len(lost) > MOST_NAMES)


def rounded(rows: Any, columns: Collection[Any] | None = None) -> Any:
    """Round the rows, or these columns, to float32 and return them in float64; text is unchanged."""
    with np.errstate(over="ignore"):
        if hasattr(rows, "columns"):
            chosen = [name for name in (rows.columns if columns is None else columns) if rows[name].dtype.kind in "fiu"]
            return rows.assign(**{name: _through_float32(np.asarray(rows[name])) for name in chosen})
        if rows.dtype.kind not in "fiub":
            return rows
        if columns is None:
            return _through_float32(rows)
        flat = rows.reshape(len(rows), -1).astype(np.float64)
        flat[:, list(columns)] = _through_float32(flat[:, list(columns)])
        return flat.reshape(rows.shape)


def _through_float32(numbers: Array) -> Array:
    return numbers.astype(np.float32).astype(np.float64)


# --- errors of other libraries, in one sentence of ours ------------------------------------------------------------

_OURS = re.compile(r"\S.* expects .+, got ")
#: What means nothing to a user: codes, places in C++, where to complain; and the name of a class within its repr.
_NOISE = (
    (re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : "), ""),
    (re.compile(r"\S+\.(?:cc|cpp|h):\d+ (?:[\w:]+\([^)]*\)\S* )?"), ""),
    (re.compile(r" ?(?:You may raise an is+ue at|Please fill an issue at) \S+"), ""),
    (re.compile(r"<class '(?:[\w.]*\.)?(\w+)'>"), r"\1"),
)


def reason(error: Exception) -> str:
    """Return the first line of a message, without parts that mean nothing to a user."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    for noise, instead in _NOISE:
        text = noise.sub(instead, text)
    return printable(text.strip(" ."), MAX_REASON)


def got_of(error: Exception) -> str:
    """Return the "got" part of one of our sentences, for another sentence."""
    return str(error).partition(", got ")[2].partition("; ")[0].rstrip(".")


@contextmanager
def in_a_sentence(who: str, expected: str, remedy: str = "") -> Iterator[None]:
    """Turn errors in the block into our ValueError, except the system's errors and our own sentences."""
    try:
        yield
    except (OSError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # those of ONNX, skl2onnx and PyTorch have no class of their own in common
        if isinstance(error, (ValueError, TypeError)) and _OURS.match(str(error)):
            raise
        raise ValueError(sentence(who, expected, f"{type(error).__name__}: {reason(error)}", remedy)) from None
