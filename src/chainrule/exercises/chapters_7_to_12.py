"""Exercises of chapters 7 to 12: networks, optimizers, what keeps from overfitting, normalization, the proof."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array
from .problem import Generator, Problem, Sizes, Terms


class TwoLayers(Problem):
    """A network of two layers with ReLU units between them.

    The first layer needs no dx: nothing comes before it.
    """

    chapter = 7
    shapes = "x (N, I), W1 (I, H), b1 (H,), W2 (H, O), b2 (O,), y (N, O)"

    @staticmethod
    def forward(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
        z = x @ W1 + b1
        h = np.maximum(z, 0)
        return h @ W2 + b2

    @staticmethod
    def terms(dy: Array, x: Array, W1: Array, b1: Array, W2: Array) -> Terms:
        z = x @ W1 + b1
        h = np.maximum(z, 0)
        dz = dy @ W2.T * (z > 0)
        return {
            "dW1": {"xᵀ dz": x.T @ dz},
            "db1": {"Σₙ dz": dz.sum(axis=0)},
            "dW2": {"hᵀ dy": h.T @ dy},
            "db2": {"Σₙ dy": dy.sum(axis=0)},
        }

    @staticmethod
    def mistakes(dy: Array, x: Array, W1: Array, b1: Array, W2: Array) -> Terms:
        dh, without = dy @ W2.T, "the derivative of ReLU is missing"
        z = x @ W1 + b1
        return {
            "dW1": {without: x.T @ dh},
            "db1": {without: dh.sum(axis=0)},
            "dW2": {"takes z, before the ReLU, for h": z.T @ dy},
        }


class StandardizeColumns(Problem):
    """Each column with its mean taken out, and divided by its standard deviation σ.

    x reaches y on three paths: by itself, through the mean, and through σ.
    """

    chapter = 8
    shapes = "x (N, I), y (N, I)"

    @staticmethod
    def forward(x: Array) -> Any:
        sigma = np.sqrt(x.var(axis=0) + 1e-5)
        return (x - x.mean(axis=0)) / sigma

    @staticmethod
    def terms(dy: Array, x: Array) -> Terms:
        sigma = np.sqrt(x.var(axis=0) + 1e-5)
        y = (x - x.mean(axis=0)) / sigma
        return {
            "dx": {
                "dy/σ": dy / sigma,
                "−mean(dy)/σ": -dy.mean(axis=0) / sigma,
                "−y·mean(dy·y)/σ": -y * (dy * y).mean(axis=0) / sigma,
            }
        }


class Momentum(Problem):
    """One step of gradient descent with momentum: the velocity v is beta times the old one, plus the gradient dw.

    The new w is w minus rate times the new v.
    """

    chapter = 9
    shapes = "w (I,), v (I,), dw (I,), rate (), beta ()"
    asks = "step"

    @staticmethod
    def terms(w: Array, v: Array, dw: Array, rate: float, beta: float) -> Terms:
        return {
            "w": {"w": w, "−rate·beta·v": -rate * beta * v, "−rate·dw": -rate * dw},
            "v": {"beta·v": beta * v, "dw": dw},
        }

    @staticmethod
    def mistakes(w: Array, v: Array, dw: Array, rate: float, beta: float) -> Terms:
        average, without = beta * v + (1 - beta) * dw, "dw has a factor (1 − beta), which this rule does not have"
        return {
            "w": {"takes the old v instead of the new one": w - rate * v, without: w - rate * average},
            "v": {without: average},
        }


class Dropout(Problem):
    """Dropout in training: keep is 0 where an entry is dropped, else 1; what is kept grows, so that the mean stays."""

    chapter = 10
    shapes = "x (N, I), keep (N, I), rate (), y (N, I)"

    def draw(self, rng: Generator, sizes: Sizes) -> dict[str, Any]:
        inputs = super().draw(rng, sizes)
        return inputs | {"keep": np.where(inputs["keep"] > -0.5, 1.0, 0.0)}

    @staticmethod
    def forward(x: Array, keep: Array, rate: float) -> Any:
        return x * keep / (1 - rate)

    @staticmethod
    def terms(dy: Array, keep: Array, rate: float) -> Terms:
        return {"dx": {"dy·keep/(1 − rate)": dy * keep / (1 - rate)}}

    @staticmethod
    def mistakes(dy: Array, keep: Array, rate: float) -> Terms:
        return {
            "dx": {
                "the factor 1/(1 − rate) is missing": dy * keep,
                "goes back to the dropped entries, too: keep is missing": dy / (1 - rate),
            }
        }


class L2Penalty(Problem):
    """Half the mean squared error of a linear model, and strength/2 times the sum of all squared weights."""

    chapter = 10
    shapes = "x (N, I), W (I, O), y (N, O), strength (), L ()"

    @staticmethod
    def forward(x: Array, W: Array, y: Array, strength: float) -> Any:
        return np.sum((x @ W - y) ** 2) / (2 * len(x)) + strength / 2 * np.sum(W**2)

    @staticmethod
    def terms(x: Array, W: Array, y: Array, strength: float) -> Terms:
        return {"dW": {"xᵀ(x W − y)/N": x.T @ (x @ W - y) / len(x), "strength·W": strength * W}}


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
