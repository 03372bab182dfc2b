"""Every optimizer finds the bottom of a bowl and of Rosenbrock's banana valley."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from chainrule.optimizers import (
    LAMB,
    LARS,
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    Muon,
    NAdam,
    Optimizer,
    RMSprop,
)
from chainrule.parameters import Parameters
from chainrule.schedules import WarmupCosine


def falling(rate: float) -> WarmupCosine:
    """Down to nothing: the optimizers that normalise their steps settle only as the rate vanishes."""
    return WarmupCosine(rate)


BOWL = [
    SGD(0.05),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, dampening=0.9),
    SGD(0.05, momentum=0.9, nesterov=True),
    RMSprop(falling(0.05)),
    Adagrad(1.0),
    Adam(falling(0.1)),
    AdamW(falling(0.1), weight_decay=0.0),
    NAdam(falling(0.1)),
    Lion(falling(0.05)),
    Muon(falling(0.2), weight_decay=0.0),
    LARS(falling(0.1), momentum=0.5, trust_coefficient=0.1),
    LAMB(falling(0.05), weight_decay=0.0),
]

VALLEY = [
    SGD(1e-3),
    SGD(5e-4, momentum=0.9),
    SGD(5e-4, momentum=0.9, nesterov=True),
    RMSprop(falling(0.01)),
    Adagrad(0.5),
    Adam(falling(0.05)),
    AdamW(falling(0.05), weight_decay=0.0),
    NAdam(falling(0.05)),
    Lion(falling(0.01)),
    Muon(falling(0.05), weight_decay=0.0),
    LARS(falling(0.05), trust_coefficient=0.1),
    LAMB(falling(0.05), weight_decay=0.0),
]


def test_every_optimizer_has_a_row_in_both() -> None:
    assert {type(row) for row in BOWL} == {type(row) for row in VALLEY} == set(OPTIMIZERS.values())


def descend(optimizer: Optimizer, parameters: Parameters, gradient, steps: int) -> None:
    optimizer = copy.deepcopy(optimizer)
    optimizer.setup(parameters, total_steps=steps)
    for _ in range(steps):
        optimizer.step(parameters.vector, gradient(parameters.vector))


@pytest.mark.parametrize("optimizer", BOWL, ids=repr)
def test_bottom_of_a_bowl(optimizer: Optimizer) -> None:
    """½ Σ aₖ (wₖ − cₖ)², with a from ½ to 4, at w = c."""
    parameters = Parameters({"0.W": (2, 2), "0.b": (2,)}, "float64")
    a, c = np.linspace(0.5, 4, 6), np.array([1.0, -2.0, 0.5, 3.0, -1.0, 2.0])
    descend(optimizer, parameters, lambda w: a * (w - c), steps=1000)
    np.testing.assert_allclose(parameters.vector, c, atol=1e-3)


@pytest.mark.parametrize("optimizer", VALLEY, ids=repr)
def test_bottom_of_rosenbrocks_valley(optimizer: Optimizer) -> None:
    """(1 − x)² + 100 (y − x²)², from (−1.2, 1), at (1, 1)."""
    parameters = Parameters({"0.W": (1, 2)}, "float64")
    parameters.vector[:] = -1.2, 1.0

    def gradient(w: np.ndarray) -> np.ndarray:
        x, y = w
        return np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])

    descend(optimizer, parameters, gradient, steps=20_000 if isinstance(optimizer, SGD) else 6_000)
    np.testing.assert_allclose(parameters.vector, 1.0, atol=0.02)
