"""Activations made of straight lines, as layers; their equations stand in ``ops/activations/piecewise.py``."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np

from ... import ops
from ..._support.checks import Array, check_number
from ..._support.settings import Checks
from ...ops.blocks import in_blocks, row_blocks
from ..base import FeatureLayer, Shape, Workspace
from .base import Activation


class Identity(Activation):
    """No activation: y = x, dx = dy (:func:`chainrule.ops.identity`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Identity()]).predict([[-1.0, 2.0]])
    array([[-1.,  2.]], dtype=float32)
    """

    initializer = "glorot_uniform"

    def apply(self, x: Array, out: Array) -> Array:
        return ops.identity(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.identity_backward(dy, out=out)


class ReLU(Activation):
    """Rectifier: y = max(x, 0), dx = dy · [y > 0] (:func:`chainrule.ops.relu`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.ReLU()]).predict([[-1.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """

    def apply(self, x: Array, out: Array) -> Array:
        return ops.relu(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.relu_backward(dy, y, out=out)


class LeakyReLU(Activation):
    """Leaky rectifier: y = max(x, a·x), dx = dy · (1 if y > 0 else a) (:func:`chainrule.ops.leaky_relu`).

    Parameters
    ----------
    slope : float a in [0, 1], default 0.01

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.LeakyReLU(0.5)]).predict([[-1.0, 2.0]])
    array([[-0.5,  2. ]], dtype=float32)
    """

    _checks: ClassVar[Checks] = {"slope": partial(check_number, minimum=0, maximum=1)}

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def apply(self, x: Array, out: Array) -> Array:
        return ops.leaky_relu(x, self.slope, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.leaky_relu_backward(dy, y, self.slope, out=out)


class PReLU(FeatureLayer):
    """Leaky rectifier with one learned slope for each feature (:func:`chainrule.ops.prelu`).

        y = max(x, 0) + a · min(x, 0)

        dx = dy · (1 if x > 0 else a)      da = Σₙ dyₙ · min(xₙ, 0)

    Parameters
    ----------
    features : int, the width of its input
    start : float, first value of every a, default 0.25

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.PReLU(2)]).predict([[-1.0, 2.0]])
    array([[-0.25,  2.  ]], dtype=float32)
    """

    slope: Array
    dslope: Array

    _checks: ClassVar[Checks] = {**FeatureLayer._checks, "start": check_number}
    _made_with = FeatureLayer._made_with | {"start"}

    def __init__(self, features: int, start: float = 0.25) -> None:
        super().__init__(features)
        self.start = start

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"slope": (self.features,)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.slope[:] = self.start

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        work["x"] = x
        return in_blocks(partial(ops.prelu, slope=self.slope), x, out=work.array("y", x))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        x, dx = work["x"], work.array("dx", dy)
        self.dslope[:] = 0
        for rows in row_blocks(dx):
            self.dslope += ops.prelu_backward(dy[rows], x[rows], self.slope, out=(dx[rows], None))[1]
        return dx


class HardSigmoid(Activation):
    """Sigmoid of three straight lines: y = min(max(x/6 + ½, 0), 1) (:func:`chainrule.ops.hard_sigmoid`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.HardSigmoid()]).predict([[0.0, 100.0]])
    array([[0.5, 1. ]], dtype=float32)
    """

    initializer = "glorot_uniform"

    def apply(self, x: Array, out: Array) -> Array:
        return ops.hard_sigmoid(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.hard_sigmoid_backward(dy, y, out=out)
