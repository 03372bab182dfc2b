"""Losses: the value and the gradient of exactly that value, from one call.

``value, dz = loss(z, y, weight)``: the mean over samples (weighted mean with sample weights) of the sum over outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._support.checks import Array
from .._support.registry import Registry, concrete, snake_case
from . import classification, probabilistic, regression
from .base import Loss, LossFunction
from .classification import *  # noqa: F403
from .probabilistic import *  # noqa: F403
from .regression import *  # noqa: F403

__all__ = ["LOSSES", "EachMember", "Loss", "LossFunction", "get_loss"]
__all__ += classification.__all__
__all__ += probabilistic.__all__
__all__ += regression.__all__

LOSSES: Registry[type[Loss]] = Registry(
    "a loss",
    {snake_case(name): loss for name, loss in concrete(globals(), Loss).items()},
    accepts=callable,
    expected="the name of a loss or a callable",
    elsewhere={
        "bce": "binary_cross_entropy",
        "binary_crossentropy": "binary_cross_entropy",
        "categorical_crossentropy": "cross_entropy",
        "ce": "cross_entropy",
        "crossentropy": "cross_entropy",
        "l1": "absolute_error",
        "log_loss": "cross_entropy",
        "mae": "absolute_error",
        "mse": "squared_error",
        "nll": "cross_entropy",
        "poisson": "poisson_nll",
        "sparse_categorical_crossentropy": "cross_entropy",
    },
)

#: The loss of a name; any other callable ``(z, y, weight) -> (value, dz)`` stands for itself.
get_loss: Callable[[str | LossFunction], LossFunction] = LOSSES.resolve


class EachMember:
    """The mean over members of each member's own loss, for the outputs (N, k, O) of :class:`~chainrule.TabM`.

        L = (1/k) Σᵢ loss(z_i, y)          dz_i = (1/k) ∂loss(z_i, y)/∂z_i

    Outputs (N, O), as in prediction, have the loss itself.

    Parameters
    ----------
    loss : str or callable
        The loss of one member.

    Examples
    --------
    >>> import numpy as np
    >>> value, dz = EachMember("squared_error")(np.array([[[1.0], [2.0]]]), np.array([[0.0]]))
    >>> value, dz.tolist()
    (2.5, [[[1.0], [2.0]]])
    """

    def __init__(self, loss: str | LossFunction) -> None:
        self.loss = get_loss(loss)

    def __call__(self, z: Array, y: Array, weight: Array | None = None) -> tuple[float, Array]:
        """Return the value and its derivative by z."""
        if z.ndim < 3:
            return self.loss(z, y, weight)
        rows, k = z.shape[:2]
        each = None if weight is None else np.repeat(weight, k)
        value, dz = self.loss(z.reshape(rows * k, -1), np.repeat(y, k, axis=0), each)
        return value, dz.reshape(z.shape)
