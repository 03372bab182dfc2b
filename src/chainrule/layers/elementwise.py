"""What an activation is: a function of each number of a batch, and its pull-back."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from .. import ops
from .._support.checks import Array
from ..ops.blocks import in_blocks
from ..ops.fused import compiled
from .base import Layer
from .program import Call, Program, keeps_input
from .workspace import Workspace


class Activation(Layer):
    """A function applied to each number of a batch, without parameters.

    A subclass defines :meth:`apply` and :meth:`pull_back`.

    Attributes
    ----------
    keeps_input : bool
        Whether the pull-back needs x. If it needs only y, :class:`~chainrule.Linear` lets the activation overwrite
        its own input.
    temporaries : bool
        Whether the two methods allocate temporary arrays, as NumPy does and compiled ops do not. If so, they get about
        64 KB of a large batch at a time, which keeps the temporaries in the cache.
    initializer : str
        Initializer of a :class:`~chainrule.Linear` with this activation. He normal, the default, preserves the
        variance through units that are off half of the time; Glorot uniform suits activations that pass the whole
        signal, such as tanh; SELU was derived for LeCun normal.

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
        """Compute y.

        Parameters
        ----------
        x : array of any shape
            Input.
        out : array of x's shape
            Where to write y; may be x if the pull-back needs only y.

        Returns
        -------
        array of x's shape
            Output y.
        """

    @abstractmethod
    def pull_back(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        """Compute dx.

        Parameters
        ----------
        dy : array of any shape
            Gradient ∂L/∂y of the loss with respect to the output.
        x, y : arrays of dy's shape
            Input and output of :meth:`apply`; x may have been overwritten unless ``keeps_input``.
        out : array of dy's shape
            Where to write dx.

        Returns
        -------
        array of dy's shape
            Gradient ∂L/∂x.
        """

    def apply_blocked(self, x: Array, out: Array) -> Array:
        """Call :meth:`apply`, without temporaries of the batch's size.

        Parameters
        ----------
        x, out : arrays of one shape
            As in :meth:`apply`.

        Returns
        -------
        array of x's shape
            Output y.
        """
        return in_blocks(self.apply, x, out=out) if self.temporaries else self.apply(x, out=out)

    def pull_back_blocked(self, dy: Array, x: Array, y: Array, out: Array) -> Array:
        """Call :meth:`pull_back`, without temporaries of the batch's size.

        Parameters
        ----------
        dy, x, y, out : arrays of one shape
            As in :meth:`pull_back`.

        Returns
        -------
        array of dy's shape
            Gradient ∂L/∂x.
        """
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
    op : str
        Name of the function in :mod:`chainrule.ops`.
    numbers : tuple of str
        Names of the attributes that are the op's own parameters.
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
