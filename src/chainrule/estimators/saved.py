"""A fitted MLPClassifier or MLPRegressor as JSON values beside its network, and back: read without belief in them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._support.checks import Array, sentence
from ..model import Sequential
from .bridges import RECORDS
from .classifier import MLPClassifier
from .description import (
    as_json,
    check_names,
    from_json,
    labels_as_json,
    labels_from_json,
    parameters_as_json,
    with_parameters,
)
from .parameters import snapshot
from .regressor import MLPRegressor

CLASSES: dict[str, Any] = {cls.__name__: cls for cls in (MLPClassifier, MLPRegressor)}
RECORDED = ("n_iter_", "t_", "validation_loss_curve_", *(name for name in RECORDS if "loss" in name or "score" in name))
OF_SCALERS = ("scaler_", "target_scaler_")
DECISIVE = ("activation", "loss")  # parameters without which it is another estimator


def describe(estimator: Any) -> dict[str, Any]:
    """All that it knows besides its network, but for the state of its optimizer."""
    cls = MLPClassifier if isinstance(estimator, MLPClassifier) else MLPRegressor
    parameters = parameters_as_json(estimator, cls)
    if lost := [name for name in DECISIVE if name not in parameters and hasattr(estimator, name)]:
        got, remedy = f"{lost[0]}={getattr(estimator, lost[0])!r}", "write the estimator with joblib.dump"
        raise TypeError(sentence("save", "an estimator whose loss and activations are chainrule's", got, remedy))
    names = getattr(estimator, "feature_names_in_", None)
    described = {
        "class": cls.__name__,
        "parameters": parameters,
        "n_features": estimator.n_features_in_,
        "feature_names": None if names is None else names.tolist(),
        "typical": [one.tolist() for one in estimator._typical] if hasattr(estimator, "_typical") else None,
        "records": {name: as_json(getattr(estimator, name)) for name in RECORDED if hasattr(estimator, name)},
        **{name: _scaler_as_json(getattr(estimator, name, None)) for name in OF_SCALERS},
    }
    if cls is MLPClassifier:
        return described | {"classes": labels_as_json(estimator.classes_), "multilabel": estimator._multilabel}
    return described | {"n_outputs": estimator.n_outputs_, "far": estimator._far}


def read(described: dict[str, Any], model: Sequential) -> Any:
    """The estimator that was described; ValueError or TypeError for anything else."""
    cls = CLASSES[described["class"]]
    check_names(described, names_of(cls))
    estimator = with_parameters(cls, described["parameters"])
    count = estimator.n_features_in_ = _integer(described["n_features"], 1)
    if (names := described["feature_names"]) is not None:
        if type(names) is not list or len(names) != count or not all(type(name) is str for name in names):
            raise ValueError(f"feature names that are not {count} texts")
        estimator.feature_names_in_ = np.array(names, object)
    if described["typical"] is not None:
        estimator._typical = tuple(_numbers(one, count) for one in _pair(described["typical"]))
    if cls is MLPClassifier:
        estimator._multilabel = _flag(described["multilabel"])
        estimator.classes_ = labels_from_json(described["classes"])
    else:
        estimator.n_outputs_, estimator._far = _integer(described["n_outputs"], 1), _flag(described["far"])
    estimator.scaler_ = _scaler(described["scaler_"], count)
    if cls is MLPRegressor:
        estimator.target_scaler_ = _scaler(described["target_scaler_"], estimator.n_outputs_)
    outputs = estimator._take_loss()
    check_network(model, count, outputs)
    estimator._take_network(model)
    _take_records(estimator, described["records"])
    return estimator


def names_of(cls: type[Any]) -> set[str]:
    """The names in a description."""
    own = {"classes", "multilabel"} if cls is MLPClassifier else {"n_outputs", "far"}
    return {"class", "parameters", "n_features", "feature_names", "typical", "records", *OF_SCALERS, *own}


def check_network(model: Sequential, inputs: int, outputs: int) -> None:
    """Raise unless the network takes so many numbers and gives so many."""
    try:
        z = model.predict(np.zeros((1, inputs)))
    except ValueError as error:
        raise ValueError(f"a network that does not fit its columns: {error}") from None
    if z.shape != (1, outputs):
        raise ValueError(f"a network of outputs {z.shape[1:]}, where {outputs} are needed")


def _take_records(estimator: Any, records: Any) -> None:
    if type(records) is not dict or not set(records) <= set(RECORDED):
        raise ValueError("records that are none")
    for name, value in records.items():
        found = from_json(value)
        each = found if isinstance(found, list) else [] if found is None else [found]
        if not all(type(one) in (int, float) for one in each):
            raise ValueError(f"{value!r:.80} for {name!r}")
        setattr(estimator, name, found)
    if getattr(estimator, "best_validation_score_", None) is not None:
        estimator._best = snapshot(estimator.model_), None


# --- values -------------------------------------------------------------------------------------------------------


def _scaler_as_json(scaler: Any) -> dict[str, Any] | None:
    if scaler is None:
        return None
    mean = None if scaler.mean_ is None else scaler.mean_.tolist()
    counts = np.broadcast_to(scaler.n_samples_seen_, scaler.var_.shape).tolist()
    numbers = {"mean": mean, "variance": scaler.var_.tolist(), "scale": scaler.scale_.tolist(), "rows": counts}
    return numbers | {"with_mean": scaler.with_mean}


def _scaler(described: Any, count: int) -> StandardScaler | None:
    if described is None:
        return None
    check_names(described, ("mean", "variance", "scale", "rows", "with_mean"))
    mean = described["mean"]
    scaler = StandardScaler(with_mean=_flag(described["with_mean"]))
    if mean is None and scaler.with_mean:
        raise ValueError("a scaler without a mean")
    scaler.mean_ = None if mean is None else _numbers(mean, count)
    scaler.var_, scaler.scale_ = _numbers(described["variance"], count), _numbers(described["scale"], count)
    scaler.n_samples_seen_ = _numbers(described["rows"], count)
    scaler.n_features_in_ = count
    if not (scaler.scale_ > 0).all():
        raise ValueError("a scaler with a scale that is not positive")
    return scaler


def _numbers(values: Any, count: int) -> Array:
    good = type(values) is list and len(values) == count and all(type(value) in (int, float) for value in values)
    if not good or not all(math.isfinite(value) for value in values):
        raise ValueError(f"{values!r:.80} for {count} numbers")
    return np.array(values, np.float64)


def _pair(values: Any) -> tuple[Any, Any]:
    if type(values) is not list or len(values) != 2:
        raise ValueError(f"{values!r:.80} for two lists of numbers")
    return values[0], values[1]


def _integer(value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{value!r:.80} for a number of columns")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{value!r:.80} for true or false")
    return value
