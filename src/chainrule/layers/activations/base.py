"""What an activation is: a function of each number of a batch, and its pull-back."""

from __future__ import annotations

from abc import abstractmethod

from ..._checks import Array
from ..base import Layer, Workspace


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
