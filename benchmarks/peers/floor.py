"""The floor: the matrix products of a step, into arrays made beforehand, and nothing else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from chainrule._support.checks import Array

from ..grid import Problem
from .contract import Predictor


class Floor:
    """Three products for each layer; two for the first, which needs no dx."""

    def __init__(self, problem: Problem) -> None:
        row = problem.row
        self.steps = row.steps
        rng = np.random.default_rng(0)
        self.layers: list[tuple[Array, Array, Array, Array, Array, Array | None]] = []
        for index, (inputs, outputs) in enumerate(pairwise(row.sizes)):
            shapes = (row.batch, inputs), (inputs, outputs), (row.batch, outputs)
            x, W, dy = (rng.random(shape, np.float32).astype(row.dtype) for shape in shapes)
            self.layers.append((x, W, dy, np.empty_like(dy), np.empty_like(W), np.empty_like(x) if index else None))

    def train(self, passes: int) -> None:
        """The products of so many passes."""
        for _ in range(passes * self.steps):
            for x, W, _, y, _, _ in self.layers:
                np.matmul(x, W, out=y)
            for x, W, dy, _, dW, dx in reversed(self.layers):
                np.matmul(x.T, dy, out=dW)
                if dx is not None:
                    np.matmul(dy, W.T, out=dx)


contestant = Floor


def predictor(problem: Problem, x: Array) -> Predictor:
    """The products of a prediction."""
    weights = [W for W, _ in problem.weights]
    outputs = [np.empty((len(x), W.shape[1]), W.dtype) for W in weights]

    def call() -> Array:
        h = x
        for W, y in zip(weights, outputs, strict=True):
            h = np.matmul(h, W, out=y)
        return h

    return Predictor(call)
