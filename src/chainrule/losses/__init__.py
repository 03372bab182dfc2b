"""Losses: the value and the gradient of exactly that value, from one call.

``value, dz = loss(z, y, weight)``: the mean over samples (weighted mean with sample weights) of the sum over outputs.
"""

from __future__ import annotations

from collections.abc import Callable

from .._support.registry import Registry, concrete, snake_case
from . import classification, probabilistic, regression
from .base import Loss, LossFunction
from .classification import *  # noqa: F403
from .probabilistic import *  # noqa: F403
from .regression import *  # noqa: F403

__all__ = ["LOSSES", "Loss", "LossFunction", "get_loss"]
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
