"""Every optimizer, at options that matter; parameters for it, and gradients to walk along."""

from __future__ import annotations

import numpy as np

from chainrule.optimizers import LAMB, LARS, SGD, Adagrad, Adam, AdamW, Lion, Muon, NAdam, Optimizer, RMSprop
from chainrule.parameters import Parameters

ROWS = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, dampening=0.5),
    SGD(0.1, momentum=0.9, nesterov=True),
    RMSprop(0.1),
    RMSprop(0.1, rho=0.9, momentum=0.5, epsilon=1e-3),
    Adagrad(0.1),
    Adagrad(0.1, initial_accumulator=0.5, epsilon=1e-3),
    Adam(0.1),
    Adam(0.1, betas=(0.0, 0.9), epsilon=1e-3),
    AdamW(0.1),
    NAdam(0.1),
    NAdam(0.1, betas=(0.5, 0.9), momentum_decay=0.1),
    Lion(0.1),
    Muon(0.1),
    LARS(0.1, trust_coefficient=0.1),
    LARS(0.1, momentum=0.5, trust_coefficient=2.0, clip_ratio=1.0, weight_decay=0.1),
    LAMB(0.1),
    LAMB(0.1, betas=(0.5, 0.9), epsilon=1e-3, clip_ratio=0.5),
]
SHAPES = {"0.W": (4, 3), "0.b": (3,), "1.W": (3, 5), "1.b": (5,)}


def parameters(dtype: str = "float64", seed: int = 0, shapes: dict[str, tuple[int, ...]] = SHAPES) -> Parameters:
    made = Parameters(shapes, dtype)
    made.vector[:] = np.random.default_rng(seed).standard_normal(made.vector.size).astype("float32")
    return made


def gradients(steps: int, size: int, dtype: str = "float64", seed: int = 1) -> np.ndarray:
    """Numbers that float32 holds: the same in every dtype."""
    return np.random.default_rng(seed).standard_normal((steps, size)).astype("float32").astype(dtype)


def train(optimizer: Optimizer, p: Parameters, steps: int, first: int = 0, total: int | None = None) -> np.ndarray:
    """The vector after these steps, each along a gradient of its own."""
    optimizer.setup(p, total_steps=total)
    for step in range(first, first + steps):
        optimizer.step(p.vector, gradients(1, p.vector.size, p.vector.dtype, step)[0])
    return p.vector


def path(optimizer: Optimizer, along: list[float], start: float = 1.0) -> list[float]:
    """Where one weight comes to, step by step."""
    w, values = np.array([start]), []
    for g in along:
        optimizer.step(w, np.array([g]))
        values.append(float(w[0]))
    return values
