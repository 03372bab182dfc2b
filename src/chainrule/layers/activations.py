"""The activations as layers; ``ops/activations/`` holds the equations and derivatives.

:data:`ACTIVATIONS` lists them by the name of their op, the one that ``Linear(activation=)`` accepts.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, cast

import numpy as np

from .. import ops
from .._support.checks import Array, check_name, check_number, sentence
from .._support.registry import Registry, concrete
from .._support.settings import ABOVE_ZERO, Checks
from ..ops.blocks import in_blocks, row_blocks
from .base import FeatureLayer, Layer, Shape
from .elementwise import Activation, Elementwise
from .program import Call, Program
from .workspace import Workspace

__all__ = ["ELU", "GELU", "SELU", "Activation", "HardSigmoid", "Identity", "LeakyReLU", "Mish", "PReLU", "ReLU"]
__all__ += ["SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]


class Identity(Elementwise, op="identity"):
    """No activation: y = x, dx = dy (:func:`chainrule.ops.identity`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Identity()]).predict([[-1.0, 2.0]])
    array([[-1.,  2.]], dtype=float32)
    """

    initializer = "glorot_uniform"

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.identity_backward(dy, out=out)

    def program(self, training: bool = False) -> Program | None:
        return ()


class ReLU(Elementwise, op="relu"):
    """Rectifier: y = max(x, 0), dx = dy · [y > 0] (:func:`chainrule.ops.relu`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.ReLU()]).predict([[-1.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """


class LeakyReLU(Elementwise, op="leaky_relu"):
    """Leaky rectifier: y = max(x, a·x), dx = dy · (1 if y > 0 else a) (:func:`chainrule.ops.leaky_relu`).

    Parameters
    ----------
    slope : float in [0, 1]
        Slope a below zero.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.LeakyReLU(0.5)]).predict([[-1.0, 2.0]])
    array([[-0.5,  2. ]], dtype=float32)
    """

    numbers = ("slope",)
    _checks: ClassVar[Checks] = {"slope": partial(check_number, minimum=0, maximum=1)}

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope


class PReLU(FeatureLayer):
    """Leaky rectifier with one learned slope for each feature (:func:`chainrule.ops.prelu`).

        y = max(x, 0) + a · min(x, 0)

        dx = dy · (1 if x > 0 else a)      da = Σₙ dyₙ · min(xₙ, 0)

    Parameters
    ----------
    features : int
        Number of input features I.
    start : float
        Initial value of every a.

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

    def program(self, training: bool = False) -> Program | None:
        return (Call("prelu", {"slope": self.slope}),)


class HardSigmoid(Elementwise, op="hard_sigmoid"):
    """Sigmoid made of three straight lines: y = min(max(x/6 + ½, 0), 1) (:func:`chainrule.ops.hard_sigmoid`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.HardSigmoid()]).predict([[0.0, 100.0]])
    array([[0.5, 1. ]], dtype=float32)
    """

    initializer = "glorot_uniform"


class ELU(Elementwise, op="elu"):
    """Exponential linear unit: y = max(x, 0) + α (exp(min(x, 0)) − 1) (:func:`chainrule.ops.elu`).

    Parameters
    ----------
    alpha : float, > 0
        Number α; the output never falls below −α.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.ELU()]).predict([[-100.0, 2.0]])
    array([[-1.,  2.]], dtype=float32)
    """

    numbers = ("alpha",)
    _checks: ClassVar[Checks] = {"alpha": ABOVE_ZERO}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class SELU(Elementwise, op="selu"):
    """Self-normalising ELU (:func:`chainrule.ops.selu`).

    It preserves mean and variance with LeCun normal weights, the default of ``Linear(I, O, activation="selu")``.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.SELU()]).predict([[-100.0, 1.0]]).round(3)
    array([[-1.758,  1.051]], dtype=float32)
    """

    initializer = "lecun_normal"


class Softplus(Elementwise, op="softplus"):
    """Smooth rectifier: y = log(1 + exp x) (:func:`chainrule.ops.softplus`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Softplus()]).predict([[0.0, 100.0]]).round(3)
    array([[  0.693, 100.   ]], dtype=float32)
    """


class Tanh(Elementwise, op="tanh"):
    """Hyperbolic tangent: y = tanh x, dx = dy · (1 − y²) (:func:`chainrule.ops.tanh`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Tanh()]).predict([[0.0, 100.0]])
    array([[0., 1.]], dtype=float32)
    """

    initializer = "glorot_uniform"


class Sigmoid(Elementwise, op="sigmoid"):
    """Logistic function: y = 1 / (1 + exp(−x)), dx = dy · y (1 − y) (:func:`chainrule.ops.sigmoid`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Sigmoid()]).predict([[0.0, 100.0]])
    array([[0.5, 1. ]], dtype=float32)
    """

    initializer = "glorot_uniform"


class Softmax(Elementwise, op="softmax"):
    """Positive outputs that sum to one in each row (:func:`chainrule.ops.softmax`).

        yₖ = exp xₖ / Σⱼ exp xⱼ          dx = y · (dy − Σₖ dyₖ yₖ)

    Train the model with ``CrossEntropy(from_logits=False)``. Training on logits, without this layer, is faster and more
    accurate.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Softmax()]).predict([[0.0, 0.0], [1000.0, 0.0]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """

    initializer = "glorot_uniform"


class GELU(Elementwise, op="gelu"):
    """Gaussian error linear unit: y = x Φ(x) (:func:`chainrule.ops.gelu`, :func:`chainrule.ops.gelu_tanh`).

    Parameters
    ----------
    approximate : {"none", "tanh"}
        ``"none"`` computes Φ with the error function, ``"tanh"`` with GPT-2's approximation.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.GELU()]).predict([[0.0, 1.0]]).round(3)
    array([[0.   , 0.841]], dtype=float32)
    """

    _checks: ClassVar[Checks] = {
        "approximate": lambda who, name, value: check_name(who, "an approximation", value, ("none", "tanh"))
    }

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    @property
    def op(self) -> str:
        return "gelu_tanh" if self.approximate == "tanh" else self._op


class SiLU(Elementwise, op="silu"):
    """Sigmoid linear unit, also known as swish: y = x σ(x) (:func:`chainrule.ops.silu`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.SiLU()]).predict([[0.0, 1.0]]).round(3)
    array([[0.   , 0.731]], dtype=float32)
    """


class Mish(Elementwise, op="mish"):
    """Mish: y = x tanh(softplus(x)) (:func:`chainrule.ops.mish`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Mish()]).predict([[0.0, 1.0]]).round(3)
    array([[0.   , 0.865]], dtype=float32)
    """


ACTIVATIONS: Registry[Elementwise] = Registry(
    "an activation",
    {made.op: made for made in (*(cls() for cls in concrete(globals(), Elementwise).values()), GELU("tanh"))},
    accepts=lambda value: value is None or isinstance(value, Activation),
    expected="the name of an activation, an Activation or None",
    elsewhere={"linear": "identity", "logistic": "sigmoid", "swish": "silu"},
)


def get_activation(who: str, activation: Any) -> Activation | None:
    """Return a new activation of this name; an :class:`Activation` or None is returned unchanged."""
    if isinstance(activation, Layer) and not isinstance(activation, Activation):
        remedy = "put it after the layer in the list"
        raise TypeError(sentence(who, "an activation without parameters", repr(activation), remedy))
    return cast("Activation | None", ACTIVATIONS.resolve(activation, who))


def name_of(activation: Activation) -> str | None:
    """Return the name for which :func:`get_activation` builds the same activation; None if there is none."""
    known = ACTIVATIONS.get(getattr(activation, "op", ""))
    same = known is not None and type(known) is type(activation) and known.config() == activation.config()
    return known.op if known is not None and same else None
