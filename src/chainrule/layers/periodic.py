"""Numbers as waves: what lets a network follow a column more closely than its own bends would."""

from __future__ import annotations

from functools import partial
from math import pi
from typing import ClassVar

import numpy as np

from .. import ops
from .._support.checks import Array, check_integer
from .._support.settings import ABOVE_ZERO, Checks
from .base import FeatureLayer, Shape, Workspace, check_width
from .program import Call, Program

__all__ = ["PBLD"]


class PBLD(FeatureLayer):
    """Periodic bias linear DenseNet: learned sums of learned waves of each number, and the number itself.

        y = (z_1, ..., z_I, x),    z_j = cos(2π x_j w1_j + b1_j) W2_j + b2_j

        dW2_j = Σₙ cos(u_j)ᵀ dz_j      db2_j = Σₙ dz_j      du_j = −sin(u_j) · dz_j W2_jᵀ
        dw1_j = 2π Σₙ x_j du_j      db1_j = Σₙ du_j      dx_j = 2π ⟨du_j, w1_j⟩ + dy at x_j's own place

    with u_j = 2π x_j w1_j + b1_j. It stands in front of a network, on standardised numbers, and learns best at a tenth
    of the network's learning rate: ``Adam(0.01, groups={"0.*": {"learning_rate_factor": 0.1}})``. Its first values are
    w1 ~ N(0, scale²), b1 ~ U(−π, π), W2 and b2 ~ U(−1/√H, 1/√H).

    Parameters
    ----------
    features : int I, the width of its input
    frequencies : int H, the waves of each number
    outputs : int, the numbers that stand for each: ``outputs`` - 1 learned ones, and itself
    scale : float > 0, the deviation of the first frequencies, in waves a unit of x

    Attributes
    ----------
    w1, b1 : arrays (I, H); W2 : array (I, H, outputs - 1); b2 : array (I, outputs - 1); all learned

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.PBLD(2), cr.Linear(8, 1)], rng=0)
    >>> model.predict(np.zeros((5, 2))).shape
    (5, 1)

    References
    ----------
    Gorishniy, Rubachev and Babenko, On Embeddings for Numerical Features in Tabular Deep Learning (2022), section 3.3;
    in this form Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), section 3.
    """

    w1: Array
    dw1: Array
    b1: Array
    db1: Array
    W2: Array
    dW2: Array
    b2: Array
    db2: Array

    _checks: ClassVar[Checks] = {
        **FeatureLayer._checks,
        "frequencies": check_integer,
        "outputs": partial(check_integer, minimum=2),
        "scale": ABOVE_ZERO,
    }
    _made_with = frozenset({"features", "frequencies", "outputs", "scale"})

    def __init__(self, features: int, frequencies: int = 16, outputs: int = 4, scale: float = 0.1) -> None:
        super().__init__(features)
        self.frequencies = frequencies
        self.outputs = outputs
        self.scale = scale

    def parameter_shapes(self) -> dict[str, Shape]:
        waves, learned = (self.features, self.frequencies), self.outputs - 1
        return {"w1": waves, "b1": waves, "W2": (*waves, learned), "b2": (self.features, learned)}

    def initialize(self, rng: np.random.Generator) -> None:
        bound = 1 / np.sqrt(self.frequencies)
        self.w1[:] = rng.normal(0, self.scale, self.w1.shape)
        self.b1[:] = rng.uniform(-pi, pi, self.b1.shape)
        self.W2[:] = rng.uniform(-bound, bound, self.W2.shape)
        self.b2[:] = rng.uniform(-bound, bound, self.b2.shape)

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, self.features, input_shape)
        return (self.features * self.outputs,)

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        work["x"] = x
        return ops.pbld(x, self.w1, self.b1, self.W2, self.b2, out=work.array("y", x, self.features * self.outputs))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        x = work["x"]
        out = (work.array("dx", x) if input_gradient else None, self.dw1, self.db1, self.dW2, self.db2)
        return ops.pbld_backward(dy, x, self.w1, self.b1, self.W2, out=out, input_gradient=input_gradient)[0]

    def program(self, training: bool = False) -> Program | None:
        return (Call("pbld", {"w1": self.w1, "b1": self.b1, "W2": self.W2, "b2": self.b2}),)
