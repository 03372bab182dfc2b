"""Rules that keep the variance of signals, from the numbers of inputs and outputs."""

from __future__ import annotations

import math

import numpy as np

from .._support.checks import Array
from .._support.settings import frozen
from .base import Initializer

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeNormalWithBias",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
]


@frozen
class GlorotUniform(Initializer):
    """Keeps the variance of signals and of gradients between layers, for tanh and linear units.

        W ~ U(−a, a),  a = √(6 / (I + O)),  so that var W = 2 / (I + O)

    Examples
    --------
    >>> import chainrule as cr
    >>> bool(abs(cr.initializers.GlorotUniform()((200, 100), rng=0)).max() <= (6 / 300) ** 0.5)
    True

    References
    ----------
    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010), equation 16.
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ U(−a, a)."""
        inputs, outputs = self.matrix(shape)
        a = math.sqrt(6 / (inputs + outputs))
        return rng.uniform(-a, a, shape)


@frozen
class GlorotNormal(Initializer):
    """Keeps the variance of signals and of gradients between layers, for tanh and linear units.

        W ~ N(0, σ²),  σ² = 2 / (I + O)

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.GlorotNormal()((784, 10), rng=0).shape
    (784, 10)

    References
    ----------
    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010), equation 12.
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ N(0, 2 / (I + O))."""
        inputs, outputs = self.matrix(shape)
        return rng.normal(0.0, math.sqrt(2 / (inputs + outputs)), shape)


@frozen
class HeUniform(Initializer):
    """Keeps the mean square of signals through ReLU, which silences half of them.

        W ~ U(−a, a),  a = √(6 / I),  so that var W = 2 / I

    Examples
    --------
    >>> import chainrule as cr
    >>> bool(abs(cr.initializers.HeUniform()((600, 100), rng=0)).max() <= 0.1)
    True

    References
    ----------
    He, Zhang, Ren and Sun, Delving Deep into Rectifiers (2015), section 2.2.
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ U(−a, a)."""
        a = math.sqrt(6 / self.matrix(shape)[0])
        return rng.uniform(-a, a, shape)


@frozen
class HeNormal(Initializer):
    """Keeps the mean square of signals through ReLU, which silences half of them.

        W ~ N(0, σ²),  σ² = 2 / I

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.HeNormal()((784, 10), rng=0).dtype
    dtype('float32')

    References
    ----------
    He, Zhang, Ren and Sun, Delving Deep into Rectifiers (2015), equation 10.
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ N(0, 2 / I)."""
        return rng.normal(0.0, math.sqrt(2 / self.matrix(shape)[0]), shape)


@frozen
class HeNormalWithBias(Initializer):
    """:class:`HeNormal` with the bias counted as one more input.

        W ~ N(0, σ²),  σ² = 2 / (I + 1)

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.HeNormalWithBias()((784, 10), rng=0).shape
    (784, 10)
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ N(0, 2 / (I + 1))."""
        return rng.normal(0.0, math.sqrt(2 / (self.matrix(shape)[0] + 1)), shape)


@frozen
class LecunUniform(Initializer):
    """Keeps the variance of signals through linear units and SELU.

        W ~ U(−a, a),  a = √(3 / I),  so that var W = 1 / I

    Examples
    --------
    >>> import chainrule as cr
    >>> bool(abs(cr.initializers.LecunUniform()((300, 100), rng=0)).max() <= 0.1)
    True

    References
    ----------
    LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), section 4.6.
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ U(−a, a)."""
        a = math.sqrt(3 / self.matrix(shape)[0])
        return rng.uniform(-a, a, shape)


@frozen
class LecunNormal(Initializer):
    """Keeps the variance of signals through linear units and SELU.

        W ~ N(0, σ²),  σ² = 1 / I

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.initializers.LecunNormal()((784, 10), rng=0).shape
    (784, 10)

    References
    ----------
    LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), equation 16; Klambauer et al., SELU (2017), section 3.
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """W ~ N(0, 1 / I)."""
        return rng.normal(0.0, math.sqrt(1 / self.matrix(shape)[0]), shape)
