"""Activations built from one exponential, as layers; their equations stand in ``ops/activations/smooth.py``."""

from __future__ import annotations

from typing import ClassVar

from ... import ops
from ..._support.checks import Array
from ..._support.settings import ABOVE_ZERO, Checks
from .base import Activation


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

    _checks: ClassVar[Checks] = {"alpha": ABOVE_ZERO}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

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
