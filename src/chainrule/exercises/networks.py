"""Exercises of chapters 7 to 10: a network, initialization, optimizers, what keeps a network from overfitting."""

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
