"""Exercises of chapters 11 and 12: normalization, and the proof of a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array
from .problem import Generator, Problem, Sizes, Terms


class BatchNorm(Problem):
    """Batch normalization in training: each column standardized over the batch, then scaled and shifted."""

    chapter = 11
    shapes = "x (N, I), gamma (I,), beta (I,), y (N, I)"

    @staticmethod
    def forward(x: Array, gamma: Array, beta: Array) -> Any:
        sigma = np.sqrt(x.var(axis=0) + 1e-5)
        x_hat = (x - x.mean(axis=0)) / sigma
        return gamma * x_hat + beta

    @staticmethod
    def terms(dy: Array, x: Array, gamma: Array) -> Terms:
        sigma = np.sqrt(x.var(axis=0) + 1e-5)
        x_hat = (x - x.mean(axis=0)) / sigma
        d_hat = dy * gamma
        return {
            "dx": {
                "dy·γ/σ": d_hat / sigma,
                "−mean(dy·γ)/σ": -d_hat.mean(axis=0) / sigma,
                "−x̂·mean(dy·γ·x̂)/σ": -x_hat * (d_hat * x_hat).mean(axis=0) / sigma,
            },
            "dgamma": {"Σₙ dy·x̂": (dy * x_hat).sum(axis=0)},
            "dbeta": {"Σₙ dy": dy.sum(axis=0)},
        }

    @classmethod
    def mistakes(cls, dy: Array, x: Array, gamma: Array) -> Terms:
        without = cls.terms(dy, x, np.ones_like(gamma))["dx"]
        return {"dx": {"γ is missing": sum(without.values())}, "dgamma": {"takes x for x̂": (dy * x).sum(axis=0)}}


class LayerNorm(BatchNorm):
    """Layer normalization: each row standardized by itself, then each column scaled and shifted."""

    @staticmethod
    def forward(x: Array, gamma: Array, beta: Array) -> Any:
        sigma = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        x_hat = (x - x.mean(axis=1, keepdims=True)) / sigma
        return gamma * x_hat + beta

    @staticmethod
    def terms(dy: Array, x: Array, gamma: Array) -> Terms:
        sigma = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        x_hat = (x - x.mean(axis=1, keepdims=True)) / sigma
        d_hat = dy * gamma
        return {
            "dx": {
                "dy·γ/σ": d_hat / sigma,
                "−mean(dy·γ)/σ": -d_hat.mean(axis=1, keepdims=True) / sigma,
                "−x̂·mean(dy·γ·x̂)/σ": -x_hat * (d_hat * x_hat).mean(axis=1, keepdims=True) / sigma,
            },
            "dgamma": {"Σₙ dy·x̂": (dy * x_hat).sum(axis=0)},
            "dbeta": {"Σₙ dy": dy.sum(axis=0)},
        }


class WrongOne(Problem):
    """You get a softmax and three backwards of it, each backward(dy, x). One is wrong, at another place each time.

    Find its index (0, 1 or 2) with differences of the forward. With dy = 1 everywhere, all three agree: why?
    """

    chapter = 12
    shapes = "x (N, K), index ()"
    asks = "find"

    def draw(self, rng: Generator, sizes: Sizes) -> dict[str, Any]:
        x = rng.standard_normal((sizes["N"], sizes["K"]))
        backwards = [_by_row_sums, _by_jacobian, _by_row_means]
        return {"forward": _softmax, "backwards": [backwards[i] for i in rng.permutation(3)], "x": x}

    @staticmethod
    def terms(forward: Any, backwards: Any, x: Array) -> Terms:
        rng = np.random.default_rng(0)
        v, w = rng.standard_normal(x.shape), rng.standard_normal(x.shape)
        Jv = (forward(x + 1e-5 * v) - forward(x - 1e-5 * v)) / 2e-5
        errors = [abs(np.sum(w * Jv) - np.sum(backward(w, x) * v)) for backward in backwards]
        return {"index": {"the one with the largest error": np.argmax(errors)}}


def _softmax(x: Array) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _by_row_sums(dy: Array, x: Array) -> Any:
    y = _softmax(x)
    return y * (dy - (y * dy).sum(axis=1, keepdims=True))


def _by_jacobian(dy: Array, x: Array) -> Array:
    y = _softmax(x)
    return np.stack([(np.diag(row) - np.outer(row, row)) @ drow for row, drow in zip(y, dy, strict=True)])


def _by_row_means(dy: Array, x: Array) -> Any:
    return _softmax(x) * (dy - dy.mean(axis=1, keepdims=True))
