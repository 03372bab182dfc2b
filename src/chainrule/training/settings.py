"""What a training is set to, and which of that counts when it resumes.

    resumed = theirs   if mine = first
              mine     otherwise

``first`` is a setting as the interrupted training began with it, ``theirs`` as the checkpoint has it, ``mine`` as the
trainer has it that resumes. So what a callback changed in mid training counts as if training had never stopped; and
so does what the user now asks for otherwise than then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from ..layers import Layer
from ..layers.activations import name_of
from ..layers.elementwise import Elementwise
from ..optimizers import Optimizer

#: By the path from the trainer, such as "optimizer.learning_rate" or "model.layers.2.rate": numbers, text, None, and
#: lists and dicts of these. For any other object the path holds its name under OBJECT, and its own numbers follow.
Settings: TypeAlias = dict[str, Any]

OF_TRAINER = ("epochs", "batch_size", "drop_last", "sample", "average_penalty", "augment", "loss", "optimizer")
COUNTED = "total_steps"  # of an optimizer: whoever sets it up counts them
OBJECT = "$object"
NOTHING = object()


def settings_of(trainer: Any) -> Settings:
    """What the steps read and a callback may change, but for arrays."""
    found: Settings = {}
    seen: set[int] = set()
    for name in OF_TRAINER:
        _note(found, name, getattr(trainer, name), seen)
    _note(found, "model.layers", trainer.model.layers, seen)
    return found


def asked(mine: Settings, first: Settings | None, left: Settings | None) -> Settings:
    """What the user asks for: the present settings, but for those that the last fit, which began with ``first``, left
    changed.
    """
    if first is None or left is None:
        return mine
    return {path: first.get(path, value) if left.get(path, NOTHING) == value else value for path, value in mine.items()}


def resumed(first: Settings, theirs: Settings, mine: Settings) -> Settings:
    """The settings that count, as this module's first lines say; none of which an old checkpoint does not tell."""
    return {
        path: theirs[path] if first[path] == now else now
        for path, now in mine.items()
        if path in first and path in theirs
    }


def assign(trainer: Any, settings: Settings) -> None:
    """Set what is set otherwise, in an order in which the settings of an object fit each other at any time."""
    now = settings_of(trainer)
    due = {path: value for path, value in settings.items() if now.get(path, value) != value and not is_object(value)}
    while due:
        refused = {path: value for path, value in due.items() if not _could_set(trainer, path, value)}
        if len(refused) == len(due):
            _set(trainer, *next(iter(due.items())))
        due = refused


def is_object(value: Any) -> bool:
    """Whether a setting is an object, of which only the name is known."""
    return isinstance(value, dict) and OBJECT in value


def other_objects(trainer: Any, settings: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Where these settings name an object that the trainer has not: the path, and what each has there."""
    now = settings_of(trainer)
    for path, value in settings.items():
        if is_object(value) and now[path] != value:
            yield path, now[path], value


def differences(theirs: Any, mine: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two descriptions of a network differ: the path, and what each has there."""
    if isinstance(theirs, dict) and isinstance(mine, dict) and theirs.get("type") == mine.get("type"):
        for name in mine | theirs:
            yield from differences(theirs.get(name), mine.get(name), f"{path}.{name}")
    elif isinstance(theirs, list) and isinstance(mine, list) and len(theirs) == len(mine):
        for index, pair in enumerate(zip(theirs, mine, strict=True)):
            yield from differences(*pair, f"{path}.{index}")
    elif theirs != mine:
        yield path, theirs, mine


def written(value: Any) -> str:
    """A setting, or a part of a description, in few words."""
    if not isinstance(value, (dict, list)):
        return repr(value)
    inner = (value.get("type") or value.get(OBJECT) or repr(value)) if isinstance(value, dict) else map(written, value)
    return inner if isinstance(inner, str) else f"[{', '.join(inner)}]"


def in_code(path: str) -> str:
    """``model.layers.2.rate`` as ``model.layers[2].rate``."""
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
    """All public attributes of layers and optimizers; of other objects those that are no objects themselves."""
    if id(thing) in seen or isinstance(thing, type) or _is_frozen(thing):
        return
    seen.add(id(thing))
    whole = isinstance(thing, (Layer, Optimizer))
    fixed = {COUNTED} if isinstance(thing, Optimizer) else getattr(thing, "_made_with", ())
    for name, value in getattr(thing, "__dict__", {}).items():
        plain = _plain(value) is not NOTHING
        if not name.startswith("_") and (not plain if name in fixed else plain or whole):
            _note(found, f"{path}.{name}", value, seen)


def _could_set(trainer: Any, path: str, value: Any) -> bool:
    try:
        _set(trainer, path, value)
    except ValueError:
        return False
    return True


def _set(trainer: Any, path: str, value: Any) -> None:
    *owners, name = path.split(".")
    owner = trainer
    for part in owners:
        owner = owner[int(part)] if part.isdecimal() else getattr(owner, part)
    setattr(owner, name, tuple(value) if isinstance(getattr(owner, name), tuple) else value)


def _name(thing: Any) -> str:
    """The class of an object, or the name of a function; of an object that is its numbers, these as well."""
    return repr(thing) if _is_frozen(thing) else getattr(thing, "__qualname__", type(thing).__qualname__)


def _is_frozen(thing: Any) -> bool:
    return bool(getattr(getattr(type(thing), "__dataclass_params__", None), "frozen", False))


def _plain(value: Any) -> Any:
    """A copy of the value as JSON holds it, or NOTHING if it cannot."""
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
