"""The settings of training, and which of them count after a resume.

    resumed = theirs   if mine = first
              mine     otherwise

``first`` is a setting at the start of the interrupted training, ``theirs`` in the checkpoint, and ``mine`` in the
trainer that resumes. Changes by callbacks therefore persist as if training had never stopped, and the user's new
settings take effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..layers import Layer
from ..layers.activations import name_of
from ..layers.elementwise import Elementwise
from ..metrics import Metric
from ..model import Sequential
from ..optimizers import Optimizer

#: Keys are paths from the trainer, such as "optimizer.learning_rate" or "model.layers.2.rate". Values are numbers,
#: text, None, and lists and dicts of these. Any other object is stored as its name under OBJECT, then its numbers.
Settings: TypeAlias = dict[str, Any]

OF_TRAINER = (
    "epochs",
    "batch_size",
    "drop_last",
    "sample",
    "average_penalty",
    "augment",
    "products",
    "loss",
    "optimizer",
)
COUNTED = "total_steps"  # of an optimizer: counted at setup
OBJECT = "$object"
NOTHING = object()


class Configured(Protocol):
    """A trainer, as far as its settings are concerned: attributes of the names above, and these."""

    model: Sequential
    metrics: dict[str, Metric]
    rng: np.random.Generator


def settings_of(trainer: Configured) -> Settings:
    """Return everything but arrays that steps read and a callback may change."""
    found: Settings = {}
    seen: set[int] = set()
    for name in OF_TRAINER:
        _note(found, name, getattr(trainer, name), seen)
    _note(found, "model.layers", trainer.model.layers, seen)
    return found


def asked(mine: Settings, first: Settings | None, left: Settings | None) -> Settings:
    """Return the user's settings: the present ones without changes during the last fit, which began with ``first``."""
    if first is None or left is None:
        return mine
    return {path: first.get(path, value) if left.get(path, NOTHING) == value else value for path, value in mine.items()}


def resumed(first: Settings, theirs: Settings, mine: Settings) -> Settings:
    """Return the settings that count, by the rule above; only those that the checkpoint has."""
    return {
        path: theirs[path] if first[path] == now else now
        for path, now in mine.items()
        if path in first and path in theirs
    }


def assign(trainer: Configured, settings: Settings) -> None:
    """Set what differs, in an order in which an object's settings fit each other at any time."""
    now = settings_of(trainer)
    due = {path: value for path, value in settings.items() if now.get(path, value) != value and not is_object(value)}
    while due:
        refused = {path: value for path, value in due.items() if not _could_set(trainer, path, value)}
        if len(refused) == len(due):
            _set(trainer, *next(iter(due.items())))
        due = refused


def is_object(value: Any) -> bool:
    """Whether a setting is an object that is known only by its name."""
    return isinstance(value, dict) and OBJECT in value


def other_objects(trainer: Configured, settings: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Yield where these settings name an object that the trainer does not have: the path, and the two values."""
    now = settings_of(trainer)
    for path, value in settings.items():
        if is_object(value) and now[path] != value:
            yield path, now[path], value


def differences(theirs: Any, mine: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two descriptions of a network differ: the path, and the two values."""
    if isinstance(theirs, dict) and isinstance(mine, dict) and theirs.get("type") == mine.get("type"):
        for name in mine | theirs:
            yield from differences(theirs.get(name), mine.get(name), f"{path}.{name}")
    elif isinstance(theirs, list) and isinstance(mine, list) and len(theirs) == len(mine):
        for index, pair in enumerate(zip(theirs, mine, strict=True)):
            yield from differences(*pair, f"{path}.{index}")
    elif theirs != mine:
        yield path, theirs, mine


def written(value: Any) -> str:
    """Describe a setting, or a part of a description, briefly."""
    named = (value.get("type") or value.get(OBJECT)) if isinstance(value, dict) else None
    if isinstance(named, str):
        return named
    items = named or value
    if not isinstance(items, list):
        return repr(value)
    return f"[{', '.join(item if named and isinstance(item, str) else written(item) for item in items)}]"


def in_code(path: str) -> str:
    """Rewrite ``model.layers.2.rate`` as ``model.layers[2].rate``."""
    return re.sub(r"\.(\d+)", r"[\1]", path)


def _note(found: Settings, path: str, value: Any, seen: set[int]) -> None:
    plain = _plain(value)
    if plain is not NOTHING:
        found[path] = plain
    elif isinstance(value, (list, tuple)):
        found[path] = {OBJECT: [_name(item) for item in value]}
        for index, item in enumerate(value):
            _note_within(found, f"{path}.{index}", item, seen)
    elif not isinstance(value, np.ndarray):
        found[path] = {OBJECT: _name(value)}
        _note_within(found, path, value, seen)


def _note_within(found: Settings, path: str, thing: Any, seen: set[int]) -> None:
    """Note all public attributes of layers and optimizers; of other objects, those that are not objects."""
    if id(thing) in seen or isinstance(thing, type) or _is_frozen(thing):
        return
    seen.add(id(thing))
    whole = isinstance(thing, (Layer, Optimizer))
    fixed = {COUNTED} if isinstance(thing, Optimizer) else getattr(thing, "_made_with", ())
    for name, value in getattr(thing, "__dict__", {}).items():
        plain = _plain(value) is not NOTHING
        if not name.startswith("_") and (not plain if name in fixed else plain or whole):
            _note(found, f"{path}.{name}", value, seen)


def _could_set(trainer: Configured, path: str, value: Any) -> bool:
    try:
        _set(trainer, path, value)
    except ValueError:
        return False
    return True


def _set(trainer: Configured, path: str, value: Any) -> None:
    *owners, name = path.split(".")
    owner: Any = trainer
    for part in owners:
        owner = owner[int(part)] if part.isdecimal() else getattr(owner, part)
    setattr(owner, name, tuple(value) if isinstance(getattr(owner, name), tuple) else value)


def _name(thing: Any) -> str:
    """Name the class of an object, with its numbers if it is frozen, or a function."""
    return repr(thing) if _is_frozen(thing) else getattr(thing, "__qualname__", type(thing).__qualname__)


def _is_frozen(thing: Any) -> bool:
    return bool(getattr(getattr(type(thing), "__dataclass_params__", None), "frozen", False))


def _plain(value: Any) -> Any:
    """Copy the value to JSON types; NOTHING if that is impossible."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Elementwise) and not value.numbers:
        value = name_of(value) or NOTHING
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return NOTHING if NOTHING in items else items
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        pairs = {key: _plain(item) for key, item in value.items()}
        return NOTHING if NOTHING in pairs.values() else pairs
    return NOTHING
