"""Losses: the value and the gradient of exactly that value, from one call.

``value, dz = loss(z, y, weight)``: the mean over samples (weighted mean with sample weights) of the sum over outputs.
"""

from __future__ import annotations

from .._support.checks import resolve, sentence
from .base import Loss, LossFunction
from .classification import BinaryCrossEntropy, CrossEntropy
from .probabilistic import GaussianNLL, Poisson, Quantile
from .regression import AbsoluteError, HalfSquaredError, Huber, LogCosh, SquaredError

LOSSES: dict[str, type[Loss]] = {
    "absolute_error": AbsoluteError,
    "binary_cross_entropy": BinaryCrossEntropy,
    "cross_entropy": CrossEntropy,
    "gaussian_nll": GaussianNLL,
    "half_squared_error": HalfSquaredError,
    "huber": Huber,
    "log_cosh": LogCosh,
    "poisson": Poisson,
    "quantile": Quantile,
    "squared_error": SquaredError,
}


def get_loss(loss: str | LossFunction) -> LossFunction:
    """The loss of this name with its default parameters; any other callable ``(z, y, weight) -> (value, dz)`` as it is.

    Raises
    ------
    ValueError
        If no loss has this name; the message suggests the nearest.
    TypeError
        If ``loss`` is neither a name nor a callable object.

    Examples
    --------
    >>> from chainrule.losses import get_loss
    >>> get_loss("huber")
    Huber()
    """
    found: LossFunction | type[Loss] = resolve("get_loss", "a loss", loss, LOSSES)
    if not callable(found):
        raise TypeError(sentence("get_loss", "the name of a loss or a callable", repr(loss)))
    return found() if isinstance(found, type) else found


__all__ = [
    "LOSSES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "GaussianNLL",
    "HalfSquaredError",
    "Huber",
    "LogCosh",
    "Loss",
    "LossFunction",
    "Poisson",
    "Quantile",
    "SquaredError",
    "get_loss",
]
