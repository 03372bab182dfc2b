"""Scale features for a network, robustly or by mean and standard deviation.

    robust     z = s (x − m),  m the median, s = 1 / (q₇₅ − q₂₅); where that is 0, s = 2 / (max − min)
               f = z / √(1 + (z / 3)²)                             a smooth clip to ±3
    standard   f = (x − mean) / std

A constant feature gives 0, for new values too. z is clipped to ±10⁶, so the result is always finite, even for infinity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._support.checks import Array
from . import facts

FARTHEST = 1e6
CLIP = 3.0
ROBUST, STANDARD = "robust", "standard"
_LARGE = 1e150  # squares and differences of larger numbers may overflow


@dataclass(frozen=True)
class Scales:
    """Center, factor, and whether the smooth clip follows, for each of I features; all (I,)."""

    center: Array
    factor: Array
    smooth: Array

    def __len__(self) -> int:
        return len(self.center)

    def apply(self, x: Array) -> Array:
        """Scale raw features (N, I)."""
        with np.errstate(over="ignore", invalid="ignore"):
            z = np.clip((x - self.center) * self.factor, -FARTHEST, FARTHEST)
        z[:, self.factor == 0] = 0
        scaled: Array = np.where(self.smooth, z / np.sqrt(1 + (z / CLIP) ** 2), z)
        return scaled

    def to_dict(self) -> dict[str, Any]:
        return {"center": self.center.tolist(), "factor": self.factor.tolist(), "smooth": self.smooth.tolist()}

    @staticmethod
    def from_dict(description: Any, count: int) -> Scales:
        center, factor = (facts.numbers(description, name, count) for name in ("center", "factor"))
        smooth = facts.get(description, "smooth", list)
        if len(smooth) != count or not all(type(value) is bool for value in smooth):
            raise ValueError("'smooth' that is not a list of true and false")
        facts.check_keys(description, ("center", "factor", "smooth"))
        return Scales(center, factor, np.array(smooth, bool))


def scaled(x: float, center: float, factor: float, smooth: bool) -> float:
    """Scale one number as ``Scales.apply`` does, to the same bit; the factor is not 0, and x is not NaN."""
    z = min(max((x - center) * factor, -FARTHEST), FARTHEST)
    return z / math.sqrt(1 + (z / CLIP) * (z / CLIP)) if smooth else z


def unscaled(count: int) -> Scales:
    """Return scales that change nothing."""
    return Scales(np.zeros(count), np.ones(count), np.zeros(count, bool))


def joined(parts: Sequence[Scales]) -> Scales:
    """Join the scales of features side by side."""
    parts = (unscaled(0), *parts)
    columns = ([getattr(part, name) for part in parts] for name in ("center", "factor", "smooth"))
    return Scales(*map(np.concatenate, columns))


def fit_scales(values: Array, how: str, *, smooth: bool | None = None) -> Scales:
    """Fit the scales of one feature to its values (N,), ignoring NaN and infinity."""
    finite = values[np.isfinite(values)]
    is_smooth = np.array([how == ROBUST if smooth is None else smooth])
    if not len(finite) or finite.min() == finite.max():
        return Scales(np.array([finite[0] if len(finite) else 0.0]), np.zeros(1), is_smooth)
    largest = float(np.abs(finite).max())
    shrink = largest if largest > _LARGE else 1.0
    center, spread = (_moments if how == STANDARD else _quartiles)(finite / shrink)
    return Scales(np.array([center * shrink]), np.array([_inverse(spread) / shrink]), is_smooth)


def fit_lookup(table: Array, counts: Array, how: str) -> Scales:
    """Fit the scales of features (K, I) where row k occurs ``counts[k]`` times, as in one-hot columns."""
    if how == STANDARD:
        return unscaled(table.shape[1])
    parts = []
    for values in table.T:
        order = np.argsort(values, kind="stable")
        last = np.cumsum(counts[order])
        low, center, high = (_quantile(values[order], last, share) for share in (0.25, 0.5, 0.75))
        there = values[counts > 0]
        spread = high - low or (np.ptp(there) / 2 if len(there) else 0.0)
        parts.append(Scales(np.array([center]), np.array([_inverse(spread)]), np.ones(1, bool)))
    return joined(parts)


def _quartiles(values: Array) -> tuple[float, float]:
    """Return the median and the interquartile range; half of the range if that is 0."""
    low, center, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return center, high - low or float(np.ptp(values)) / 2


def _moments(values: Array) -> tuple[float, float]:
    return float(values.mean()), float(values.std())


def _quantile(values: Array, last: Array, share: float) -> float:
    """Return a quantile of sorted values, interpolated as in NumPy; the k-th value ends at position ``last[k]``."""
    if not last[-1]:
        return 0.0
    place = (last[-1] - 1) * share
    below = int(place)
    a, b = (values[np.searchsorted(last, at, side="right")] for at in (below, min(below + 1, last[-1] - 1)))
    return float(a + (b - a) * (place - below))


def _inverse(spread: float) -> float:
    """Return 1 / spread; 0 if that is not finite."""
    with np.errstate(over="ignore", divide="ignore"):
        found = float(1 / np.float64(spread))
    return found if np.isfinite(found) else 0.0
