"""The rows of a report as the model accepts them, and the predictions of any kind of model: logits, or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Number
from typing import Any

import numpy as np

from .._support.checks import (
    Array,
    as_numeric,
    check_finite,
    check_shape,
    is_masked,
    is_sparse,
    require,
    sentence,
    within,
)
from .._support.strangers import columns
from ..layers.program import PROBABILITIES, last_op
from ..losses import BinaryCrossEntropy, CrossEntropy
from ..losses.classification import FLOOR
from ..model import Sequential
from ..ops import softmax
from ..training.trainer import Trainer


def is_frame(x: Any) -> bool:
    """Whether this is a pandas or polars frame, whose column names an estimator may need."""
    return hasattr(x, "columns") and hasattr(x, "shape") and not callable(x.columns)


def as_rows(who: str, x: Any, of_network: bool) -> Any:
    """Convert x to finite numbers for a network; leave it unchanged for an estimator, which has its own checks."""
    if of_network:
        numbers = as_numeric(who, "x", x)
        check_finite(who, "x", numbers, of=x)
        return numbers
    if is_sparse(x):
        raise TypeError(sentence(who, "x to be an array or a frame", "a sparse one", "pass x.toarray()"))
    if is_masked(x):
        return as_numeric(who, "x", x)
    x = _as_frame(who, x)
    return x if is_frame(x) else np.asarray(x)


def _as_frame(who: str, x: Any) -> Any:
    """A dict of columns or an Arrow table as a frame; anything else unchanged."""
    if type(x).__name__ == "LazyFrame":
        raise TypeError(sentence(who, "x to be an array or a frame", "a LazyFrame", "call collect() first"))
    if isinstance(x, Mapping):
        try:
            from pandas import DataFrame
        except ModuleNotFoundError:
            raise TypeError(sentence(who, "x to be an array or a frame", "a dict", "make a frame of it")) from None
        return DataFrame(dict(x))
    if hasattr(x, "column_names") and hasattr(x, "to_pandas"):  # whose ``columns`` are no names
        return require("narwhals", "tabular", f"{who} of an Arrow table").from_native(x, eager_only=True)
    return x


def names_of(x: Any) -> list[str] | None:
    """Return the names of a frame's columns; None if there are none."""
    return [str(name) for name in x.columns] if is_frame(x) else None


def columns_of(x: Any, names: Sequence[str] | None) -> dict[str, Array]:
    """Return the inputs by name; inputs of the same name are numbered."""
    if is_frame(x):
        every = [np.asarray(column) for _, column in columns(x)]
    else:
        flat = x.reshape(len(x), -1)
        every = [flat[:, k] for k in range(flat.shape[1])]
    named = [f"x{k}" for k in range(len(every))] if names is None else list(names)
    once = [name if named.count(name) == 1 else f"{name} {k}" for k, name in enumerate(named[:1000])]
    return dict(zip(once, every, strict=False))


def taken(x: Any, rows: Array) -> Any:
    """Select some of the rows."""
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def exchanged(x: Any, which: Array, rows: Array) -> Any:
    """Copy x with some of its columns taken from other rows."""
    other = taken(x, rows)
    if hasattr(x, "with_columns"):
        return x.with_columns([other.get_column(x.columns[int(column)]) for column in which])
    changed = x.copy()
    for column in which:
        if hasattr(x, "iloc"):
            changed.isetitem(int(column), other.iloc[:, int(column)].array)
        else:
            changed[:, column] = other[:, column]
    return changed


WHO = "report"
NEARLY = 1e-3  # tolerance for the sum of probabilities computed in low precision
Predict = Callable[[Any], Array]


