"""Descriptions in JSON with a few changes: values of other types and sizes, entries taken out, doubled, reversed."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

STRANGE: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, math.inf, math.nan, "", "x", "robust",
    "number", "\ud800", "x" * 10**5, [], [1], ["a", "a"], [[]], {}, {"name": "n"}, b"x", {1: 2}, [0.0] * 1000,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all that is in a description."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, part in inside for place in places(part, (*path, key))]


def mutated(description: Any, rng: np.random.Generator) -> Any:
    """A description with one to three changes."""
    changed: Any = copy.deepcopy(description)
    for _ in range(int(rng.integers(1, 4))):
        found = places(changed)
        path = found[int(rng.integers(len(found)))]
        if not path:
            changed = STRANGE[int(rng.integers(len(STRANGE)))] if rng.random() < 0.1 else changed
            continue
        holder = changed
        for key in path[:-1]:
            holder = holder[key]
        _change(rng, holder, path[-1])
    return changed


def _change(rng: np.random.Generator, holder: Any, key: Any) -> None:
    value = holder[key]
    how = int(rng.integers(5))
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(value, float):
        holder[key] = value * float(rng.choice([-1, 2, 1e-30, 1e30, 1.0000001]))
    elif how == 2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(value))
    elif how == 3 and isinstance(value, list):
        value.reverse()
    else:
        holder[key] = copy.deepcopy(STRANGE[int(rng.integers(len(STRANGE)))])
