"""Weights of eight bits: a scale for each output, and sums of whole numbers that fit into 32 bits.

    W ≈ s · w,  |w| ≤ 127, s of each output          x ≈ u · q,  |q| ≤ m, u of each row          y = (Σ w q) · s u + b

The inputs of a layer are rounded to as many as 16 bits, row by row, by the largest of them: with m = 2³¹ / max Σ |w| or
32,767, the smaller, no sum can overflow. That loses next to nothing, and asks for no data to calibrate it with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..._support.checks import Array
from .steps import Step, run

LARGEST_WEIGHT = 127
LARGEST_INPUT = 2**15 - 1
LARGEST_SUM = 2**31 - 1


def quantized(steps: Sequence[Step]) -> list[Step]:
    """The same steps, the dense layers with weights of eight bits."""
    return [_dense(step) if step.operation == "dense" else _branch(step) for step in steps]


def _branch(step: Step) -> Step:
    if not step.branch:
        return step
    inner = quantized(step.branch)
    return replace(step, branch=inner, compute=lambda x: x + run(inner, x))


def _dense(step: Step) -> Step:
    W, b = step.arrays["W"], step.arrays["b"]
    scale = np.abs(W).max(axis=1) / LARGEST_WEIGHT
    w = np.rint(W / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8)
    limit = float(min(LARGEST_INPUT, LARGEST_SUM // max(1, int(np.abs(w.astype(np.int64)).sum(axis=1).max()))))
    factors = w.T.astype(np.float64)

    def compute(x: Array) -> Array:
        largest = np.maximum(np.abs(x).max(axis=1, keepdims=True), np.float32(1e-30)).astype(np.float32)
        q = np.rint(x.astype(np.float32) * (np.float32(limit) / largest)).astype(np.float64)
        y: Array = (q @ factors) * (scale * (largest / limit)) + b
        return y

    arrays = {"W": w, "scale": scale, "b": b}
    return replace(step, operation="dense_int8", compute=compute, arrays=arrays, numbers=(limit,))
