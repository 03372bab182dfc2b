"""Gradient clipping, by value and by norm, without a copy of the whole gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .._support.checks import Array, sentence
from .._support.errors import DivergenceError


def clip(g: Array, value: float | None, factor: float, out: Array) -> Array:
    """factor · min(max(g, −value), value), written to ``out``; g itself where nothing is to be done."""
    if value is not None:
        g = np.clip(g, -value, value, out=out)
    return g if factor == 1 else np.multiply(g, factor, out=out)


def norm_factor(who: str, norm: float, square: float) -> float:
    """min(1, norm / ‖g‖), given ‖g‖²."""
    length = math.sqrt(square) if square >= 0 else math.nan
    if not math.isfinite(length):
        remedy = "lower the learning rate, or look for NaN and overflow in the loss"
        raise DivergenceError(
            sentence(who, "a gradient whose norm is finite, to clip it", f"the norm {length}", remedy)
        )
    return min(1.0, norm / length) if length > 0 else 1.0


def square_norm(blocks: Iterable[Array]) -> float:
    """Σ g² over all blocks of the gradient together."""
    return sum(_square(g) for g in blocks)


def _square(g: Array) -> float:
    """Σ g²; where it overflows float32, as from elements of 2e19 on, once more in float64, ten times slower."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = float(np.dot(g, g))
        return square if math.isfinite(square) else float(np.einsum("i,i->", g, g, dtype=np.float64))
