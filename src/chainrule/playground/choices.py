"""What the page offers, from the library's own registries; the settings chosen, as arguments of the library's classes.

Settings are flat: ``{"data": "spirals", "hidden": [8, 8], "optimizer": "adam", "learning_rate": 0.02, …}``. None stands
for the default of the library's class, so that a setting such as ``momentum`` serves several optimizers.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import schedules
from .._support.checks import Array, check_integer, check_name, check_number, sentence
from .._support.registry import snake_case
from ..initializers import INITIALIZERS
from ..layers.activations import ACTIVATIONS
from ..losses import classification, regression
from ..optimizers import OPTIMIZERS, Optimizer
from .data import FEWEST, KINDS, MOST_ROWS

Settings = dict[str, Any]
Control = dict[str, Any]

PLAYGROUND = "playground"
MOST_LAYERS, MOST_UNITS, MOST_SEED = 6, 32, 2**31

#: Input features: as the page writes them, as Python does, and the function itself.
FEATURES: dict[str, tuple[str, str, Callable[[Array], Array]]] = {
    "x1": ("x₁", "x[:, 0]", lambda x: x[:, 0]),
    "x2": ("x₂", "x[:, 1]", lambda x: x[:, 1]),
    "x1^2": ("x₁²", "x[:, 0] ** 2", lambda x: x[:, 0] ** 2),
    "x2^2": ("x₂²", "x[:, 1] ** 2", lambda x: x[:, 1] ** 2),
    "x1*x2": ("x₁x₂", "x[:, 0] * x[:, 1]", lambda x: x[:, 0] * x[:, 1]),
    "sin(x1)": ("sin x₁", "np.sin(x[:, 0])", lambda x: np.sin(x[:, 0])),
    "sin(x2)": ("sin x₂", "np.sin(x[:, 1])", lambda x: np.sin(x[:, 1])),
}
SCHEDULES = [name for name in schedules.__all__ if name != "Constant"]
REQUIRED = {"decay": 0.999}  # arguments without a default, and ours
RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.02, 0.03, 0.1, 0.3, 1.0, 3.0]
PENALTIES = [0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1]


def losses_for(classes: int) -> list[str]:
    """Names of the losses for so many classes, 0 being a regression; the usual one first."""
    names = [snake_case(name) for name in (classification if classes else regression).__all__]
    return sorted((n for n in names if classes == 2 or n != "binary_cross_entropy"), key=lambda n: n not in USUAL)


USUAL = ("cross_entropy", "squared_error")


def _own_settings(what: str, name: str) -> dict[str, Any]:
    """The settings of an optimizer or a schedule, with their defaults; the rate is a setting for itself."""
    if what == "optimizer":
        fields: Any = dataclasses.fields(OPTIMIZERS[name])
        return {field.name: field.default for field in fields if field.name not in ("groups", "learning_rate")}
    known = inspect.signature(getattr(schedules, name)).parameters
    return {key: REQUIRED.get(key, own.default) for key, own in known.items() if key != "rate"}


def _controls_of(what: str, names: list[str]) -> Iterator[Control]:
    """A control for each setting that some of these optimizers or schedules have."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        for key, default in _own_settings(what, name).items():
            found.setdefault(key, {})[name] = default
    for key, defaults in found.items():
        first = next(iter(defaults.values()))
        kind = "boolean" if isinstance(first, bool) else "pair" if isinstance(first, tuple) else "number"
        label = key.replace("_", " ").capitalize()
        yield _control(key, what, label, kind, None, only={what: list(defaults)}, defaults=defaults)


def _control(name: str, group: str, label: str, kind: str, default: Any, **more: Any) -> Control:
    return {"name": name, "group": group, "label": label, "kind": kind, "default": default} | more


def _choices(values: Any) -> list[dict[str, Any]]:
    return [{"value": value, "label": str(value).replace("_", " ")} for value in values]


