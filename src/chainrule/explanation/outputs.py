"""The number that contributions add up to: the log-odds of a class, or the predicted number.

A function of this file takes the outputs z (M, K) of the network and returns F (M,) and its gradient dz (M, K).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .._support.checks import Array
from ..losses import PoissonNLL
from ..ops import softmax

Output = Callable[[Array], tuple[Array, Array]]


def outputs_of(model: Any, z: Array) -> list[tuple[str, Output]]:
    """Return, for each row of the estimator's network outputs z (N, K), what is explained, in words, and its function.

    Of a classifier it is log p/(1 − p) of the class that is predicted for the row; of several targets, the first; of
    quantiles, the one nearest to the median.
    """
    if not hasattr(model, "classes_"):
        return [("the predicted number", _number_of(model))] * len(z)
    if z.shape[1] == 1:
        signs = np.where(z[:, 0] > 0, 1.0, -1.0)
        names = (model.classes_[-1 if sign > 0 else 0] for sign in signs)
        return [(f"the log-odds of {name!s}", partial(_signed, sign)) for name, sign in zip(names, signs, strict=True)]
    log_odds = _of_label if model._multilabel else _of_class
    return [(f"the log-odds of {model.classes_[place]!s}", partial(log_odds, place)) for place in z.argmax(axis=1)]


def _signed(sign: float, z: Array) -> tuple[Array, Array]:
    return sign * z[:, 0], np.full_like(z, sign)


def _of_label(place: int, z: Array) -> tuple[Array, Array]:
    return z[:, place], np.tile(np.eye(z.shape[1])[place], (len(z), 1))


def _of_class(place: int, z: Array) -> tuple[Array, Array]:
    """log pₖ/(1 − pₖ) = zₖ − log Σ exp zⱼ over the other classes j."""
    others = np.delete(z, place, axis=1)
    largest = others.max(axis=1, keepdims=True)
    rest = largest[:, 0] + np.log(np.exp(others - largest).sum(axis=1))
    return z[:, place] - rest, np.insert(-softmax(others), place, 1.0, axis=1)


def _number_of(model: Any) -> Output:
    """The number in the units of y, before a table's regressor keeps it within the range of training."""
    loss = model._loss()[0] if callable(model._loss) and hasattr(model, "encoder_") else model._loss
    levels = np.array(getattr(loss, "levels", (0.5,)))
    place = int(np.argmin(np.abs(levels - 0.5)))
    if hasattr(model, "encoder_"):
        spread, mean = model.scale_[0], model.mean_[0]
    else:
        scaler = model.target_scaler_
        spread, mean = (1.0, 0.0) if scaler is None else (scaler.scale_[0], scaler.mean_[0])

    def number(z: Array) -> tuple[Array, Array]:
        value, dz = z[:, place] * spread + mean, np.zeros_like(z)
        if isinstance(loss, PoissonNLL):
            value = np.exp(value)
        dz[:, place] = value if isinstance(loss, PoissonNLL) else spread
        return value, dz

    return number
