"""Any model as a network with its loss, and any rows as what that network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, as_samples, check_finite, is_sparse, sentence
from ..layers.columns import check_all_codes
from ..losses import LossFunction, get_loss
from ..model import Sequential
from ..optimizers import SGD, Optimizer, get_optimizer
from ..persistence.estimators import is_ours, is_tabular
from ..training.inputs import check_input
from ..training.trainer import Trainer
from .rows import WHO, NumberRows, TableRows, as_rows


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, rows x (N, ...) as it takes them, and y as the loss takes it; of an estimator also the rows' cells."""

    network: Sequential
    x: Array
    y: Any
    loss: LossFunction | None
    optimizer: Optimizer
    rows: NumberRows | TableRows | None = None


def as_subject(model: Any, x: Any, y: Any, loss: Any, optimizer: Any) -> Subject:
    """Return the subject of an explanation; raise where x, y and the loss do not fit the model."""
    rule = SGD(0.1) if optimizer is None else get_optimizer(optimizer)
    if isinstance(model, Trainer):
        rule = model.optimizer if optimizer is None else rule
        return _of_network(model.model, x, y, model.loss if loss is None else get_loss(loss), rule)
    if isinstance(model, Sequential):
        if y is not None and loss is None:
            remedy = 'pass the one of its training, as in loss="cross_entropy"'
            raise ValueError(sentence(WHO, "a loss beside y", "none", remedy))
        return _of_network(model, x, y, None if loss is None else get_loss(loss), rule)
    if not (is_ours(model) or is_tabular(model)):
        expected = "a Sequential model, a Trainer, or an estimator of chainrule"
        raise TypeError(sentence(WHO, expected, f"an object of type {type(model).__name__}"))
    if loss is not None:
        raise ValueError(sentence(WHO, "no loss beside an estimator, which has its own", repr(loss), "leave it out"))
    if not hasattr(model, "model_"):
        raise ValueError(sentence(WHO, "a fitted estimator", f"{type(model).__name__} before fit", "call fit first"))
    return _of_estimator(model, as_rows(x), y, rule)


def _of_network(model: Sequential, x: Any, y: Any, loss: LossFunction | None, optimizer: Optimizer) -> Subject:
    given = x.toarray() if is_sparse(x) else x
    x = as_samples(WHO, given, model.dtype, given)
    x = x[None] if x.ndim == 1 else x
    if not len(x):
        raise ValueError(sentence(WHO, "at least one row", "none"))
    target = x if y is None else np.asarray(y)
    check_input(model, x, target)
    check_finite(WHO, "x", x, of=given)
    check_all_codes(WHO, model.layers, x, of=given)
    if y is None:
        return Subject(model, x, None, None, optimizer)
    return Subject(model, x, _of_one(target, model.predict(x).shape) if len(x) == 1 else target, loss, optimizer)


def _of_one(y: Array, outputs: tuple[int, ...]) -> Array:
    """Give the answer for a single row the axis of the batch, if it has none: a label, a number, or one for each."""
    if y.ndim == 0:
        return y[None] if y.dtype.kind in "iub" and outputs[-1] > 1 else y[None, None]
    return y[None] if y.shape == outputs[1:] else y


def _of_estimator(model: Any, X: Any, y: Any, optimizer: Optimizer) -> Subject:
    rows = TableRows(model, X) if is_tabular(model) else NumberRows(model, X)
    if y is None:
        return Subject(model.model_, rows.x, None, None, optimizer, rows)
    alone = np.ndim(y) == 0 or (len(rows.x) == 1 and np.ndim(y) == 1 and len(y) > 1)  # also of several outputs
    answers = [y] if alone else y
    if len(answers) != len(rows.x):
        raise ValueError(sentence(WHO, f"as many values in y as rows in x, {len(rows.x)}", str(len(answers))))
    if hasattr(model, "classes_") and not model._multilabel:
        _check_known(np.ravel(np.asarray(answers, object)).tolist(), model.classes_.tolist())
    if is_tabular(model):
        loss, known = model._loss()[0], model._read_targets(answers, fresh=False)
    else:
        loss, known = model._loss, model._check_data(X, answers, reset=False, incremental=True)[1]
    return Subject(model.model_, rows.x, model._targets(known), loss, optimizer, rows)


def _check_known(labels: list[Any], classes: list[Any]) -> None:
    """Raise for a label that is none of the classes."""
    strange = next((label for label in labels if label not in classes), None)
    if strange is not None:
        some = ", ".join(map(str, classes[:5])) + (", ..." if len(classes) > 5 else "")
        raise ValueError(sentence(WHO, f"y among the classes {some}", repr(strange)))
