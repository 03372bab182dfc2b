"""Separate layers for groups of columns."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .._support.checks import Array, check_integer, sentence
from .._support.settings import Checks
from ..ops.embedding import FIRST, check_codes
from .base import FeatureLayer, Layer, Shape, as_layers, check_width
from .chain import backward_through, forward_through
from .embedding import Embedding
from .program import Call, Program, programs
from .workspace import Workspace

__all__ = ["Columns"]

Part: TypeAlias = "tuple[int, list[Layer]]"


def _as_parts(who: str, name: str, parts: Any) -> list[Part]:
    """Check the parts: (number of columns, list of layers), at least one."""
    if not isinstance(parts, (list, tuple)) or not parts:
        raise TypeError(sentence(who, "a list of parts", repr(parts), f"write {who}([(3, [PBLD(3)]), (5, [])])"))
    found = []
    for index, part in enumerate(parts):
        if not isinstance(part, (list, tuple)) or len(part) != 2:
            expected = "each part as (number of columns, list of layers)"
            raise TypeError(sentence(who, expected, f"{part!r} at position {index}", "an empty list passes them on"))
        width, layers = check_integer(who, f"the columns of part {index}", part[0]), part[1]
        found.append((width, [] if isinstance(layers, (list, tuple)) and not layers else as_layers(who, layers)))
    return found


class Columns(FeatureLayer):
    """Sends consecutive groups of columns through separate layers, and concatenates their outputs.

        y = (f_1(x_1), f_2(x_2), ...)          dx = (f_1′ᵀ dy_1, f_2′ᵀ dy_2, ...)

    As the first layer of a network for tables, it can send numbers to ``PBLD`` and categories to ``Embedding``.

    Parameters
    ----------
    parts : list of (int, list of layers)
        The number of columns and the layers of each group; an empty list passes the columns through.

    Raises
    ------
    ValueError
        If a batch has another number of columns, or the layers of a part do not return rows of numbers.

    Examples
    --------
    >>> import chainrule as cr
    >>> table = cr.Columns([(2, [cr.PBLD(2)]), (3, []), (1, [cr.Embedding(17, 8)])])
    >>> model = cr.Sequential([table, cr.Linear(19, 1)], rng=0)
    >>> print(model.summary())
    layer                                                          output shape  parameters
    Columns([(2, [PBLD(2)]), (3, []), (1, [Embedding(17, 8)])])    (N, 19)              302
    Linear(19 → 1)                                                 (N, 1)                20
    total                                                                               322

    References
    ----------
    Gorishniy et al., Revisiting Deep Learning Models for Tabular Data (2021), section 3.3, the feature tokenizer.
    """

    _checks: ClassVar[Checks] = {**FeatureLayer._checks, "parts": _as_parts}
    _made_with = frozenset({"features", "parts", "children"})

    def __init__(self, parts: Sequence[tuple[int, Sequence[Layer]]]) -> None:
        self.parts: list[Part] = parts  # type: ignore[assignment]  # checked, they are
        self.children = [layer for _, layers in self.parts for layer in layers]
        super().__init__(sum(width for width, _ in self.parts))
        self._codes = codes_of([self])

    def _slices(self) -> Iterator[tuple[slice, list[Layer]]]:
        """Yield the columns of each part."""
        stop = 0
        for width, layers in self.parts:
            start, stop = stop, stop + width
            yield slice(start, stop), layers

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        outputs = []
        for index, (columns, layers) in enumerate(self._slices()):
            y = forward_through(layers, x[:, columns], work.child(index))
            if y.ndim != 2:
                raise ValueError(sentence(repr(self), f"rows of numbers from part {index}", f"shape {y.shape}"))
            outputs.append(y)
        work["x"] = x
        work["widths"] = np.array([y.shape[1] for y in outputs])
        return np.concatenate(outputs, axis=1, out=work.array("y", x, int(work["widths"].sum())))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        dx = work.array("dx", work["x"]) if input_gradient else None
        stop = 0
        for index, (columns, layers) in enumerate(self._slices()):
            start, stop = stop, stop + int(work["widths"][index])
            inner = backward_through(layers, dy[:, start:stop], work.child(index), input_gradient)
            if dx is not None:
                dx[:, columns] = inner
        return dx

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, self.features, input_shape)
        widths = []
        for width, layers in self.parts:
            shape: Shape | None = (width,)
            for layer in layers:
                shape = layer.output_shape(shape)
            widths.append(shape)
        return None if None in widths else (sum(shape[0] for shape in widths if shape),)

    def program(self, training: bool = False) -> Program | None:
        branches = [branch for _, layers in self.parts if (branch := programs(layers, training)) is not None]
        widths = np.array([width for width, _ in self.parts])
        whole = len(branches) == len(widths)
        return (Call("columns", {"widths": widths}, branches=tuple(branches)),) if whole else None


def code_columns(layers: Sequence[Layer], start: int = 0) -> Iterator[tuple[int, Embedding]]:
    """Yield the columns of x that hold codes, each with the layer that looks them up."""
    first = layers[0] if layers else None
    if isinstance(first, Embedding):
        yield start, first
    elif isinstance(first, Columns):
        for columns, inside in first._slices():
            yield from code_columns(inside, start + columns.start)
    for network in getattr(first, "networks", ()):  # of Members
        yield from code_columns(network, start)


def codes_of(layers: Sequence[Layer]) -> tuple[Array, Array]:
    """The columns of codes, and how many there are of each: no more than an array can have, whatever a file says."""
    found: dict[int, int] = {}
    for column, embedding in code_columns(layers):
        found[column] = min(embedding.codes, found.get(column, sys.maxsize))
    return np.array([*found], np.intp), np.array([*found.values()], np.intp)


def check_all_codes(who: str, layers: Sequence[Layer], x: Array, first_row: int = 0, of: Any = None) -> None:
    """Raise if a number of x (N, ...) is not a code of the layer that would look it up."""
    first = layers[0] if layers else None
    found = (FIRST, np.array([first.codes])) if isinstance(first, Embedding) else getattr(first, "_codes", None)
    if first is not None and found is not None and x.shape[1:] == (first.input_width,):  # otherwise the layer raises
        columns, codes = found
        if len(codes):
            check_codes(who, x, columns, codes, first_row, of)
