"""Layers that perturb the batch in training and do nothing in prediction."""

from __future__ import annotations

from typing import ClassVar

from .. import ops
from .._support.checks import Array
from .._support.settings import AT_LEAST_ZERO, FRACTION, Checks
from .base import Layer
from .program import Call, Program
from .workspace import Workspace

__all__ = ["Dropout", "GaussianNoise"]


class Dropout(Layer):
    """Inverted dropout: in training, zero each number with probability p and scale the others by 1/(1 − p).

        y = x · m,    m = 0 with probability p, else 1/(1 − p)          dx = dy · m

    Prediction leaves the batch unchanged; the scaling keeps the expected value.

    Parameters
    ----------
    rate : float in [0, 1)
        Probability p, rounded to a multiple of 1/65536.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.Dropout(0.5)], rng=0)
    >>> model.forward(np.ones((1, 8)), training=True)
    array([[2., 0., 0., 2., 0., 2., 0., 2.]], dtype=float32)
    >>> model.predict(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)

    References
    ----------
    Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting (2014), section 10.
    """

    _checks: ClassVar[Checks] = {"rate": FRACTION}

    def __init__(self, rate: float = 0.5) -> None:
        self.rate = rate

    def forward(self, x: Array, work: Workspace) -> Array:
        if not work.training or self.rate == 0:
            return x
        out, mask, first = work.array("y", x), work.array("mask", x), work.shard.entries_before(x)
        y, work["mask"] = ops.dropout(x, self.rate, work.rng, out, mask, first)
        return y

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        if not input_gradient:
            return None
        return dy if self.rate == 0 else ops.dropout_backward(dy, work["mask"], out=work.array("dx", dy))

    def program(self, training: bool = False) -> Program | None:
        return (Call("dropout", numbers={"rate": self.rate}),) if training and self.rate else ()


class GaussianNoise(Layer):
    """In training, add normal noise to each number.

        y = x + σ e,    e ~ N(0, 1)          dx = dy

    Parameters
    ----------
    sigma : float, >= 0
        Standard deviation σ of the noise, in x's units.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.GaussianNoise(0.1)], rng=0)
    >>> bool(abs(model.forward(np.ones((1, 1000)), training=True).std() - 0.1) < 0.01)
    True
    >>> model.predict(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)

    References
    ----------
    Bishop, Training with Noise is Equivalent to Tikhonov Regularization (1995).
    """

    _checks: ClassVar[Checks] = {"sigma": AT_LEAST_ZERO}

    def __init__(self, sigma: float = 0.1) -> None:
        self.sigma = sigma

    def forward(self, x: Array, work: Workspace) -> Array:
        if not work.training or self.sigma == 0:
            return x
        return ops.gaussian_noise(x, self.sigma, work.rng, work.array("y", x), work.shard.entries_before(x))

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        return dy

    def program(self, training: bool = False) -> Program | None:
        return (Call("gaussian_noise", numbers={"sigma": self.sigma}),) if training and self.sigma else ()
