"""What an activation is: a function of each number of a batch, and its pull-back."""

from __future__ import annotations

from abc import abstractmethod

from ..._support.checks import Array
from ...ops.blocks import in_blocks
from ..base import Layer, Workspace


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

    def apply_frugally(self, x: Array, out: Array) -> Array:
        """:meth:`apply`, without arrays of the batch's size on the way."""
        return in_blocks(self.apply, x, out=out) if self.temporaries else self.apply(x, out=out)

    def pull_back_frugally(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        """:meth:`pull_back`, without arrays of the batch's size on the way."""
        return in_blocks(self.pull_back, dy, x, y, out=out) if self.temporaries else self.pull_back(dy, x, y, out=out)

    def forward(self, x: Array, work: Workspace) -> Array:
        work["x"], work["y"] = x, self.apply_frugally(x, out=work.array("y", x))
        return work["y"]

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        if not input_gradient:
            return None
        return self.pull_back_frugally(dy, work["x"], work["y"], out=work.array("dx", dy))