@dataclass(frozen=True, eq=False)
class Answers:
    """The rows, their true answers and the model's predictions.

    ``predict`` maps rows x to z: logits (N, K ≥ 2) of the classes, or numbers (N, O) if there are none. ``z`` is that
    of ``x``, and ``true`` is labels (N,) or numbers (N, O). ``encode`` is that of a model for tables: ``predict`` takes
    encoded rows, too.
    """

    predict: Predict
    x: Any
    z: Array
    true: Array
    class_names: tuple[str, ...]
    encode: Callable[[Any], Any] | None = None

    @property
    def probabilities(self) -> Array:
        p: Array = softmax(self.z)
        return p

    @property
    def said(self) -> Array:
        labels: Array = self.z.argmax(axis=1)
        return labels


def ask(model: Any, x: Any, y: Any, class_names: Sequence[Any] | None) -> Answers:
    """Compute the model's predictions; raise unless they are K exclusive classes or numbers."""
    x = as_rows(WHO, x, of_network=isinstance(model, (Trainer, Sequential)))
    y = _as_truth(y)
    rows = x.shape[0] if x.shape else 0
    if rows == 0 or rows != len(y):
        raise ValueError(sentence(WHO, "as many rows in x as in y, at least one", f"{rows} and {len(y)}"))
    predict, classes = _predictor(model, x, y)
    if class_names is not None and classes is not None and len(class_names) != len(classes):
        raise ValueError(sentence(WHO, f"{len(classes)} class_names, one per class", str(len(class_names))))
    z, encode = predict(x), getattr(model, "encoding_", None)
    check_finite(WHO, "the model's outputs", z)
    if classes is None:
        true = as_numeric(WHO, "y", y, np.float64)
        true = true[:, None] if true.ndim == 1 else true
        remedy = "a loss of several outputs for each target has no report"
        check_shape(WHO, "the model's outputs", z, true.shape, remedy)
        check_finite(WHO, "y", true)
        return Answers(predict, x, z, true, (), encode)
    names = tuple(str(name) for name in (classes if class_names is None else class_names))
    return Answers(predict, x, z, _codes(y, classes), names, encode)


def _as_truth(y: Any) -> Array:
    """Convert y to an array, a column (N, 1) to (N,)."""
    truth = as_numeric(WHO, "y", y) if is_masked(y) else np.asarray(y)
    if truth.dtype.kind == "U" and isinstance(y, (list, tuple)):
        truth = np.array(y, object)  # truncates nothing, and keeps numbers as numbers
    if truth.ndim not in (1, 2):
        got = repr(y) if truth.ndim == 0 else f"shape {truth.shape}"
        raise ValueError(sentence(WHO, "y of a label or a number for each row", got))
    if truth.dtype.kind == "O" and all(issubclass(kind, (Number, np.bool_)) for kind in set(map(type, truth.flat))):
        truth = as_numeric(WHO, "y", truth)
    return truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth


def _predictor(model: Any, x: Any, y: Array) -> tuple[Predict, Sequence[Any] | None]:
    """Return a function from x to logits, and the classes; or to numbers, and None."""
    loss = model.loss if isinstance(model, Trainer) else None
    network = model.model if isinstance(model, Trainer) else model
    if not isinstance(network, Sequential):
        return _predictor_of_estimator(model)
    if _of_classes(network, loss, x, y):
        as_probabilities = (
            last_op(network.layers) in PROBABILITIES if loss is None else not getattr(loss, "from_logits", True)
        )
        outputs = network.predict(x[:1]).shape[-1]
        if outputs > 1 and isinstance(loss, BinaryCrossEntropy):
            raise _several_labels(outputs)
        return partial(_logits_of, network, as_probabilities), range(max(outputs, 2))
    return partial(_numbers_of, network), None


