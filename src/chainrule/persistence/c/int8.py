"""Quantise weights to 8 bits: a scale per output, and integer sums that fit into 32 bits.

    W ≈ s · w,  |w| ≤ 127, s of each output          x ≈ u · q,  |q| ≤ m, u of each row          y = (Σ w q) · s u + b

The inputs of a layer are rounded to at most 16 bits, row by row, relative to the largest: with m = 2³¹ / max Σ |w| or
32,767, whichever is smaller, no sum can overflow. This loses almost nothing and needs no calibration data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...layers.program import Call
from .steps import Step, calls

LARGEST_WEIGHT = 127
LARGEST_INPUT = 2**15 - 1
LARGEST_SUM = 2**31 - 1


def quantized(steps: Sequence[Step]) -> list[Step]:
    """Quantise the weights of dense layers to 8 bits."""
    return [replace(step, call=_affine(step.call)) if step.call.op == "affine" else _inside(step) for step in steps]


def _inside(step: Step) -> Step:
    branches = list(map(quantized, step.branches))
    return replace(step, call=step.call._replace(branches=tuple(map(calls, branches))), branches=branches)


def _affine(call: Call) -> Call:
    W = call.arrays["W"]
    scale = np.abs(W).max(axis=0) / LARGEST_WEIGHT
    w = np.rint(W / np.where(scale > 0, scale, 1)).astype(np.int8)
    limit = float(min(LARGEST_INPUT, LARGEST_SUM // max(1, int(np.abs(w.astype(np.int64)).sum(axis=0).max()))))
    return Call("affine_int8", {"W": w, "scale": scale, "b": call.arrays["b"]}, {"limit": limit})
