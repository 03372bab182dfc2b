"""Initializers that do not depend on the layer's width."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array, check_number
from .._support.settings import ABOVE_ZERO, AT_LEAST_ZERO, checking, frozen
from .base import Initializer

__all__ = ["Normal", "Ones", "Orthogonal", "Uniform", "Zeros"]


@frozen
@checking(low=check_number, high=check_number)
class Uniform(Initializer):
    """The same interval for every layer.

        W ~ U(low, high)

    Parameters
    ----------
    low : float
        Lower end of the interval.
    high : float, >= low
        Upper end of the interval.

    Examples
    --------
    >>> import chainrule as cr
    >>> W = cr.initializers.Uniform(2.0, 3.0)((100, 100), rng=0)
    >>> bool(2 <= W.min() and W.max() <= 3)
    True
    """

    low: float = -0.5
    high: float = 0.5

    def __post_init__(self) -> None:
        check_number(type(self).__name__, "high", self.high, minimum=self.low)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ U(low, high)."""
        return rng.uniform(self.low, self.high, shape)


@frozen
@checking(sigma=AT_LEAST_ZERO)
class Normal(Initializer):
    """The same bell curve for every layer.

        W ~ N(0, σ²)

    Parameters
    ----------
    sigma : float, >= 0
        The standard deviation.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.Normal(0.1)((3, 4), rng=0).shape
    (3, 4)
    """

    sigma: float = 0.1

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ N(0, σ²)."""
        return rng.normal(0.0, self.sigma, shape)


@frozen
@checking(gain=ABOVE_ZERO)
class Orthogonal(Initializer):
    """A random matrix that changes no length: columns (or rows, if there are fewer rows) orthonormal, times a gain.

        A = QR,  A ~ N(0, 1)            W = gain · Q · sign(diag R),  uniform over all such matrices
        WᵀW = gain² 1  if I >= O,  WWᵀ = gain² 1  if I <= O

    Parameters
    ----------
    gain : float, > 0
        Factor by which the matrix stretches every vector.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> W = cr.initializers.Orthogonal()((5, 3), rng=0, dtype=np.float64)
    >>> bool(np.allclose(W.T @ W, np.eye(3)))
    True

    References
    ----------
    Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning (2014), section 3;
    Mezzadri, How to generate random matrices from the classical compact groups (2007), for the signs.
    """

    gain: float = 1.0

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W = gain · Q · sign(diag R)."""
        inputs, outputs = self.matrix(shape)
        q, r = np.linalg.qr(rng.standard_normal((max(inputs, outputs), min(inputs, outputs))))
        q *= self.gain * np.sign(np.diagonal(r))
        return q if inputs >= outputs else q.T.copy()


@frozen
class Zeros(Initializer):
    """All zero, as biases begin.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.Zeros()((3,))
    array([0., 0., 0.], dtype=float32)
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Zeros; the generator is not touched."""
        return np.zeros(shape)


@frozen
class Ones(Initializer):
    """All one, as gains begin.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.Ones()((3,))
    array([1., 1., 1.], dtype=float32)
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Ones; the generator is not touched."""
        return np.ones(shape)
