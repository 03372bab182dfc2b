"""The activations as layers: thin over the ops, whose docstrings hold the equations."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from .. import ops
from .._checks import Array, check_name, check_number, sentence
from .base import FeatureLayer, Layer, Shape, Workspace


class Activation(Layer):
    """A function applied to each number of a batch, without parameters.

    A subclass gives :meth:`apply` and :meth:`pull_back`.

    Attributes
    ----------
    keeps_input : bool, whether the pull-back needs x; where it needs only y, :class:`~chainrule.Linear` lets the
        activation overwrite its own output
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
    initializer = "he_normal"

    @abstractmethod
    def apply(self, x: Array, out: Array) -> Array:
        """y, written into ``out``."""

    @abstractmethod
    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        """dx, written into ``out``."""

    def forward(self, x: Array, work: Workspace) -> Array:
        work["x"], work["y"] = x, self.apply(x, out=work.array("y", x))
        return work["y"]

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        return self.pull_back(dy, work["x"], work["y"], out=work.array("dx", dy)) if input_gradient else None


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

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = check_number("LeakyReLU", "slope", slope, minimum=0, maximum=1)

    def apply(self, x: Array, out: Array) -> Array:
        return ops.leaky_relu(x, self.slope, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.leaky_relu_backward(dy, y, self.slope, out=out)


class ELU(Activation):
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

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = check_number("ELU", "alpha", alpha, above=0)

    def apply(self, x: Array, out: Array) -> Array:
        return ops.elu(x, self.alpha, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.elu_backward(dy, y, self.alpha, out=out)


class SELU(Activation):
    """Self-normalising ELU (:func:`chainrule.ops.selu`).

    It keeps mean and variance behind LeCun normal weights: ``Linear(I, O, activation="selu")`` starts with these.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.SELU()]).predict([[-100.0, 1.0]]).round(3)
    array([[-1.758,  1.051]], dtype=float32)
    """

    initializer = "lecun_normal"

    def apply(self, x: Array, out: Array) -> Array:
        return ops.selu(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.selu_backward(dy, y, out=out)


class GELU(Activation):
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

    keeps_input = True

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = check_name("GELU", "an approximation", approximate, ("none", "tanh"))

    def apply(self, x: Array, out: Array) -> Array:
        return ops.gelu_tanh(x, out=out) if self.approximate == "tanh" else ops.gelu(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        backward = ops.gelu_tanh_backward if self.approximate == "tanh" else ops.gelu_backward
        return backward(dy, x, out=out)


class SiLU(Activation):
    """Sigmoid linear unit, swish: y = x σ(x) (:func:`chainrule.ops.silu`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.SiLU()]).predict([[0.0, 1.0]]).round(3)
    array([[0.   , 0.731]], dtype=float32)
    """

    keeps_input = True

    def apply(self, x: Array, out: Array) -> Array:
        return ops.silu(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.silu_backward(dy, x, out=out)


class Mish(Activation):
    """y = x tanh(softplus(x)) (:func:`chainrule.ops.mish`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Mish()]).predict([[0.0, 1.0]]).round(3)
    array([[0.   , 0.865]], dtype=float32)
    """

    keeps_input = True

    def apply(self, x: Array, out: Array) -> Array:
        return ops.mish(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.mish_backward(dy, x, out=out)


class Softplus(Activation):
    """Smooth rectifier: y = log(1 + exp x) (:func:`chainrule.ops.softplus`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Softplus()]).predict([[0.0, 100.0]]).round(3)
    array([[  0.693, 100.   ]], dtype=float32)
    """

    def apply(self, x: Array, out: Array) -> Array:
        return ops.softplus(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.softplus_backward(dy, y, out=out)


class Tanh(Activation):
    """Hyperbolic tangent: y = tanh x, dx = dy · (1 − y²) (:func:`chainrule.ops.tanh`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Tanh()]).predict([[0.0, 100.0]])
    array([[0., 1.]], dtype=float32)
    """

    initializer = "glorot_uniform"

    def apply(self, x: Array, out: Array) -> Array:
        return ops.tanh(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.tanh_backward(dy, y, out=out)


class Sigmoid(Activation):
    """Logistic function: y = 1 / (1 + exp(−x)), dx = dy · y (1 − y) (:func:`chainrule.ops.sigmoid`).

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Sigmoid()]).predict([[0.0, 100.0]])
    array([[0.5, 1. ]], dtype=float32)
    """

    initializer = "glorot_uniform"

    def apply(self, x: Array, out: Array) -> Array:
        return ops.sigmoid(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.sigmoid_backward(dy, y, out=out)


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


class Softmax(Activation):
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

    def apply(self, x: Array, out: Array) -> Array:
        return ops.softmax(x, out=out)

    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        return ops.softmax_backward(dy, y, out=out)


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

    def __init__(self, features: int, start: float = 0.25) -> None:
        super().__init__(features)
        self.start = check_number("PReLU", "start", start)

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"slope": (self.features,)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.slope[:] = self.start

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        work["x"] = x
        return ops.prelu(x, self.slope, out=work.array("y", x))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        dx, _ = ops.prelu_backward(dy, work["x"], self.slope, out=(work.array("dx", dy), self.dslope))
        return dx


ACTIVATIONS: dict[str, Activation] = {
    "elu": ELU(),
    "gelu": GELU(),
    "gelu_tanh": GELU("tanh"),
    "hard_sigmoid": HardSigmoid(),
    "identity": Identity(),
    "leaky_relu": LeakyReLU(),
    "mish": Mish(),
    "relu": ReLU(),
    "selu": SELU(),
    "sigmoid": Sigmoid(),
    "silu": SiLU(),
    "softmax": Softmax(),
    "softplus": Softplus(),
    "tanh": Tanh(),
}


def get_activation(who: str, activation: str | Activation | None) -> Activation | None:
    """The activation of this name; an :class:`Activation` and None stand for themselves."""
    if activation is None or isinstance(activation, Activation):
        return activation
    if isinstance(activation, Layer):
        remedy = "put it behind the layer, in the list, instead"
        raise TypeError(sentence(who, "an activation without parameters", repr(activation), remedy))
    return ACTIVATIONS[check_name(who, "an activation", activation, ACTIVATIONS)]
