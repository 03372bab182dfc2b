"""An activation of which each feature takes as much as it learns to."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from .. import ops
from .._support.checks import Array, sentence
from .._support.settings import Checks
from ..ops.blocks import in_blocks, row_blocks
from .activations import Activation, get_activation, name_of
from .base import FeatureLayer, Shape, Workspace
from .program import Call, Program, program_of

__all__ = ["ParametricActivation"]


def _check_activation(who: str, name: str, value: Any) -> Activation:
    activation = get_activation(who, value)
    if activation is None:
        raise TypeError(sentence(who, "the name of an activation or an Activation", "None"))
    return activation


class ParametricActivation(FeatureLayer):
    """As much of an activation as each feature learns to take of it (:func:`chainrule.ops.parametric`).

        y = x + a · (f(x) − x)

        dx = dy · (1 − a + a f′(x))      da = Σₙ dyₙ · (f(xₙ) − xₙ)

    At first every a is 1, and y = f(x); decay pulls a towards 0, where the feature stays linear.

    Parameters
    ----------
    features : int, the width of its input
    activation : f, the name of an activation ("selu", "mish", ...) or an activation layer such as ``LeakyReLU(0.2)``

    Attributes
    ----------
    amount : array a (I,), a view into the model's parameters

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.ParametricActivation(3, "relu")
    >>> model = cr.Sequential([layer])
    >>> layer.amount[:] = 0.0, 0.75, 1.0
    >>> model.predict([[-1.0, -1.0, -1.0]])
    array([[-1.  , -0.25,  0.  ]], dtype=float32)

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), section 3.
    """

    amount: Array
    damount: Array
    activation: Activation

    _checks: ClassVar[Checks] = {**FeatureLayer._checks, "activation": _check_activation}

    def __init__(self, features: int, activation: str | Activation) -> None:
        super().__init__(features)
        self.activation = activation  # type: ignore[assignment]  # a name becomes the layer

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"amount": (self.features,)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.amount[:] = 1

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        f = self.activation.apply_blocked(x, out=work.array("f", x))
        work["x"], work["f"] = x, f
        return in_blocks(partial(ops.parametric, amount=self.amount), x, f, out=work.array("y", x))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        x, f = work["x"], work["f"]
        dx, df, through_f = (work.array(name, dy) for name in ("dx", "df", "through f"))
        self.damount[:] = 0
        for rows in row_blocks(dx):
            out = dx[rows], df[rows], None
            self.damount += ops.parametric_backward(dy[rows], x[rows], f[rows], self.amount, out=out)[2]
        if not input_gradient:
            return None
        dx += self.activation.pull_back_blocked(df, x, f, out=through_f)
        return dx

    def program(self, training: bool = False) -> Program | None:
        inner = program_of(self.activation, training)
        return None if inner is None else (Call("parametric", {"amount": self.amount}, branches=(inner,)),)

    def _described(self, name: str, value: Any) -> Any:
        """An activation by its name, if it has one."""
        return (isinstance(value, Activation) and name_of(value)) or super()._described(name, value)

    def __repr__(self) -> str:
        """``ParametricActivation(256, selu)``."""
        return f"ParametricActivation({self.features}, {name_of(self.activation) or repr(self.activation)})"
