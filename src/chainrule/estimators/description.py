"""An estimator's parameters as JSON values, and back.

Numbers, texts, lists, tuples and mappings come back as they were, and so do activations, losses, optimizers and
schedules of ours. What is none of these, such as a callback, a function or a random generator, is left out: it matters
to training alone, and the estimator that is read has the default in its place.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from .. import losses, optimizers, schedules
from .._support.checks import nearest
from ..layers import Layer, layer_from_config
from ..layers.activations import Activation

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
