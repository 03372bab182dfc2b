"""Convert checkpoints of format 1 to format 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._support.checks import Array
from .state import ARRAY, UNSAID, columns_of, refer

LISTS = {"EarlyStopping": "weights", "WeightAverage": "other"}  # of arrays in the state, each under a name of its own
NEW: dict[str, Any] = {"row": None, "hook": "", "told": [], "steps": None, "before": None}
NEW |= {"seconds": 0.0, "stopped": False} | UNSAID


def upgraded(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and facts in format 2."""
    arrays = dict(arrays)
    schedule, done = facts.get("schedule"), facts["done"]
    callbacks = [
        [name, state | _state(name, f"callback/{index}/", arrays)]
        for index, (name, state) in enumerate(facts["callbacks"])
    ]
    current = None
    if done is not None:
        epoch = {name: _reference(f"epoch/{name}", arrays) for name in ("order", "keys")}
        current = epoch | {"done": done, "outputs": _list("epoch/seen/", arrays)}
    changed = {
        "schedules": {"learning_rate": schedule} if schedule else {},
        "callbacks": callbacks,
        "history": refer(columns_of(facts["rows"]), "history", arrays),
        "records": [] if done is None else _reference("epoch/taken", arrays),
        "current": current,
    }
    return arrays, NEW | dict(facts) | changed


def _state(name: str, prefix: str, arrays: Mapping[str, Array]) -> dict[str, Any]:
    if name in LISTS:
        return {LISTS[name]: _list(f"{prefix}{LISTS[name]}/", arrays)}
    return {key.removeprefix(prefix): {ARRAY: key} for key in arrays if key.startswith(prefix)}


def _list(prefix: str, arrays: Mapping[str, Array]) -> list[dict[str, str]]:
    count = sum(name.startswith(prefix) for name in arrays)
    return [{ARRAY: f"{prefix}{index}"} for index in range(count)]


def _reference(name: str, arrays: Mapping[str, Array]) -> dict[str, str] | None:
    return {ARRAY: name} if name in arrays else None
