"""What every initializer shares: the call, its checks and its dtype."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .._support.checks import Array, RandomState, as_rng, check_integer, sentence

InitializerFunction: TypeAlias = Callable[[tuple[int, ...], RandomState, Any], Array]


class Initializer(ABC):
    """A rule for the first values of an array; subclass it and define :meth:`draw` to make your own.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> class Sevens(cr.initializers.Initializer):
    ...     def draw(self, shape, rng):
    ...         return np.full(shape, 7.0)
    >>> Sevens()((2,), rng=0)
    array([7., 7.], dtype=float32)
    """

    def __call__(self, shape: tuple[int, ...], rng: RandomState = None, dtype: Any = np.float32) -> Array:
        """An array of first values.

        Parameters
        ----------
        shape : tuple of int
            Its shape: (I, O) for a weight matrix, (O,) for a bias.
        rng : int or numpy.random.Generator, optional
            A seed, or a generator, which is advanced.
        dtype : float32 or float64
            Its dtype.

        Returns
        -------
        array of this shape
            The values, drawn in float64 and rounded.

        Raises
        ------
        ValueError
            If a length is not a positive integer, or the rule needs another rank.
        """
        who = type(self).__name__
        for length in shape:
            check_integer(who, "each length of the shape", length)
        return self.draw(tuple(shape), as_rng(rng, who)).astype(dtype, copy=False)

    @abstractmethod
    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """The rule itself.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array, checked.
        rng : numpy.random.Generator
            What to draw from.

        Returns
        -------
        array of this shape
            The values, in float64.
        """

    def matrix(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The numbers of inputs and outputs of a weight matrix.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array.

        Returns
        -------
        (int, int)
            I and O.

        Raises
        ------
        ValueError
            If the shape is not (I, O).
        """
        if len(shape) != 2:
            who = type(self).__name__
            raise ValueError(sentence(who, "the shape (I, O) of a weight matrix", str(shape), "use Zeros() for a bias"))
        return shape[0], shape[1]
