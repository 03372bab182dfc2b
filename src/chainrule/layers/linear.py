"""The dense layer and its diagonal sibling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .. import ops
from .._support.checks import Array, check_integer, check_shape, sentence
from .._support.settings import AT_LEAST_ZERO, Checks, optional
from ..initializers import get_initializer
from ..initializers.base import InitializerFunction
from ..ops.blocks import row_blocks
from .activations import Identity, get_activation, name_of
from .base import FeatureLayer, Layer, Shape, check_rows, check_width
from .elementwise import Activation
from .noise import Dropout
from .program import NOTHING, Call, Program, program_of
from .workspace import Workspace

__all__ = ["Linear", "Scale"]

InitializerLike: TypeAlias = "str | InitializerFunction"


def _check_initializer(who: str, name: str, value: Any) -> Any:
    get_initializer(value)
    return value


class Linear(Layer):
    """Dense layer: every output is a weighted sum of all inputs, optionally through an activation.

        y = σ(xW + b)

        dz = dy · σ′      dx = dz Wᵀ      dW = xᵀ dz + λ₁ sign W + 2 λ₂ W      db = Σₙ dzₙ

    The penalty λ₁ Σ|W| + λ₂ ΣW² is part of both the reported loss and the gradient. Biases are not penalised. As the
    first layer of a model, it accepts SciPy sparse matrices without making them dense.

    Parameters
    ----------
    in_features, out_features : int
        Numbers I of inputs and O of outputs.
    activation : str, Activation or None
        A name such as ``"relu"``, ``"tanh"`` or ``"gelu"``, or an activation layer such as ``LeakyReLU(0.2)``.
    bias : bool
        Whether there is a b.
    l1, l2 : float, >= 0
        Constants λ₁ and λ₂ of the penalty on W.
    initializer : str, callable ``(shape, rng, dtype) -> array`` or None
        Initial values of W. None uses the activation's rule: LeCun normal for SELU; Glorot uniform for tanh, sigmoid,
        hard sigmoid, softmax, identity and no activation; He normal for all others.
    bias_initializer : str or callable
        Initial values of b.

    Attributes
    ----------
    W : array (I, O)
        Weights, a view into the model's parameters.
    b : array (O,)
        Bias, a view into the model's parameters.

    Raises
    ------
    ValueError
        If a batch is not of shape (N, I).

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> layer = cr.Linear(3, 2, activation="relu")
    >>> model = cr.Sequential([layer], rng=0)
    >>> layer.W[:], layer.b[:] = 1.0, -4.0
    >>> model.predict(np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]))
    array([[0., 0.],
           [2., 2.]], dtype=float32)
    """

    W: Array
    dW: Array
    b: Array
    db: Array

    _checks: ClassVar[Checks] = {
        "in_features": check_integer,
        "out_features": check_integer,
        "activation": lambda who, name, value: get_activation(who, value),
        "bias": lambda who, name, value: bool(value),
        "l1": AT_LEAST_ZERO,
        "l2": AT_LEAST_ZERO,
        "initializer": optional(_check_initializer),
        "bias_initializer": _check_initializer,
    }
    _made_with = frozenset({"in_features", "out_features", "bias", "initializer", "bias_initializer"})

    activation: Activation | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: str | Activation | None = None,
        bias: bool = True,
        l1: float = 0.0,
        l2: float = 0.0,
        initializer: InitializerLike | None = None,
        bias_initializer: InitializerLike = "zeros",
    ) -> None:
        self.in_features = in_features
        self.out_features = out_features
        self.activation = activation  # type: ignore[assignment]  # a name becomes the layer
        self.bias = bias
        self.l1 = l1
        self.l2 = l2
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        rule = (self.activation or Identity).initializer
        self._draw_W = get_initializer(rule if initializer is None else initializer)
        self._draw_b = get_initializer(bias_initializer)

    def parameter_shapes(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"W": (self.in_features, self.out_features)}
        return shapes | {"b": (self.out_features,)} if self.bias else shapes

    def initialize(self, rng: np.random.Generator) -> None:
        self._fill("W", self._draw_W, rng)
        if self.bias:
            self._fill("b", self._draw_b, rng)

    def _fill(self, name: str, draw: InitializerFunction, rng: np.random.Generator) -> None:
        array: Array = getattr(self, name)
        first = np.asarray(draw(array.shape, rng, array.dtype))
        check_shape(self, f"an initializer that gives {name}", first, array.shape)
        array[:] = first

    @property
    def input_width(self) -> int | None:
        return self.in_features

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, self.in_features, input_shape)
        return (self.out_features,)

    def forward(self, x: Array, work: Workspace) -> Array:
        check_rows(self, x, self.in_features)
        z = ops.affine(x, self.W, self.b if self.bias else None, out=work.array("z", x, self.out_features))
        work["x"], work["z"] = x, z
        if self.activation is None:
            return z
        out = work.array("y", z) if self.activation.keeps_input else z
        work["y"] = self.activation.apply_blocked(z, out=out)
        return work["y"]

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        x = work["x"]
        dz = dy
        if self.activation is not None:
            dz = self.activation.pull_back_blocked(dy, work["z"], work["y"], out=work.array("dz", dy))
        dx_out = work.array("dx", x) if input_gradient else None
        db_out = self.db if self.bias else None
        dx, _, _ = ops.affine_backward(dz, x, self.W, out=(dx_out, self.dW, db_out), input_gradient=input_gradient)
        if self.l1 or self.l2:
            self._add_penalty_gradient()
        return dx

    def _add_penalty_gradient(self) -> None:
        for rows in row_blocks(self.W):
            W, dW = self.W[rows], self.dW[rows]
            if self.l1:
                dW += self.l1 * np.sign(W)
            if self.l2:
                dW += 2 * self.l2 * W

    def penalty(self) -> float:
        """λ₁ Σ|W| + λ₂ ΣW²."""
        l1 = self.l1 * sum(float(np.sum(np.abs(self.W[rows]))) for rows in row_blocks(self.W)) if self.l1 else 0.0
        l2 = self.l2 * float(np.vdot(self.W, self.W)) if self.l2 else 0.0
        return l1 + l2

    def program(self, training: bool = False) -> Program | None:
        after = () if self.activation is None else program_of(self.activation, training)
        arrays = {"W": self.W, "b": self.b} if self.bias else {"W": self.W}
        penalty = {"l1": self.l1, "l2": self.l2} if training else NOTHING
        return None if after is None else (Call("affine", arrays, penalty), *after)

    def _described(self, name: str, value: Any) -> Any:
        """Describe an activation by its name, if it has one."""
        return (isinstance(value, Activation) and name_of(value)) or super()._described(name, value)

    def __repr__(self) -> str:
        """``Linear(784 → 256, relu)``."""
        activation = "" if self.activation is None else f", {name_of(self.activation) or repr(self.activation)}"
        bias = "" if self.bias else ", no bias"
        penalty = "".join(f", {name}={value:g}" for name, value in (("l1", self.l1), ("l2", self.l2)) if value)
        return f"Linear({self.in_features} → {self.out_features}{activation}{bias}{penalty})"


def check_takes_sparse(layers: Sequence[Layer]) -> None:
    """Raise unless a sparse x would reach Linear first: the output of any other layer is dense."""
    first = next((layer for layer in layers if not (type(layer) is Dropout and layer.rate == 0)), None)
    if not isinstance(first, Linear):
        remedy = "begin the model with Linear(...), or pass x.toarray()"
        raise TypeError(sentence("the model" if first is None else repr(first), "dense x", "a sparse one", remedy))


class Scale(FeatureLayer):
    """A learned factor for each feature: a linear layer with a diagonal matrix.

        y = gain · x

        dx = gain · dy      dgain = Σₙ dyₙ · xₙ

    As the first layer it learns which inputs matter, if it has a larger learning rate than the rest.

    Parameters
    ----------
    features : int
        Number of input features I.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Scale(2)
    >>> model = cr.Sequential([layer])
    >>> layer.gain[:] = 1.0, 10.0
    >>> model.predict([[1.0, 2.0]])
    array([[ 1., 20.]], dtype=float32)

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), section 3.
    """

    gain: Array
    dgain: Array

    def __init__(self, features: int) -> None:
        super().__init__(features)

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"gain": (self.features,)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.gain[:] = 1

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        work["x"] = x
        return ops.scale(x, self.gain, out=work.array("y", x))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        dx, _, _ = ops.scale_backward(dy, work["x"], self.gain, out=(work.array("dx", dy), self.dgain, None))
        return dx

    def program(self, training: bool = False) -> Program | None:
        return (Call("scale", {"gain": self.gain}),)
