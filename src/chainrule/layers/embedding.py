"""A learned row of numbers for each category."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .. import ops
from .._support.checks import Array, check_integer
from .._support.settings import Checks
from .base import FeatureLayer, Shape, Workspace, check_width
from .program import Call, Program

__all__ = ["Embedding"]


class Embedding(FeatureLayer):
    """A learned row of numbers for each code of a category.

        y_n = E[x_n]          dE[k] = Σ dy_n over the rows n whose code x_n is k

    The codes of a column stand in x as numbers, so that they may stand beside columns of numbers: float32 holds all
    up to 2²⁴. A code is a name, not a quantity, so what is in front learns nothing: dx is 0.

    Parameters
    ----------
    codes : int, how many there are: 0, 1, ..., ``codes`` - 1
    size : int, how many numbers stand for each

    Attributes
    ----------
    E : array (codes, size), learned; first drawn from N(0, 1)

    Raises
    ------
    ValueError
        If a number of x is no whole number in range: the error names its row and column.

    See Also
    --------
    Columns : gives one column of x to an embedding, and the others to other layers

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Embedding(3, 2)
    >>> model = cr.Sequential([layer], rng=0)
    >>> layer.E[:] = [[0.0, 0.0], [1.0, 10.0], [2.0, 20.0]]
    >>> model.predict([[2], [0], [1]])
    array([[ 2., 20.],
           [ 0.,  0.],
           [ 1., 10.]], dtype=float32)

    References
    ----------
    Guo and Berkhahn, Entity Embeddings of Categorical Variables (2016), arXiv:1604.06737, section 4.
    """

    E: Array
    dE: Array

    _checks: ClassVar[Checks] = {**FeatureLayer._checks, "codes": check_integer, "size": check_integer}
    _made_with = frozenset({"features", "codes", "size"})

    def __init__(self, codes: int, size: int) -> None:
        super().__init__(1)
        self.codes = codes
        self.size = size

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"E": (self.codes, self.size)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.E[:] = rng.standard_normal(self.E.shape)

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, 1, input_shape)
        return (self.size,)

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        work["x"] = x
        return ops.embedding(x, self.E, out=work.array("y", x, self.size))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        ops.embedding_backward(dy, work["x"], self.E, out=self.dE)
        if not input_gradient:
            return None
        dx = work.array("dx", work["x"])
        dx[...] = 0
        return dx

    def program(self, training: bool = False) -> Program | None:
        return (Call("embedding", {"E": self.E}),)
