"""What a model answers to labelled rows, whatever kind of model it is: logits of classes, or numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_shape, sentence
from ..layers import HardSigmoid, Sigmoid, Softmax
from ..losses import BinaryCrossEntropy, CrossEntropy
from ..losses.classification import FLOOR
from ..model import Sequential
from ..ops import softmax
from ..training.trainer import Trainer

WHO = "report"
Predict = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Answers:
    """The rows, their truth and what was answered.

    ``predict`` gives z for any rows x: logits (N, K ≥ 2) of the classes, or numbers (N, O) where there are none;
    ``z`` are those of ``x``, and ``true`` are labels (N,) or numbers (N, O).
    """

    predict: Predict
    x: Array
    z: Array
    true: Array
    class_names: tuple[str, ...]

    @property
    def probabilities(self) -> Array:
        """(N, K)."""
        p: Array = softmax(self.z)
        return p

    @property
    def said(self) -> Array:
        """The predicted labels (N,)."""
        labels: Array = self.z.argmax(axis=1)
        return labels


def ask(model: Any, x: Any, y: Any, class_names: Sequence[Any] | None) -> Answers:
    """Ask the model for its answers; refuse what is neither K classes that exclude each other nor numbers."""
    x = as_numeric(WHO, "x", x)
    y = np.asarray(y)
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(sentence(WHO, "as many rows in x as in y, at least one", f"{len(x)} and {len(y)}"))
    check_finite(WHO, "x", x)
    predict, classes = _predictor(model, x, y)
    if class_names is not None and classes is not None and len(class_names) != len(classes):
        raise ValueError(sentence(WHO, f"{len(classes)} class_names, one per class", str(len(class_names))))
    z = predict(x)
    check_finite(WHO, "the model's outputs", z)
    if classes is None:
        true = as_numeric(WHO, "y", y, np.float64)
        true = true[:, None] if true.ndim == 1 else true
        remedy = "a loss of several outputs for each target has no report"
        check_shape(WHO, "the model's outputs", z, true.shape, remedy)
        check_finite(WHO, "y", true)
        return Answers(predict, x, z, true, ())
    names = tuple(str(name) for name in (classes if class_names is None else class_names))
    return Answers(predict, x, z, _codes(y, classes), names)


def _predictor(model: Any, x: Array, y: Array) -> tuple[Predict, Sequence[Any] | None]:
    """From x to logits and the classes, or to numbers and None."""
    if hasattr(model, "predict_proba"):
        classes = np.asarray(model.classes_)
        return lambda rows: _logits(np.asarray(model.predict_proba(rows)), True), classes.tolist()
    loss = model.loss if isinstance(model, Trainer) else None
    network = model.model if isinstance(model, Trainer) else model
    if not hasattr(network, "predict"):
        got = type(model).__name__
        raise TypeError(sentence(WHO, "a Trainer, a Sequential model or a fitted estimator", got))
    if isinstance(network, Sequential) and _of_classes(network, loss, x, y):
        as_probabilities = _gives_probabilities(network) if loss is None else not getattr(loss, "from_logits", True)
        outputs = network.predict(x[:1]).shape[-1]
        if outputs > 1 and isinstance(loss, BinaryCrossEntropy):
            remedy = "of labels that hold independently see metrics.binary_accuracy"
            raise ValueError(sentence(WHO, "classes that exclude each other", f"{outputs} labels", remedy))
        return lambda rows: _logits(network.predict(rows), as_probabilities), range(max(outputs, 2))
    return lambda rows: _numbers(network.predict(rows)), None


def _of_classes(model: Sequential, loss: Any, x: Array, y: Array) -> bool:
    """By the loss where there is one that says so; else integer labels are classes, as for ``diagnose``."""
    if isinstance(loss, (CrossEntropy, BinaryCrossEntropy)):
        return True
    several = model.predict(x[:1]).shape[-1] > 1
    return y.ndim == 1 and y.dtype.kind in "iub" and (several or _gives_probabilities(model))


def _gives_probabilities(model: Sequential) -> bool:
    last = model.layers[-1]
    return isinstance(getattr(last, "_activation", last), (Softmax, Sigmoid, HardSigmoid))


def _logits(z: Array, as_probabilities: bool) -> Array:
    """(N, K ≥ 2) in float64, of which softmax gives the probabilities."""
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
    """The position of each label among the classes; (N, 1) and soft labels (N, K) are labels too."""
    if y.ndim == 2:
        y = y.argmax(axis=1) if y.shape[1] == len(classes) else (y[:, 0] > 0.5).astype(np.intp)
    code = {label: position for position, label in enumerate(classes)}
    labels = y.tolist()
    strange = next((label for label in labels if label not in code), None)
    if strange is not None:
        some = ", ".join(map(str, list(code)[:5])) + (", ..." if len(code) > 5 else "")
        raise ValueError(sentence(WHO, f"labels among {some} ({len(code)} classes)", repr(strange)))
    return np.array([code[label] for label in labels], dtype=np.intp)
