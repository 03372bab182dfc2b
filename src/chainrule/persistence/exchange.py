"""What the files of other libraries have in common: groups of arrays, one for each layer of ours that has any."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from .._support.text import printable
from ..layers import BatchNorm, Layer, LayerNorm, Linear, PReLU
from ..layers.base import Shape, walk
from ..model import Sequential
from .estimators import where_network_is

MAX_ROWS, MAX_CHARACTERS = 40, 120  # of the table in an error, and of a cell in it
Arrays = dict[str, Array]
Convert = Callable[[Array], Array]


@dataclass(frozen=True)
class Slot:
    """A layer of ours that has arrays, and what the other library calls them."""

    name: str  # "2" or "1.0", as in the model's parameters
    layer: Layer
    arrays: dict[str, Array]  # by the other library's name, in its orientation: views into the model

    @property
    def form(self) -> dict[str, Shape]:
        """The shape of each array."""
        return {name: array.shape for name, array in self.arrays.items()}


def slots(who: str, model: Any, views: Callable[[Layer], Arrays | None]) -> list[Slot]:
    """The layers with arrays in order; ``views`` gives those of a layer, None of one that the other library lacks."""
    if not isinstance(model, Sequential):
        place = where_network_is(model)
        part = ".model_" if hasattr(model, "get_params") else ""
        raise TypeError(
            sentence(who, "a Sequential model", type(model).__name__, f"pass {place}{part}" if place else "")
        )
    found = []
    for prefix, layer in walk(model.layers):
        if layer.parameter_shapes() or layer.buffers():
            arrays = views(layer)
            if arrays is None:
                known = ", ".join(cls.__name__ for cls in (Linear, BatchNorm, LayerNorm, PReLU))
                raise ValueError(sentence(who, f"layers with arrays to be among {known}", repr(layer)))
            found.append(Slot(prefix.rstrip("."), layer, arrays))
    return found


def check_shapes(who: str, ours: Sequence[Slot], theirs: Mapping[str, Arrays], remedy: str = "") -> None:
    """Raise unless there is a group for each layer, in the same order, whose arrays have the shapes of its own."""
    if [slot.form for slot in ours] != [_shapes(group) for group in theirs.values()]:
        raise ValueError(mismatch(who, ours, theirs, remedy))
    for prefix, group in theirs.items():
        for name, array in group.items():
            if array.dtype.kind not in "fiu":
                raise TypeError(sentence(who, f"numbers in {_joined(prefix, name)}", f"dtype {array.dtype}"))


def fill(who: str, ours: Sequence[Slot], theirs: Mapping[str, Arrays]) -> None:
    """Put the arrays of the groups into the model: all, or none where the model's type cannot hold one."""
    pairs = [
        (f"{slot.name}.{name}", slot.arrays[name], array)
        for slot, group in zip(ours, theirs.values(), strict=True)
        for name, array in group.items()
    ]
    for place, own, array in pairs:
        with np.errstate(over="ignore"):
            if np.isfinite(array).all() and not np.isfinite(array.astype(own.dtype)).all():
                expected = f"numbers within ±{np.finfo(own.dtype).max:.5g} for {own.dtype.name}"
                raise ValueError(sentence(who, expected, f"larger ones for {place}", 'make it with dtype="float64"'))
    for _, own, array in pairs:
        own[...] = array


def mismatch(who: str, ours: Sequence[Slot], theirs: Mapping[str, Arrays], remedy: str) -> str:
    """The error that lists both sides, each layer beside the group that would be its own."""
    left = [
        [f"{slot.name} {slot.layer!r}", *(f"  {name} {shape}" for name, shape in slot.form.items())] for slot in ours
    ]
    right = [
        [prefix or "(no name)", *(f"  {name} {a.shape}" for name, a in group.items())]
        for prefix, group in theirs.items()
    ]
    lines = [("the model expects", "the file has")]
    nothing: list[str] = []
    for some, others in itertools.zip_longest(left, right, fillvalue=nothing):
        lines += itertools.zip_longest(some, others, fillvalue="")
    more = f"\n  … and {len(lines) - MAX_ROWS} lines more" if len(lines) > MAX_ROWS else ""
    lines = [(printable(mine, MAX_CHARACTERS), printable(yours, MAX_CHARACTERS)) for mine, yours in lines[:MAX_ROWS]]
    wide = max(len(mine) for mine, _ in lines)
    table = "\n".join(f"  {mine:<{wide}}  {yours}".rstrip() for mine, yours in lines)
    got = f"{len(theirs)} groups that differ" if len(theirs) != len(ours) else "others"
    return sentence(who, f"arrays of the shapes of the model's {len(ours)} layers", got, remedy) + f"\n{table}{more}"


def grouped(tensors: Mapping[str, Array]) -> dict[str, Arrays]:
    """``{"0.weight": …, "0.bias": …}`` as ``{"0": {"weight": …, "bias": …}}``, in the same order."""
    groups: dict[str, Arrays] = {}
    for name, array in tensors.items():
        prefix, _, leaf = name.rpartition(".")
        groups.setdefault(prefix, {})[leaf] = array
    return groups


def natural(name: str) -> list[tuple[int, int, str]]:
    """By which names sort as people do: layer2 before layer10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def pattern(name: str) -> str:
    """The name without its numbers."""
    return re.sub(r"\d+", "#", name)


def in_order(who: str, ours: Sequence[Slot], groups: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """Groups whose order is lost, in that of the model's layers: by their numbers if they have nothing but such names.

    Otherwise each is told by its shapes, and its number among those of equal shapes.
    """
    ordered = dict(sorted(groups.items(), key=lambda item: natural(item[0])))
    if len({pattern(prefix) for prefix in ordered}) <= 1 or len(ordered) != len(ours):
        return ordered
    left = dict(ordered)
    found: dict[str, Arrays] = {}
    for slot in ours:
        alike = [prefix for prefix, group in left.items() if _shapes(group) == slot.form]
        if not alike:
            return ordered
        if len({pattern(prefix) for prefix in alike}) > 1:
            expected = f"to know which of {', '.join(alike)} is for {slot.layer!r}, as the file does not keep an order"
            raise ValueError(
                sentence(who, expected, "equal shapes", "pass order=[...], their names in the model's order")
            )
        found[alike[0]] = left.pop(alike[0])
    return found


def by_order(who: str, groups: Mapping[str, Arrays], order: Iterable[str]) -> dict[str, Arrays]:
    """The groups in the order that the user names, which must be all."""
    names = list(order) if isinstance(order, Iterable) else [order]
    if len(names) != len(groups) or set(map(str, names)) != set(groups) or not all(isinstance(n, str) for n in names):
        raise ValueError(sentence(who, f"order to name {', '.join(groups)}", repr(names)))
    return {name: groups[name] for name in names}


def _shapes(group: Arrays) -> dict[str, Shape]:
    return {name: array.shape for name, array in group.items()}


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
