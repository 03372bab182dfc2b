"""Losses for numbers: functions of the residual r = z − y, summed over the outputs of a sample; z, y are (N, O)."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array
from .._support.settings import ABOVE_ZERO, checking, frozen
from .base import Kernel, Loss

__all__ = ["AbsoluteError", "HalfSquaredError", "Huber", "LogCosh", "SquaredError"]


@frozen
class SquaredError(Loss):
    """Squared error.

        l = Σ r²,  r = z − y

        dz = 2 r

    Notes
    -----
    z and y are (N, O). Summed over the outputs, not averaged: with O = 1 it is the mean squared error.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import SquaredError
    >>> value, dz = SquaredError()(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
    >>> value, dz.tolist()
    (2.0, [[2.0], [0.0]])
    """

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        r = z - y
        return r * r, 2 * r

    def kernel(self, y: Array) -> Kernel | None:
        return "squared_error", ()


@frozen
class HalfSquaredError(Loss):
    """Half the squared error, whose gradient is the residual itself.

        l = ½ Σ r²,  r = z − y

        dz = r

    Notes
    -----
    z and y are (N, O).

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import HalfSquaredError
    >>> value, dz = HalfSquaredError()(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
    >>> value, dz.tolist()
    (1.0, [[1.0], [0.0]])
    """

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        r = z - y
        return r * r / 2, r

    def kernel(self, y: Array) -> Kernel | None:
        return "half_squared_error", ()


@frozen
class AbsoluteError(Loss):
    """Absolute error; its minimum is the median.

        l = Σ |r|,  r = z − y

        dz = sign r,  0 at r = 0

    Notes
    -----
    z and y are (N, O).

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import AbsoluteError
    >>> value, dz = AbsoluteError()(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
    >>> value, dz.tolist()
    (1.0, [[0.5], [0.0]])
    """

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        r = z - y
        return np.abs(r), np.sign(r)

    def kernel(self, y: Array) -> Kernel | None:
        return "absolute_error", ()


@frozen
@checking(delta=ABOVE_ZERO)
class Huber(Loss):
    """Huber's loss: squared near the target, absolute beyond δ.

        l = Σ ½ r² where |r| ≤ δ, and δ |r| − ½ δ² beyond;  in one: c (r − ½ c)

        dz = c = r clipped to [−δ, δ]

    Parameters
    ----------
    delta : float, > 0
        Residual δ at which the parabola becomes a straight line, in the units of y.

    Notes
    -----
    z and y are (N, O).

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import Huber
    >>> value, dz = Huber(delta=1.0)(np.array([[5.0, 0.5]]), np.array([[0.0, 0.0]]))
    >>> value, dz.tolist()
    (4.625, [[1.0, 0.5]])

    References
    ----------
    Huber, Robust estimation of a location parameter (1964).
    """

    delta: float = 1.0

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        r = z - y
        c = np.clip(r, -self.delta, self.delta)
        return c * (r - c / 2), c

    def kernel(self, y: Array) -> Kernel | None:
        return "huber", (self.delta,)


@frozen
class LogCosh(Loss):
    """Logarithm of the hyperbolic cosine: squared near the target, absolute far off, smooth between.

        l = Σ log cosh r,  r = z − y

        dz = tanh r

    Notes
    -----
    z and y are (N, O). Computed as log cosh r = log(1 + 2 sinh²(r/2)), which is exact near 0, where log cosh r ≈ r²/2;
    beyond ``|r| = 20`` it is ``|r| − log 2`` to the last bit, so that the straight line carries on from there.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import LogCosh
    >>> value, dz = LogCosh()(np.array([[1000.0], [0.0]]), np.array([[0.0], [0.0]]))
    >>> round(value, 6), dz.tolist()  # (1000 − log 2) / 2
    (499.653426, [[0.5], [0.0]])
    """

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        r = z - y
        far = np.abs(r)
        near = np.minimum(far, 20)
        return np.log1p(2 * np.sinh(near / 2) ** 2) + (far - near), np.tanh(r)

    def kernel(self, y: Array) -> Kernel | None:
        return "log_cosh", ()
