"""Activations that gate their input, as layers; their equations stand in ``ops/activations/gated.py``."""

from __future__ import annotations

from typing import Any, ClassVar

from ... import ops
from ..._support.checks import Array, check_name
from ..._support.settings import Checks
from .base import Activation


def _check_approximation(who: str, name: str, value: Any) -> str:
    return check_name(who, "an approximation", value, ("none", "tanh"))


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

    _checks: ClassVar[Checks] = {"approximate": _check_approximation}

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

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
