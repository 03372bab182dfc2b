"""What the files of other libraries have in common: groups of arrays, one for each module with arrays.

A module is one call of a layer's program (:mod:`chainrule.layers.program`): ``Linear(4, 3, "relu")`` is two.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._support.checks import Array, sentence
from .._support.text import printable
from ..layers import Identity, Layer
from ..layers.base import Shape
from ..layers.program import Call, program_of
from ..model import Sequential
from .estimators import where_network_is

MAX_ROWS, MAX_CHARACTERS = 40, 120  # of the table in an error, and of a cell in it
Arrays = dict[str, Array]
#: The ops whose arrays other libraries have too, and the layer of ours that computes each.
NAMES = {"affine": "Linear", "batch_norm": "BatchNorm", "layer_norm": "LayerNorm", "prelu": "PReLU"}
IDENTITY = Call("identity")


class Part(NamedTuple):
    """One module of another library: a call of a layer's program, or a layer without a program."""

    name: str  # of the layer, "2" or "1.0", as in the model's parameters
    module: str  # its place, "3" or "2.layers.0", where every module counts
    layer: Layer
    call: Call | None
    inner: tuple[Part, ...]  # the calls inside the call, or the layers inside the layer


class Slot(NamedTuple):
    """A part with arrays, views into the model, under the other library's names and in its orientation."""

    part: Part
    call: Call
    arrays: Arrays


def parts(layers: Sequence[Layer], name: str = "", module: str = "") -> tuple[Part, ...]:
    """Return the modules of a network, in order."""
    found: list[Part] = []
    for index, layer in enumerate(layers):
        for one, call in _calls(layer):
            found.append(_part(f"{name}{index}", f"{module}{len(found)}", one, call))
    return tuple(found)


def _part(name: str, module: str, layer: Layer, call: Call | None) -> Part:
    inside = f"{module}.layers."
    if call is None:
        return Part(name, module, layer, None, parts(layer.children, f"{name}.", inside))
    calls = itertools.chain(*call.branches)
    inner = tuple(_part(name, f"{inside}{index}", layer, one) for index, one in enumerate(calls))
    return Part(name, module, layer, call, inner)


def _calls(layer: Layer) -> list[tuple[Layer, Call | None]]:
    """Return the calls of a layer in training, each with its layer; None without a program.

    A layer that contains others is one module, and so is a layer that computes nothing.
    """
    if layer.children and not _has_arrays(layer):
        return [(layer, None)]
    program = program_of(layer, training=True)
    if program is not None:
        return [(layer, call) for call in program or (IDENTITY,)]
    activation = getattr(layer, "activation", None)
    if isinstance(activation, Layer):
        bare = object.__new__(type(layer))
        vars(bare).update(vars(layer), activation=Identity())
        program = program_of(bare, training=True)
        if program is not None:  # the activation is all that only Python knows
            return [*((layer, call) for call in program), (activation, None)]
    return [(layer, None)]


def _has_arrays(layer: Layer) -> bool:
    return bool(layer.parameter_shapes() or layer.buffers())


def slots(who: str, model: Any, names: Mapping[str, Mapping[str, str]], transposed: bool = False) -> list[Slot]:
    """Return the parts with arrays, in order, under the other library's ``names`` for each op: theirs → ours.

    ``transposed`` is whether its matrices are (O, I), and ``who`` the user's call, for errors.
    """
    if not isinstance(model, Sequential):
        place = where_network_is(model)
        inner = ".model_" if hasattr(model, "get_params") else ""
        raise TypeError(
            sentence(who, "a Sequential model", type(model).__name__, f"pass {place}{inner}" if place else "")
        )
    found = []
    for part in _all(parts(model.layers)):
        layer, call = part.layer, part.call
        if call is not None and call.op in names:
            held = {theirs: call.arrays[own] for theirs, own in names[call.op].items() if own in call.arrays}
            found.append(Slot(part, call, {name: a.T if transposed else a for name, a in held.items()}))
        elif call.arrays if call is not None else _has_arrays(layer):
            expected = f"layers with arrays to be among {', '.join(map(NAMES.__getitem__, names))}"
            got = repr(layer) if call is not None else f"{layer!r}, whose class states no program for training"
            remedy = "" if call is not None else f"state program(training) in {', '.join(names)} and elementwise ops"
            raise ValueError(sentence(who, expected, got, remedy))
    return found


def _all(found: Iterable[Part]) -> Iterator[Part]:
    for part in found:
        yield part
        yield from _all(part.inner)