def _predictor_of_estimator(model: Any) -> tuple[Predict, Sequence[Any] | None]:
    """Do the same by scikit-learn's conventions: a classifier has classes and predicts their probabilities."""
    if not (hasattr(model, "predict") or hasattr(model, "predict_proba")):
        got = type(model).__name__
        raise TypeError(sentence(WHO, "a Trainer, a Sequential model or a fitted estimator", got))
    classes = getattr(model, "classes_", None)
    if classes is None:
        return partial(_numbers_of, model), None
    if isinstance(classes, list):
        raise _several_labels(len(classes))
    if not hasattr(model, "predict_proba"):
        remedy = "wrap it in sklearn.calibration.CalibratedClassifierCV"
        raise TypeError(sentence(WHO, "a classifier with predict_proba", type(model).__name__, remedy))
    return partial(_logits_of_classifier, model), np.asarray(classes).tolist()


# Functions of the module, because a report holds one of them and must be picklable.


def _logits_of(network: Sequential, as_probabilities: bool, rows: Any) -> Array:
    return _logits(network.predict(rows), as_probabilities)


def _logits_of_classifier(model: Any, rows: Any) -> Array:
    p = np.asarray(model.predict_proba(rows))
    if p.ndim == 2 and np.abs(p.sum(axis=1) - 1).max() > NEARLY:
        raise _several_labels(p.shape[1])
    return _logits(p, True)


def _numbers_of(model: Any, rows: Any) -> Array:
    return _numbers(model.predict(rows))


def _several_labels(count: int) -> ValueError:
    remedy = "for independent labels see metrics.binary_accuracy"
    return ValueError(sentence(WHO, "exclusive classes", f"{count} labels", remedy))


def _of_classes(model: Sequential, loss: Any, x: Array, y: Array) -> bool:
    """Whether to classify: by the loss if it decides; else integer labels are classes, as for ``diagnose``."""
    if isinstance(loss, (CrossEntropy, BinaryCrossEntropy)):
        return True
    several = model.predict(x[:1]).shape[-1] > 1
    return y.ndim == 1 and y.dtype.kind in "iub" and (several or last_op(model.layers) in PROBABILITIES)


def _logits(z: Array, as_probabilities: bool) -> Array:
    """Return logits (N, K ≥ 2) in float64; their softmax is the probabilities."""
    z = z.astype(np.float64)
    if z.ndim == 1:
        z = z[:, None]
    if as_probabilities:
        p = np.hstack([1 - z, z]) if z.shape[1] == 1 else z
        z = np.log(np.maximum(p, FLOOR))
    return np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z


def _numbers(z: Any) -> Array:
    numbers = as_numeric(WHO, "the model's outputs", z, np.float64)
    return numbers[:, None] if numbers.ndim == 1 else numbers


def _codes(y: Array, classes: Sequence[Any]) -> Array:
    """Return the position of each label among the classes; soft labels (N, K) count by the largest."""
    if y.ndim == 2:
        y = np.array(classes)[_largest(y, len(classes))]
    code = {label: position for position, label in enumerate(classes)}
    if y.dtype.kind == "f" and list(code) == [0, 1] and within(y, 0, 1):
        y = y > 0.5  # a probability is a label, too
    labels = y.tolist()
    strange = next((label for label in labels if label not in code), None)
    if strange is not None or None in labels:
        some = ", ".join(map(str, list(code)[:5])) + (", ..." if len(code) > 5 else "")
        raise ValueError(sentence(WHO, f"labels among {some} ({len(code)} classes)", repr(strange)))
    return np.array([code[label] for label in labels], dtype=np.intp)


def _largest(y: Array, count: int) -> Array:
    """Return the position of the largest number of each row; rows must sum to 1."""
    y = as_numeric(WHO, "y", y, np.float64)
    if y.shape[1] != count or not within(y, 0, 1) or not within(y.sum(axis=1), 1 - NEARLY, 1 + NEARLY):
        expected = f"labels (N,), or a probability for each of {count} classes whose sum is 1"
        raise ValueError(
            sentence(WHO, expected, f"y of shape {y.shape}, rows from {y.sum(1).min():g} to {y.sum(1).max():g}")
        )
    largest: Array = y.argmax(axis=1)
    return largest
