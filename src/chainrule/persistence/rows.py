"""The rows that a model takes: their shape, and random ones to compare an exported file on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._support.checks import Array
from ..layers import Activation, Dropout, Flatten, GaussianNoise, Layer, Linear, Residual
from ..layers.base import FeatureLayer, Shape
from ..model import Sequential


def row_shape(layers: Sequence[Layer]) -> Shape | None:
    """The shape of one input row; None where no layer tells it. An image in front of Flatten counts as flat."""
    for layer in layers:
        if isinstance(layer, Linear):
            return (layer.in_features,)
        if isinstance(layer, FeatureLayer):
            return (layer.features,)
        if isinstance(layer, Residual) and (shape := row_shape(layer.layers)) is not None:
            return shape
        if not isinstance(layer, Residual | Activation | Dropout | GaussianNoise | Flatten):
            break
    return None


def random_rows(model: Any, count: int, shape: Shape | None = None) -> Array | None:
    """``count`` standard normal rows, the same at each call, for a network or a fitted estimator.

    They are turned into the units of an estimator's inputs where it, or the first step of a pipeline, knows their mean
    and scale. None where the shape is not known.
    """
    if shape is None:
        network = isinstance(model, Sequential)
        shape = row_shape(model.layers) if network else (int(model.n_features_in_),)
    if shape is None:
        return None
    x: Array = np.random.default_rng(0).standard_normal((count, *shape))
    if not isinstance(model, Sequential):
        first = model.steps[0][1] if hasattr(model, "steps") else getattr(model, "scaler_", None)
        for name, apply in (("scale_", np.multiply), ("mean_", np.add)):
            numbers = getattr(first, name, None)
            x = x if numbers is None or np.shape(numbers) != shape else apply(x, numbers)
    return x.astype(np.float32)