def controls() -> list[Control]:
    """All controls of the page in order; those with ``only`` are for these values of another setting."""
    drawn = {"data": list(KINDS)}
    plane = {"data": [*KINDS, "table"]}
    losses = {loss: [n for n in (0, 2, 10) if loss in losses_for(n)] for n in (2, 0) for loss in losses_for(n)}
    data = [{"value": name, "label": kind.title, "classes": kind.classes} for name, kind in KINDS.items()]
    data += [{"value": "digits", "label": "Handwritten digits"}, {"value": "table", "label": "Your own table"}]
    return [
        _control("data", "data", "Data", "choice", "spirals", choices=data),
        _control("points", "data", "Points", "range", 500, min=FEWEST, max=MOST_ROWS, step=10),
        _control("noise", "data", "Noise", "range", 0.1, min=0, max=1, step=0.05, only=drawn),
        _control("test_share", "data", "Share of test points", "range", 0.5, min=0.1, max=0.9, step=0.1),
        _control("data_seed", "data", "Seed of the data", "range", 0, min=0, max=MOST_SEED, step=1),
        _control("columns", "data", "Columns for x₁ and x₂", "columns", None, only={"data": ["table"]}),
        _control("target", "data", "Column to predict", "column", None, only={"data": ["table"]}),
        _control("features", "network", "Input features", "features", ["x1", "x2"], choices=_labelled(), only=plane),
        _control("hidden", "network", "Hidden layers", "layers", [8, 8], max_layers=MOST_LAYERS, max_units=MOST_UNITS),
        _control("activation", "network", "Activation", "choice", "tanh", choices=_choices(ACTIVATIONS)),
        _control("initializer", "network", "Initial weights", "choice", None, choices=_choices([None, *INITIALIZERS])),
        _control("seed", "network", "Seed of the network", "range", 0, min=0, max=MOST_SEED, step=1),
        _control("loss", "training", "Loss", "choice", None, choices=_choices(losses), classes=losses),
        _control("optimizer", "training", "Optimizer", "choice", "adam", choices=_choices(OPTIMIZERS)),
        _control("learning_rate", "training", "Learning rate", "choice", 0.02, choices=_choices(RATES)),
        _control("batch_size", "training", "Batch size", "range", 16, min=1, max=MOST_ROWS, step=1),
        _control("l1", "training", "L1 penalty", "choice", 0.0, choices=_choices(PENALTIES)),
        _control("l2", "training", "L2 penalty", "choice", 0.0, choices=_choices(PENALTIES)),
        _control("dropout", "training", "Dropout", "range", 0.0, min=0, max=0.9, step=0.1),
        *_controls_of("optimizer", list(OPTIMIZERS)),
        _control("schedule", "schedule", "Schedule of the rate", "choice", None, choices=_choices([None, *SCHEDULES])),
        _control("epochs", "schedule", "Epochs of the schedule", "range", 200, min=1, max=10_000, step=1),
        *_controls_of("schedule", SCHEDULES),
    ]


def _labelled() -> list[dict[str, Any]]:
    return [{"value": name, "label": label} for name, (label, *_) in FEATURES.items()]


def completed(given: Any) -> Settings:
    """The settings with the defaults filled in; the library's classes check their own values."""
    if not isinstance(given, dict):
        raise TypeError(sentence(PLAYGROUND, "settings as an object", type(given).__name__))
    defaults = {control["name"]: control["default"] for control in controls()}
    for name in given:
        check_name(PLAYGROUND, "a setting", name, defaults)
    settings = defaults | given
    hidden, features = settings["hidden"], settings["features"]
    if not isinstance(hidden, list) or len(hidden) > MOST_LAYERS:
        raise ValueError(sentence(PLAYGROUND, f"hidden as a list of at most {MOST_LAYERS} layers", _short(hidden)))
    for units in hidden:
        check_number(PLAYGROUND, "units of a layer", check_integer(PLAYGROUND, "units", units), maximum=MOST_UNITS)
    if not isinstance(features, list) or not features or len(set(map(str, features))) < len(features):
        raise ValueError(sentence(PLAYGROUND, "features as a list of one or more different names", _short(features)))
    for name in features:
        check_name(PLAYGROUND, "a feature", name, FEATURES)
    check_name(PLAYGROUND, "an optimizer", settings["optimizer"], OPTIMIZERS)
    if settings["schedule"] is not None:
        check_name(PLAYGROUND, "a schedule", settings["schedule"], SCHEDULES)
    return settings


def _short(value: Any) -> str:
    return repr(value)[:80]


def arguments_of(what: str, settings: Settings) -> dict[str, Any]:
    """The arguments of the chosen optimizer or schedule beside the rate, where they are not its defaults."""
    own = _own_settings(what, settings[what])
    given = {key: settings[key] for key in own if settings[key] is not None}
    required = {key: value for key, value in REQUIRED.items() if key in own}
    return required | {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def optimizer_of(settings: Settings) -> Optimizer:
    """The optimizer, with a schedule as its learning rate if there is one."""
    rate = settings["learning_rate"]
    if settings["schedule"] is not None:
        rate = getattr(schedules, settings["schedule"])(rate, **arguments_of("schedule", settings))
    return OPTIMIZERS[settings["optimizer"]](learning_rate=rate, **arguments_of("optimizer", settings))
