"""Convert a fitted table estimator to JSON values and back; the values are checked, not trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...estimators.saved import (
    check_names,
    check_network,
    labels_as_json,
    labels_from_json,
    parameters_as_json,
    with_parameters,
)
from ...losses import Quantile
from ...model import Sequential
from ...training.callbacks import History
from ..encoders import facts
from ..encoding import TableEncoder
from ..judging import KINDS
from ..kinds import ColumnKind, Kinds
from ..plans import read_plan
from .learners import TabularClassifier, TabularRegressor

CLASSES = {cls.__name__: cls for cls in (TabularClassifier, TabularRegressor)}
_RANGES = ("mean_", "scale_", "low_", "high_")
_NAMES = ("class", "parameters", "encoder", "kinds", "by_place", "target", "plan", "members", "error", "history")
_COUNTS, _NUMBERS = ("fold", "best_epoch", "n_epochs"), ("error", "temperature")  # of a member
MOST = 2**63


def describe(estimator: Any) -> dict[str, Any]:
    """Describe everything but the network."""
    cls = TabularClassifier if isinstance(estimator, TabularClassifier) else TabularRegressor
    if isinstance(estimator, TabularClassifier):
        target: dict[str, Any] = labels_as_json(estimator.classes_) | {"multilabel": estimator._multilabel}
    else:
        target = {name: getattr(estimator, name).tolist() for name in _RANGES} | {"levels": estimator._levels}
    return {
        "class": cls.__name__,
        "parameters": parameters_as_json(estimator, cls),
        "encoder": estimator.encoder_.to_dict(),
        "kinds": [list(vars(kind).values()) for kind in estimator.column_kinds_],
        "by_place": estimator._by_place,
        "target": target,
        "plan": estimator.plan_,
        "members": estimator.members_,
        "error": estimator.validation_error_,
        "history": [{n: v for n, v in row.items() if n != "seconds"} for row in estimator.history_.rows],
    }


def read(described: dict[str, Any], model: Sequential) -> Any:
    """Read a description; raise a ValueError or TypeError if it is invalid."""
    check_names(described, _NAMES)
    cls: Any = CLASSES[facts.choice(described, "class", tuple(CLASSES))]
    estimator = with_parameters(cls, facts.get(described, "parameters", dict))
    estimator.encoder_ = TableEncoder.from_dict(facts.get(described, "encoder", dict))
    estimator.column_kinds_ = Kinds(map(_kind, facts.get(described, "kinds", list)))
    estimator._by_place = facts.get(described, "by_place", bool)
    estimator._names = [kind.name for kind in estimator.column_kinds_]
    if len(set(estimator._names)) < len(estimator._names) or not set(estimator.encoder_.columns) <= set(
        estimator._names
    ):
        raise ValueError("columns that are not those of its encoder")
    estimator.n_features_in_ = len(estimator._names)
    if not estimator._by_place:
        estimator.feature_names_in_ = np.array(estimator._names, object)
    estimator.plan_ = read_plan("load", facts.get(described, "plan", dict)).told()
    estimator.members_ = [_member(entry) for entry in facts.get(described, "members", list)]
    if not estimator.members_:
        raise ValueError("no members")
    estimator.best_epoch_, estimator.n_epochs_ = (estimator.members_[0][name] for name in _COUNTS[1:])
    estimator.validation_error_ = _number(described["error"])
    estimator.history_ = History([_row(row) for row in facts.get(described, "history", list)])
    outputs = _read_target(estimator, facts.get(described, "target", dict))
    check_network(model, len(estimator.encoder_.feature_names) + len(estimator.encoder_.code_names), outputs)
    estimator.model_ = model
    return estimator


def _read_target(estimator: Any, target: dict[str, Any]) -> int:
    """Read the facts about y, and return the number of network outputs."""
    if isinstance(estimator, TabularClassifier):
        check_names(target, ("dtype", "values", "multilabel"))
        estimator._multilabel = facts.get(target, "multilabel", bool)
        estimator.classes_ = labels_from_json({name: target[name] for name in ("dtype", "values")})
        estimator.n_outputs_ = len(estimator.classes_)
        return int(estimator.n_outputs_)
    check_names(target, (*_RANGES, "levels"))
    estimator.n_outputs_ = len(facts.get(target, "mean_", list))
    for name in _RANGES:
        setattr(estimator, name, facts.numbers(target, name, estimator.n_outputs_))
    if not (estimator.scale_ > 0).all() or (estimator.low_ > estimator.high_).any():
        raise ValueError("a range of y that is none")
    if (levels := target["levels"]) is not None:
        levels = Quantile(facts.get(target, "levels", list)).levels
    estimator._levels = levels
    return int(estimator.n_outputs_ * estimator._width)


def _kind(entry: Any) -> ColumnKind:
    types = (str, str, int, int, str, str, str, bool)
    if type(entry) is not list or [type(value) for value in entry] != list(types) or entry[1] not in KINDS:
        raise ValueError(f"{entry!r:.80} for a column")
    return ColumnKind(*entry)


def _member(entry: Any) -> dict[str, Any]:
    check_names(entry, (*_COUNTS, *_NUMBERS))
    counts = {name: facts.integer(entry, name, 0, MOST) for name in _COUNTS}
    return counts | {name: _number(entry[name]) for name in _NUMBERS}


def _number(value: Any) -> float | None:
    if value is not None and type(value) is not float:
        raise ValueError(f"{value!r:.80} for a number")
    return value


def _row(entry: Any) -> dict[str, float]:
    row = facts.mapping(entry)
    if not all(type(value) in (int, float) for value in row.values()):
        raise ValueError(f"{entry!r:.80} for an epoch")
    return row
