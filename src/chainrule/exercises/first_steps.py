"""Exercises of chapters 1 to 3: one neuron, the affine map, the chain rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array
from .problem import Problem, Terms


class Neuron(Problem):
    """One neuron sees one sample: a weighted sum of its inputs, and a bias.

    dy is the gradient of the loss with respect to y, a single number.
    """

    chapter = 1
    shapes = "x (I,), w (I,), b (), y ()"

    @staticmethod
    def forward(x: Array, w: Array, b: Array) -> Any:
        return np.sum(w * x) + b

    @staticmethod
    def terms(dy: Array, x: Array, w: Array) -> Terms:
        return {"dx": {"dy·w": dy * w}, "dw": {"dy·x": dy * x}, "db": {"dy": dy}}


class Affine(Problem):
    """The affine map of a batch: each row of x is a sample, each column of W a neuron."""

    chapter = 2
    shapes = "x (N, I), W (I, O), b (O,), y (N, O)"

    @staticmethod
    def forward(x: Array, W: Array, b: Array) -> Any:
        return x @ W + b

    @staticmethod
    def terms(dy: Array, x: Array, W: Array) -> Terms:
        return {"dx": {"dy Wᵀ": dy @ W.T}, "dW": {"xᵀ dy": x.T @ dy}, "db": {"Σₙ dy": dy.sum(axis=0)}}


class Fork(Problem):
    """x is used twice: by itself, and in the sum of its row, by which each entry is multiplied.

    The gradient of x is the sum of what comes back along both paths.
    """

    chapter = 3
    shapes = "x (N, I), y (N, I)"

    @staticmethod
    def forward(x: Array) -> Any:
        s = x.sum(axis=1, keepdims=True)
        return x * s

    @staticmethod
    def terms(dy: Array, x: Array) -> Terms:
        s = x.sum(axis=1, keepdims=True)
        ds = (dy * x).sum(axis=1, keepdims=True)
        return {"dx": {"dy·s": dy * s, "Σᵢ dyᵢ xᵢ": ds}}

    @staticmethod
    def mistakes(dy: Array, x: Array) -> Terms:
        s = x.sum(axis=1, keepdims=True)
        return {
            "dx": {
                "takes dy·x of its own place for the sum over the row, Σᵢ dyᵢ xᵢ": dy * (s + x),
                "sums dy·x over the whole batch; s is a sum within its row": dy * s + (dy * x).sum(),
                "sums dy along the row without the factor x": dy * s + dy.sum(axis=1, keepdims=True),
            }
        }


class Residual(Problem):
    """A residual block: the input goes through a layer with tanh, and also past it; the two are added."""

    chapter = 3
    shapes = "x (N, I), W (I, I), y (N, I)"

    @staticmethod
    def forward(x: Array, W: Array) -> Any:
        z = x @ W
        return x + np.tanh(z)

    @staticmethod
    def terms(dy: Array, x: Array, W: Array) -> Terms:
        z = x @ W
        dz = dy * (1 - np.tanh(z) ** 2)
        return {"dx": {"dy": dy, "dz Wᵀ": dz @ W.T}, "dW": {"xᵀ dz": x.T @ dz}}

    @staticmethod
    def mistakes(dy: Array, x: Array, W: Array) -> Terms:
        z = x @ W
        without, swapped = "the derivative of tanh is missing", "takes z for tanh(z) in 1 − tanh²(z)"
        slope, of_z = 1 - np.tanh(z) ** 2, 1 - z**2
        return {
            "dx": {
                without: dy + dy @ W.T,
                swapped: dy + (dy * of_z) @ W.T,
                "takes 1 for dy on the path past the layer": 1 + (dy * slope) @ W.T,
                "takes W for Wᵀ; as W is square here, the shapes do not show it": dy + (dy * slope) @ W,
            },
            "dW": {
                without: x.T @ dy,
                swapped: x.T @ (dy * of_z),
                "adds xᵀ dy; the path past the layer does not meet W": x.T @ (dy * slope + dy),
                "is the transpose; as W is square here, the shapes do not show it": (dy * slope).T @ x,
            },
        }
