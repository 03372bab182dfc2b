"""Layers that rearrange the batch or combine other layers: Flatten and Residual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from .._support.checks import Array, sentence
from .._support.settings import Checks
from .base import Layer, Shape, as_layers
from .chain import backward_through, forward_through, input_width
from .program import Call, Program, programs
from .workspace import Workspace

__all__ = ["Flatten", "Residual"]


class Flatten(Layer):
    """Flatten each sample to one row: (N, 28, 28) becomes (N, 784). The gradient gets the original shape back.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Flatten()]).predict(np.zeros((5, 28, 28))).shape
    (5, 784)
    """

    def forward(self, x: Array, work: Workspace) -> Array:
        work["x"] = x
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        return dy.reshape(work["x"].shape)

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        return None if input_shape is None else (math.prod(input_shape),)

    def program(self, training: bool = False) -> Program | None:
        return (Call("flatten"),)


class Residual(Layer):
    """A block with a skip connection: its output is added to its input.

        y = x + f(x)          dx = dy + fᵀ′ dy

    where fᵀ′ is the backward of the inner layers. Their output must have the shape of their input.

    Parameters
    ----------
    layers : list of layers
        The function f.

    Examples
    --------
    >>> import chainrule as cr
    >>> block = cr.Residual([cr.LayerNorm(8), cr.Linear(8, 8, activation="gelu"), cr.Linear(8, 8, initializer="zeros")])
    >>> model = cr.Sequential([block], rng=0)
    >>> model.predict([[1.0] * 8]).tolist()
    [[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition (2016), section 3.
    """

    _checks: ClassVar[Checks] = {"layers": lambda who, name, value: as_layers(who, value)}
    _made_with = frozenset({"layers", "children"})

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.children = self.layers

    def forward(self, x: Array, work: Workspace) -> Array:
        inner = forward_through(self.layers, x, work)
        self._check_kept(x.shape[1:], inner.shape[1:])
        return np.add(x, inner, out=work.array("y", x))

    def _check_kept(self, before: Shape, after: Shape) -> None:
        if before != after:
            remedy = "end with a Linear as wide as the input"
            raise ValueError(sentence(repr(self), f"its layers to keep rows of shape {before}", str(after), remedy))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        inner = backward_through(self.layers, dy, work, input_gradient)
        return None if inner is None else np.add(dy, inner, out=work.array("dx", dy))

    @property
    def input_width(self) -> int | None:
        return input_width(self.layers)

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        shape = input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape)
        if input_shape is not None and shape is not None:
            self._check_kept(input_shape, shape)
        return shape

    def program(self, training: bool = False) -> Program | None:
        inner = programs(self.layers, training)
        return None if inner is None else (Call("add", branches=(inner,)),)
