"""Losses: ``terms`` gives l of each sample and ∂l/∂z; the mean is weighted by sample weights and class weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .activations import sigmoid, softplus
from .rounding import Rounding

Array = np.ndarray[Any, Any]


class Loss:
    rounding: Rounding

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        raise NotImplementedError

    def weights(self, z: Array, y: Array, weight: Array | None) -> Array:
        return np.ones(len(z)) if weight is None else weight

    def __call__(self, z: Array, y: Array, weight: Array | None) -> tuple[float, Array]:
        """L = Σ w l / Σ w and dz; nothing where all weights are 0."""
        w = self.weights(z, y, weight)
        if not w.sum():
            return 0.0, np.zeros_like(z)
        terms, dz = self.terms(z, y)
        share = w / w.sum()
        return float(share @ terms), self.rounding(share[:, None] * dz)


class SquaredError(Loss):
    def terms(self, z, y):
        return ((z - y) ** 2).sum(axis=1), 2 * (z - y)


class HalfSquaredError(Loss):
    def terms(self, z, y):
        return ((z - y) ** 2).sum(axis=1) / 2, z - y


class AbsoluteError(Loss):
    def terms(self, z, y):
        return np.abs(z - y).sum(axis=1), np.sign(self.rounding.kink(z - y))


class Huber(Loss):
    def __init__(self, delta=1.0):
        self.delta = delta

    def terms(self, z, y):
        r, d = z - y, self.delta
        near = np.abs(r) <= d
        return np.where(near, r**2 / 2, d * np.abs(r) - d**2 / 2).sum(axis=1), np.where(near, r, d * np.sign(r))


class LogCosh(Loss):
    def terms(self, z, y):
        r = z - y
        return (np.logaddexp(r, -r) - math.log(2)).sum(axis=1), np.tanh(r)


class PoissonNLL(Loss):
    def terms(self, z, y):
        return (np.exp(z) - y * z).sum(axis=1), self.rounding(np.exp(z)) - y


class Quantile(Loss):
    def __init__(self, levels):
        self.levels = np.array(levels)

    def terms(self, z, y):
        r = self.rounding.kink(z.reshape(*y.shape, -1) - y[:, :, None])
        above, below = (1 - self.levels) * r, -self.levels * r
        return np.where(r > 0, above, below).sum(axis=(1, 2)), np.where(r > 0, 1 - self.levels, -self.levels).reshape(
            z.shape
        )


class GaussianNLL(Loss):
    def __init__(self, floor=1e-6):
        self.floor = floor

    def terms(self, z, y):
        mean, s = z[:, : y.shape[1]], z[:, y.shape[1] :]
        variance = np.exp(s) + self.floor
        r = mean - y
        terms = (np.log(2 * math.pi * variance) + r**2 / variance) / 2
        ds = (1 - self.rounding(r**2 / variance)) / 2 * np.exp(s) / variance
        return terms.sum(axis=1), np.concatenate([r / variance, ds], axis=1)


class BinaryCrossEntropy(Loss):
    def __init__(self, from_logits=True):
        self.from_logits = from_logits

    def terms(self, z, y):
        if self.from_logits:
            return (softplus(z) - y * z).sum(axis=1), self.rounding(sigmoid(z)) - y
        return -(y * np.log(z) + (1 - y) * np.log(1 - z)).sum(axis=1), (1 - y) / (1 - z) - y / z


class CrossEntropy(Loss):
    def __init__(self, from_logits=True, label_smoothing=0.0, class_weight=None):
        self.from_logits, self.smoothing, self.class_weight = from_logits, label_smoothing, class_weight

    def labels(self, z, y):
        return np.eye(z.shape[1])[y] if y.ndim == 1 else y

    def weights(self, z, y, weight):
        w = super().weights(z, y, weight)
        if self.class_weight is None:
            return w
        if isinstance(self.class_weight, dict):
            c = [self.class_weight.get(k, 1.0) for k in range(z.shape[1])]
        else:
            c = self.class_weight
        return w * (self.labels(z, y) @ np.array(c))

    def terms(self, z, y):
        t = (1 - self.smoothing) * self.labels(z, y) + self.smoothing / z.shape[1]
        if not self.from_logits:
            return -(t * np.log(z)).sum(axis=1), -t / z
        log_p = z - z.max(axis=1, keepdims=True)
        log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        return -(t * log_p).sum(axis=1), self.rounding(np.exp(log_p)) * t.sum(axis=1, keepdims=True) - t
