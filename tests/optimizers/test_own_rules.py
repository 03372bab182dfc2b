"""Custom rules: what they must define, what they receive, and when a parent's kernel still computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.optimizers import LAMB, SGD, Adam, AdamW, Muon, NAdam, Optimizer
from chainrule.optimizers.rule import rule_kernel
from chainrule.schedules import StepDecay
from optimizers.rows import parameters, train


class Downhill(Optimizer):
    """d = g, and nothing remembered."""

    def direction(self, g: np.ndarray, state: Any, scratch: Any, coefficients: tuple[float, ...]) -> np.ndarray:
        return g


def test_a_custom_rule_needs_only_its_direction() -> None:
    ours, theirs = parameters(), parameters()
    options = {"weight_decay": 0.1, "clip_norm": 0.5, "groups": {"*.b": {"weight_decay_factor": 0.0}}}
    train(Downhill(0.3, **options), ours, steps=3)
    train(SGD(0.3, **options), theirs, steps=3)
    np.testing.assert_allclose(ours.vector, theirs.vector, rtol=1e-13)
    with pytest.raises(TypeError, match="abstract"):
        Optimizer()


class Noting(Downhill):
    """Remembers an array, and notes what it receives."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.received: list[tuple[int, float]] = []
        self.asked = self.blocks = 0

    def slots(self) -> dict[str, float]:
        self.asked += 1
        return {"mean": 0.0}

    def coefficients(self, t: int, rate: float) -> tuple[float, ...]:
        self.received.append((t, rate))
        return t, rate

    def direction(self, g: np.ndarray, state: Any, scratch: Any, coefficients: tuple[float, ...]) -> np.ndarray:
        assert coefficients == self.received[-1]
        assert {name: array.shape for name, array in state.items()} == {"mean": g.shape}
        assert [array.shape for array in scratch] == [g.shape] * 2
        self.blocks += 1
        return g


def test_a_rule_receives_the_step_and_its_rate() -> None:
    noting = Noting(StepDecay(0.8, factor=0.5, every=1))
    for _ in range(3):
        noting.step(np.ones(2), np.ones(2))
    assert noting.received == [(1, 0.8), (2, 0.4), (3, 0.2)]


def test_the_slots_are_asked_for_once_in_a_step() -> None:
    noting = Noting()
    noting.step(np.ones(100_000), np.ones(100_000))
    assert noting.blocks > 1
    assert noting.asked == len(noting.received) == 1
    noting.step(np.ones(100_000), np.ones(100_000))
    assert noting.asked == 2


class Still(Adam):
    """Remembers as Adam does, and moves nothing."""

    def direction(self, g, state, scratch, coefficients):
        return np.multiply(g, 0.0, out=scratch[0])


class Eager(Adam):
    """Adam's rule with other numbers."""

    def coefficients(self, t, rate):
        return 1.0, 1.0, 1.0, 1e-12


class Head(Adam):
    """Another state, Adam's rule."""

    def slots(self):
        return {"mean": 1.0, "square": 1.0}


class Counting(Adam):
    """Adam's rule in a step of its own."""

    def step(self, vector, gradient):
        super().step(vector, gradient)


class Named(Adam):
    """Adam under another name."""


class Both(Named, Still):
    """Python takes Still's direction."""


class Own(Still):
    """Still, which says that a kernel computes the same."""

    kernel = "adam"


@pytest.mark.parametrize(
    ("made", "kernel"),
    [
        (Adam, "adam"),
        (AdamW, "adam"),
        (NAdam, "nadam"),
        (Muon, None),
        (LAMB, None),
        (Still, None),
        (Eager, "adam"),
        (Head, None),
        (Counting, None),
        (Named, "adam"),
        (Both, None),
        (Own, "adam"),
    ],
)
def test_a_rule_that_is_changed_has_no_compiled_form(made: type[Optimizer], kernel: str | None) -> None:
    assert rule_kernel(made()) == kernel


@pytest.mark.parametrize("made", [Still, Both])
def test_a_custom_direction_is_followed(made: type[Optimizer]) -> None:
    w = np.ones(40, np.float32)
    made(0.1).step(w, np.ones_like(w))
    np.testing.assert_array_equal(w, 1)


def test_custom_slots_are_used() -> None:
    w, head = np.zeros(1), Head(1.0, betas=(0.5, 0.75), epsilon=1e-300)
    head.step(w, np.array([3.0]))  # m = ½ + 3/2 = 2, m̂ = 4;  v = ¾ + 9/4 = 3, v̂ = 12
    assert w[0] == pytest.approx(-4 / 12**0.5, rel=1e-12)


def test_custom_coefficients_are_used() -> None:
    w = np.zeros(40)
    Eager(0.5).step(w, np.linspace(1, 2, 40))
    np.testing.assert_allclose(w, -0.5, rtol=1e-9)