def check_shapes(who: str, ours: Sequence[Slot], theirs: Mapping[str, Arrays], remedy: str = "") -> None:
    """Raise unless the groups match the slots in number, order and shapes."""
    if [_shapes(slot.arrays) for slot in ours] != [_shapes(group) for group in theirs.values()]:
        raise ValueError(_mismatch(who, ours, theirs, remedy))
    for prefix, group in theirs.items():
        for name, array in group.items():
            if array.dtype.kind not in "fiu":
                place = f"{prefix}.{name}".removeprefix(".")
                raise TypeError(sentence(who, f"numbers in {place}", f"dtype {array.dtype}"))


def fill(who: str, model: Sequential, ours: Sequence[Slot], theirs: Mapping[str, Arrays]) -> None:
    """Copy the groups into the model: all of them, or none if one does not fit."""
    held = [model.parameters.vector, *model.buffers.values()]
    pairs = []
    for (part, call, arrays), group in zip(ours, theirs.values(), strict=True):
        for name, array in group.items():
            own = arrays[name]
            if not any(np.may_share_memory(own, one) for one in held):
                expected = f"{part.layer!r} to state its program with its parameters themselves"
                raise ValueError(sentence(who, expected, f"other numbers as the {name} of {call.op}"))
            with np.errstate(over="ignore"):
                if np.isfinite(array).all() and not np.isfinite(array.astype(own.dtype)).all():
                    expected = f"numbers within ±{np.finfo(own.dtype).max:.5g} for {own.dtype.name}"
                    got = f"larger ones for {part.name}.{name}"
                    raise ValueError(sentence(who, expected, got, 'make it with dtype="float64"'))
            pairs.append((own, array))
    for own, array in pairs:
        own[...] = array


def _mismatch(who: str, ours: Sequence[Slot], theirs: Mapping[str, Arrays], remedy: str) -> str:
    left = [_listed(f"{part.name} {part.layer!r}", arrays) for part, _, arrays in ours]
    right = [_listed(prefix or "(no name)", group) for prefix, group in theirs.items()]
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


def _listed(title: str, group: Arrays) -> list[str]:
    return [title, *(f"  {name} {array.shape}" for name, array in group.items())]


def _shapes(group: Arrays) -> dict[str, Shape]:
    return {name: array.shape for name, array in group.items()}


# --- order --------------------------------------------------------------------------------------------------------


def grouped(tensors: Mapping[str, Array]) -> dict[str, Arrays]:
    """Group ``{"0.weight": …, "0.bias": …}`` into ``{"0": {"weight": …, "bias": …}}``, in the same order."""
    groups: dict[str, Arrays] = {}
    for name, array in tensors.items():
        prefix, _, leaf = name.rpartition(".")
        groups.setdefault(prefix, {})[leaf] = array
    return groups


def in_order(who: str, ours: Sequence[Slot], groups: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """Sort the groups of a file, which does not keep their order, into that of the slots.

    Names that differ only in numbers are sorted by these. Otherwise a group is identified by its shapes and, among
    groups of equal shapes, by its number.
    """
    ordered = dict(sorted(groups.items(), key=lambda item: _natural(item[0])))
    if len(set(map(_pattern, ordered))) <= 1 or len(ordered) != len(ours):
        return ordered
    left = dict(ordered)
    found: dict[str, Arrays] = {}
    for part, _, arrays in ours:
        alike = [prefix for prefix, group in left.items() if _shapes(group) == _shapes(arrays)]
        if not alike:
            return ordered
        if len(set(map(_pattern, alike))) > 1:
            expected = f"to know which of {', '.join(alike)} is for {part.layer!r}, as the file does not keep an order"
            remedy = "pass order=[...], their names in the model's order"
            raise ValueError(sentence(who, expected, "equal shapes", remedy))
        found[alike[0]] = left.pop(alike[0])
    return found


def by_order(who: str, groups: Mapping[str, Arrays], order: Iterable[str]) -> dict[str, Arrays]:
    """Return the groups in the user's order, which must name all of them."""
    names = list(order) if isinstance(order, Iterable) else [order]
    if len(names) != len(groups) or set(map(str, names)) != set(groups) or not all(isinstance(n, str) for n in names):
        raise ValueError(sentence(who, f"order to name {', '.join(groups)}", repr(names)))
    return {name: groups[name] for name in names}


def _natural(name: str) -> list[int | str]:
    """The key for natural sorting: layer2 before layer10. Text and numbers alternate in it."""
    pieces = re.split(r"(\d{1,18})", name)  # Python refuses to read a number of thousands of digits
    return [int(piece) if piece.isdecimal() else piece for piece in pieces]


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "#", name)
