"""What the page offers, from the library's own registries; the settings chosen, as arguments of the library's classes.

Settings are flat: ``{"data": "spirals", "hidden": [8, 8], "optimizer": "adam", "learning_rate": 0.02, …}``. None stands
for the default of the library's class, so that a setting such as ``momentum`` serves several optimizers.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
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
MOST_LAYERS, MOST_UNITS = 6, 32

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


def _choice(name: str, group: str, label: str, default: Any, labels: Mapping[Any, str], **more: Any) -> Control:
    choices = [{"value": value, "label": text} for value, text in labels.items()]
    return _control(name, group, label, "choice", default, choices=choices, **more)


def _words(names: Iterable[str]) -> dict[Any, str]:
    return {name: name.replace("_", " ").capitalize() for name in names}


def controls() -> list[Control]:
    """All controls of the page in order; those with ``only`` are for these values of another setting."""
    return [*_of_data(), *_of_network(), *_of_training()]


def _of_data() -> list[Control]:
    data = {name: kind.title for name, kind in KINDS.items()}
    data |= {"digits": "Drawn digits", "table": "Your own table"}
    drawn, table = {"data": list(KINDS)}, {"data": ["table"]}
    return [
        _choice("data", "data", "Data", "spirals", data),
        _control("points", "data", "Points", "range", 500, min=FEWEST, max=MOST_ROWS, step=10),
        _control("noise", "data", "Noise", "range", 0.1, min=0, max=1, step=0.05, only=drawn),
        _control("test_share", "data", "Share of test points", "range", 0.5, min=0.1, max=0.9, step=0.1),
        _control("data_seed", "data", "Seed of the data", "number", 0, min=0),
        _control("columns", "data", "Columns for x₁ and x₂", "columns", None, only=table),
        _control("target", "data", "Column to predict", "column", None, only=table),
    ]


def _of_network() -> list[Control]:
    features = _choice("features", "network", "Input features", ["x1", "x2"], {n: f[0] for n, f in FEATURES.items()})
    activations = {name: repr(activation).removesuffix("()") for name, activation in ACTIVATIONS.items()}
    initializers = {None: "Suited to the activation"} | _words(INITIALIZERS)
    return [
        features | {"kind": "features", "only": {"data": [*KINDS, "table"]}},
        _control("hidden", "network", "Hidden layers", "layers", [8, 8], max_layers=MOST_LAYERS, max_units=MOST_UNITS),
        _choice("activation", "network", "Activation", "tanh", activations),
        _choice("initializer", "network", "Initial weights", None, initializers),
        _control("seed", "network", "Seed of the network", "number", 0, min=0),
    ]


def _of_training() -> list[Control]:
    losses = {loss: [n for n in (0, 2, 10) if loss in losses_for(n)] for n in (2, 0) for loss in losses_for(n)}
    optimizers = {name: optimizer.__name__ for name, optimizer in OPTIMIZERS.items()}
    rules: dict[Any, str] = {None: "Constant"} | dict(zip(SCHEDULES, SCHEDULES, strict=True))
    sizes: dict[Any, str] = {2**power: str(2**power) for power in range(10)} | {None: "All points"}
    penalties = {penalty: f"{penalty:g}" for penalty in PENALTIES}
    return [
        _choice("loss", "training", "Loss", None, {None: "The usual one"} | _words(losses), classes=losses),
        _choice("optimizer", "training", "Optimizer", "adam", optimizers),
        _choice("learning_rate", "training", "Learning rate", 0.02, {rate: f"{rate:g}" for rate in RATES}),
        _choice("batch_size", "training", "Batch size", 16, sizes),
        _choice("l1", "training", "L1 penalty", 0.0, penalties),
        _choice("l2", "training", "L2 penalty", 0.0, penalties),
        _control("dropout", "training", "Dropout", "range", 0.0, min=0, max=0.9, step=0.1),
        *_controls_of("optimizer", list(OPTIMIZERS)),
        _choice("schedule", "schedule", "Schedule of the rate", None, rules),
        _control("epochs", "schedule", "Epochs of the schedule", "range", 200, min=1, max=10_000, step=1),
        *_controls_of("schedule", SCHEDULES),
    ]


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
    check_name(PLAYGROUND, "an activation", settings["activation"], ACTIVATIONS)
    check_name(PLAYGROUND, "an optimizer", settings["optimizer"], OPTIMIZERS)
    if settings["schedule"] is not None:
        check_name(PLAYGROUND, "a schedule", settings["schedule"], SCHEDULES)
    return settings


def at_most(name: str, value: int, most: int) -> int:
    """A whole number from 0 to the most."""
    return int(check_number(PLAYGROUND, name, check_integer(PLAYGROUND, name, value, minimum=0), maximum=most))


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
