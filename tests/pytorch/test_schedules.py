"""Schedules against PyTorch's schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.schedules import (
    Exponential,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    WarmupCosine,
)

torch = pytest.importorskip("torch")
lr = torch.optim.lr_scheduler


def their_optimizer(rate: float) -> Any:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def their_rates(make: Callable[[Any], Any], rate: float, steps: int) -> list[float]:
    optimizer = their_optimizer(rate)
    scheduler = make(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def warmup_then_cosine(optimizer: Any) -> Any:
    climb = lr.LinearLR(optimizer, start_factor=1 / 8, total_iters=7)
    fall = lr.CosineAnnealingLR(optimizer, T_max=42, eta_min=0.01)
    return lr.SequentialLR(optimizer, [climb, fall], milestones=[8])


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")  # PyTorch's own, from its SequentialLR
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (StepDecay(0.2, factor=0.3, every=7), lambda o: lr.StepLR(o, step_size=7, gamma=0.3)),
        (Exponential(0.2, decay=0.93), lambda o: lr.ExponentialLR(o, gamma=0.93)),
        (InverseScaling(0.2, power=0.6), lambda o: lr.LambdaLR(o, lambda k: float(np.reciprocal((k + 1.0) ** 0.6)))),
        (WarmupCosine(0.2), lambda o: lr.CosineAnnealingLR(o, T_max=50)),
        (WarmupCosine(0.2, final=0.05), lambda o: lr.CosineAnnealingLR(o, T_max=50, eta_min=0.05)),
        (WarmupCosine(0.2, warmup=8, final=0.01), warmup_then_cosine),
        (OneCycle(0.2), lambda o: lr.OneCycleLR(o, max_lr=0.2, total_steps=50)),
        (
            OneCycle(0.2, warmup=0.45, initial_divisor=7, final_divisor=90),
            lambda o: lr.OneCycleLR(o, 0.2, total_steps=50, pct_start=0.45, div_factor=7, final_div_factor=90),
        ),
    ],
    ids=lambda one: "theirs" if hasattr(one, "__name__") else repr(one),
)
def test_fifty_rates_agree_with_pytorch(ours: Schedule, theirs: Callable[[Any], Any]) -> None:
    assert [ours(step, 50) for step in range(50)] == pytest.approx(their_rates(theirs, 0.2, 50), rel=1e-12)


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("threshold", [0.0, 1e-4, 0.05])
def test_plateau_agrees_with_pytorch(rng: np.random.Generator, patience: int, threshold: float) -> None:
    losses = np.exp(-np.linspace(0, 3, 60)) + 0.1 * rng.random(60)
    ours = ReduceOnPlateau(0.2, factor=0.5, patience=patience, minimum=1e-3, threshold=threshold)
    optimizer = their_optimizer(0.2)
    theirs = lr.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, min_lr=1e-3, threshold=threshold, eps=0.0)
    rates = []
    for loss in losses:
        ours.observe(float(loss))
        theirs.step(float(loss))
        rates.append((ours(0, None), optimizer.param_groups[0]["lr"]))
    assert [a for a, _ in rates] == pytest.approx([b for _, b in rates], rel=1e-12)
    assert len(set(rates)) > 2
