"""A fitted MLPClassifier or MLPRegressor as JSON values beside its network, and back: read without belief in them.

Of the parameters, numbers, texts, lists, tuples and mappings come back as they were, and so do activations, losses,
optimizers and schedules of ours. What is none of these, such as a callback, a function or a random generator, is left
out: it matters to training alone, and the estimator that is read has the default in its place.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from .. import losses, optimizers, schedules
from .._support.checks import Array, nearest, sentence
from ..layers import Layer, layer_from_config
from ..layers.activations import Activation
from ..model import Sequential
from .bridges import RECORDS
from .classifier import MLPClassifier
from .parameters import snapshot
from .regressor import MLPRegressor

LEFT_OUT = object()
_OBJECTS: dict[str, Any] = {
    name: getattr(part, name)
    for part in (losses, optimizers, schedules)
    for name in part.__all__
    if is_dataclass(getattr(part, name))
}


def parameters_as_json(estimator: Any, cls: type[Any]) -> dict[str, Any]:
    """The parameters that a class has by name, without those that a file cannot hold."""
    given = {name: as_json(getattr(estimator, name)) for name in cls._get_param_names()}
    return {name: value for name, value in given.items() if value is not LEFT_OUT}


def with_parameters(cls: type[Any], described: Any) -> Any:
    """A new estimator with these parameters, each checked as ``fit`` checks it."""
    known = cls._get_param_names()
    if type(described) is not dict:
        raise ValueError("parameters that are no mapping")
    for name in described:
        if name not in known:
            raise ValueError(f"a parameter {name!r}{nearest(name, known)}")
    estimator = cls(**{name: from_json(value) for name, value in described.items()})
    estimator._validate_params()
    return estimator


def check_names(described: Any, names: Collection[str]) -> None:
    """Raise unless a description has exactly these entries."""
    if type(described) is not dict:
        raise ValueError(f"{described!r:.80} for a mapping")
    if strange := sorted(set(described) ^ set(names)):
        raise ValueError(f"{strange[0]!r:.80}, which is {'too much' if strange[0] in described else 'missing'}")


def as_json(value: Any) -> Any:
    """A value as JSON has it, what JSON does not have as a mapping with one name; or LEFT_OUT."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return _wrapped("tuple" if isinstance(value, tuple) else "", [as_json(item) for item in value])
    if isinstance(value, Mapping):
        return _wrapped("mapping", [_wrapped("", [as_json(part) for part in pair]) for pair in value.items()])
    if isinstance(value, Activation):
        return {"activation": value.config()}
    name = type(value).__name__
    if _OBJECTS.get(name) is type(value):
        given = {field.name: as_json(getattr(value, field.name)) for field in fields(value) if field.init}
        return LEFT_OUT if LEFT_OUT in given.values() else {name: given}
    return LEFT_OUT


def from_json(value: Any) -> Any:
    """What :func:`as_json` described; ValueError for anything else."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"{value!r:.80} for a parameter")
    ((name, given),) = value.items()
    if name == "float" and given in ("inf", "-inf", "nan"):
        return float(given)
    if name == "tuple" and isinstance(given, list):
        return tuple(from_json(item) for item in given)
    if name == "mapping" and isinstance(given, list):
        return dict(_pair(item) for item in given)
    if name == "activation":
        layer: Layer = layer_from_config(given)
        if isinstance(layer, Activation):
            return layer
    elif name in _OBJECTS and isinstance(given, dict):
        return _OBJECTS[name](**{key: from_json(item) for key, item in given.items()})
    raise ValueError(f"{value!r:.80} for a parameter")


def _wrapped(name: str, items: list[Any]) -> Any:
    if any(item is LEFT_OUT for item in items):
        return LEFT_OUT
    return {name: items} if name else items


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, list) or len(item) != 2:
        raise ValueError(f"{item!r:.80} in a mapping")
    return from_json(item[0]), from_json(item[1])


# --- labels -------------------------------------------------------------------------------------------------------

_DTYPES = re.compile(r"\|b1|[<>|][iuf][1248]|[<>]U\d{1,6}|\|O")
MOST_BYTES = 64 << 20
_PLAIN = {"b": bool, "i": int, "u": int, "f": float, "U": str, "O": str}


def labels_as_json(labels: Any) -> dict[str, Any]:
    """Labels (K,) with their dtype."""
    return {"dtype": labels.dtype.str, "values": labels.tolist()}


def labels_from_json(described: Any) -> Any:
    """Labels, each a different one, in order."""
    check_names(described, ("dtype", "values"))
    if type(described["dtype"]) is not str:
        raise ValueError("classes without a dtype")
    values = described["values"]
    dtype = np.dtype(described["dtype"]) if _DTYPES.fullmatch(described["dtype"]) else None
    if dtype is None or type(values) is not list or not values:
        raise ValueError("classes that are neither texts nor numbers")
    if any(type(value) is not _PLAIN[dtype.kind] for value in values):
        raise ValueError(f"classes that are not all of dtype {dtype}")
    if dtype.itemsize * len(values) > MOST_BYTES:
        raise ValueError(f"classes that take more than {MOST_BYTES:,} bytes")
    labels = np.empty(len(values), dtype)
    labels[:] = values
    if labels.tolist() != values or not all(a < b for a, b in itertools.pairwise(values)):
        raise ValueError("classes that are not in order")
    return labels


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
        estimator._typical = tuple(_numbers(one, count) for one in _two_lists(described["typical"]))
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


def _two_lists(values: Any) -> tuple[Any, Any]:
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
