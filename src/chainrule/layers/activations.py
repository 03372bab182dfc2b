"""The activations as layers; the equations and derivatives stand in ``ops/activations/``.

Each is one class line over its op. :data:`ACTIVATIONS` has them by the op's name, which ``Linear(activation=)`` takes.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np

from .. import ops
from .._support.checks import Array, check_name, check_number, sentence
from .._support.registry import Registry, concrete
from .._support.settings import ABOVE_ZERO, Checks
from ..ops.blocks import in_blocks, row_blocks
from ..ops.fused import compiled
from .base import FeatureLayer, Layer, Shape, Workspace
from .program import Call, Program, keeps_input

__all__ = ["ELU", "GELU", "SELU", "Activation", "HardSigmoid", "Identity", "LeakyReLU", "Mish", "PReLU", "ReLU"]
__all__ += ["SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]


class Activation(Layer):
    """A function applied to each number of a batch, without parameters.

    A subclass gives :meth:`apply` and :meth:`pull_back`.

    Attributes
    ----------
    keeps_input : bool, whether the pull-back needs x; where it needs only y, :class:`~chainrule.Linear` lets the
        activation overwrite its own output
    temporaries : bool, whether they make arrays on the way, as NumPy does and compiled ops do not; of a large batch
        they are then given some rows at a time, about 64 KB, so that these arrays are small and stay in the cache
    initializer : name of the rule by which a :class:`~chainrule.Linear` with this activation draws its first weights.
        He normal, the default, keeps the variance through units that are off half of the time; Glorot uniform is for
        those that pass all of the signal, such as tanh; LeCun normal is what SELU was derived for

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> class Exponential(cr.Activation):
    ...     def apply(self, x, out):
    ...         return np.exp(x, out=out)
    ...     def pull_back(self, dy, x, y, out):
    ...         return np.multiply(dy, y, out=out)
    >>> cr.Sequential([cr.Linear(1, 1, Exponential(), initializer="ones")]).predict([[0.0], [1.0]]).round(3)
    array([[1.   ],
           [2.718]], dtype=float32)
    """

    keeps_input = False
    temporaries = True
    initializer = "he_normal"

    @abstractmethod
    def apply(self, x: Array, out: Array) -> Array:
        """y, written into ``out``."""

    @abstractmethod
    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        """dx, written into ``out``."""

    def apply_blocked(self, x: Array, out: Array) -> Array:
        """:meth:`apply`, without arrays of the batch's size on the way."""
        return in_blocks(self.apply, x, out=out) if self.temporaries else self.apply(x, out=out)

    def pull_back_blocked(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        """:meth:`pull_back`, without arrays of the batch's size on the way."""
        return in_blocks(self.pull_back, dy, x, y, out=out) if self.temporaries else self.pull_back(dy, x, y, out=out)

    def forward(self, x: Array, work: Workspace) -> Array:
        work["x"], work["y"] = x, self.apply_blocked(x, out=work.array("y", x))
        return work["y"]

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        if not input_gradient:
            return None
        return self.pull_back_blocked(dy, work["x"], work["y"], out=work.array("dx", dy))


class Elementwise(Activation):
    """An activation that is one op: y = op(x), and dx = op_backward(dy, y) or op_backward(dy, x).

    Attributes
    ----------
    op : name of the function in :mod:`chainrule.ops`
    numbers : names of the attributes that are the op's own parameters
    """

    numbers: ClassVar[tuple[str, ...]] = ()
    _op: ClassVar[str]

    def __init_subclass__(cls, op: str | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        if op is not None:
            cls._op = op
            cls.keeps_input, cls.temporaries = keeps_input(op), not hasattr(compiled, op)

    @property
    def op(self) -> str:
        return self._op

    def _settings(self) -> list[float]:
        return [getattr(self, name) for name in self.numbers]

    def apply(self, x: Array, out: Array) -> Array:
        y: Array = getattr(ops, self.op)(x, *self._settings(), out=out)
        return y

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        saved = x if self.keeps_input else y
        dx: Array = getattr(ops, f"{self.op}_backward")(dy, saved, *self._settings(), out=out)
        return dx

    def program(self, training: bool = False) -> Program | None:
        return (Call(self.op, numbers=dict(zip(self.numbers, self._settings(), strict=True))),)


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
    slope : float a in [0, 1], default 0.01

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

    def program(self, training: bool = False) -> Program | None:
        return (Call("prelu", {"slope": self.slope}),)


class HardSigmoid(Elementwise, op="hard_sigmoid"):
    """Sigmoid of three straight lines: y = min(max(x/6 + ½, 0), 1) (:func:`chainrule.ops.hard_sigmoid`).

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
    alpha : float α > 0, default 1

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

    It keeps mean and variance after LeCun normal weights, with which ``Linear(I, O, activation="selu")`` starts.

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
    """Positive outputs that sum to one in each row, with the true pull-back (:func:`chainrule.ops.softmax`).

        yₖ = exp xₖ / Σⱼ exp xⱼ          dx = y · (dy − Σₖ dyₖ yₖ)

    Train such a model with ``CrossEntropy(from_logits=False)``; leaving the layer out and training on logits is
    faster and more accurate.

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
    approximate : "none" for Φ by the error function, "tanh" for the approximation that GPT-2 uses

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
    """Sigmoid linear unit, swish: y = x σ(x) (:func:`chainrule.ops.silu`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.SiLU()]).predict([[0.0, 1.0]]).round(3)
    array([[0.   , 0.731]], dtype=float32)
    """


class Mish(Elementwise, op="mish"):
    """y = x tanh(softplus(x)) (:func:`chainrule.ops.mish`).

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
    """A new activation of this name; an :class:`Activation` and None stand for themselves."""
    if isinstance(activation, Layer) and not isinstance(activation, Activation):
        remedy = "put it after the layer, in the list, instead"
        raise TypeError(sentence(who, "an activation without parameters", repr(activation), remedy))
    return cast("Activation | None", ACTIVATIONS.resolve(activation, who))


def name_of(activation: Activation) -> str | None:
    """The name for which :func:`get_activation` makes the same; None if there is none."""
    known = ACTIVATIONS.get(getattr(activation, "op", ""))
    same = known is not None and type(known) is type(activation) and known.config() == activation.config()
    return known.op if known is not None and same else None
