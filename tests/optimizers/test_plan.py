"""Many steps planned at once, and who has a compiled rule."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from chainrule.optimizers import SGD, Adagrad, Adam, AdamW, Lion, Muon, NAdam, Optimizer, RMSprop
from chainrule.parameters import Parameters
from chainrule.schedules import FlatCos, StepDecay, WarmupCosine

ROWS = [
    SGD(0.1, momentum=0.9, nesterov=True),
    RMSprop(0.1, momentum=0.5),
    Adagrad(0.1),
    Adam(0.1),
    AdamW(0.1),
    NAdam(0.1),
    Lion(0.1),
    Muon(0.1),
]


@pytest.fixture(params=ROWS, ids=repr)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return copy.deepcopy(request.param)


def test_a_plan_holds_rate_shrink_and_coefficients_of_the_steps_to_come(optimizer: Optimizer) -> None:
    optimizer.learning_rate = WarmupCosine(0.5, warmup=2)
    optimizer.weight_decay = StepDecay(0.4, factor=0.5, every=1)
    p = Parameters({"0.W": (2, 3)}, "float64")
    optimizer.setup(p, total_steps=9)
    optimizer.step(p.vector, np.ones(6))
    before = {name: array.copy() for name, array in optimizer.state.items()}
    plan = optimizer.plan(8)
    assert (plan.shape, plan.dtype) == ((8, 2 + len(optimizer.coefficients(1, 0.1))), np.float64)
    for step, (rate, shrink, *numbers) in enumerate(plan.tolist(), start=1):
        assert rate == optimizer.learning_rate(step, 9)
        assert shrink == pytest.approx(rate * 0.4 * 0.5**step, rel=1e-15)
        coefficients = [*optimizer.coefficients(step + 1, rate)]
        assert numbers == coefficients
    for name, array in optimizer.state.items():
        np.testing.assert_array_equal(array, before[name])


def test_a_plan_begins_where_the_steps_have_come_to() -> None:
    p, sgd = Parameters({"w": (2,)}), SGD(lambda step, total: float(step))
    sgd.setup(p)
    assert sgd.plan(2)[:, 0].tolist() == [0, 1]
    sgd.prepare(p.vector)
    sgd.state["step"] += 5
    assert sgd.plan(2)[:, 0].tolist() == [5, 6]
    assert sgd.current_learning_rate == 5
    sgd.step(p.vector, p.vector)
    assert int(sgd.state["step"]) == 6
    assert sgd.state["step"].shape == ()


def test_a_plan_of_nothing_is_empty(optimizer: Optimizer) -> None:
    assert len(optimizer.plan(0)) == 0


def test_planning_fails_as_stepping_does() -> None:
    with pytest.raises(ValueError, match=r"FlatCos expects total_steps.*optimizer\.setup"):
        Adam(FlatCos(0.1)).plan(3)
    with pytest.raises(ValueError, match="SGD at step 2 expects learning_rate >= 0, got -1"):
        SGD(lambda step, total: 1 - step).plan(3)


def test_preparing_creates_the_state_once(optimizer: Optimizer) -> None:
    p = Parameters({"0.W": (2, 3), "0.b": (3,)})
    optimizer.setup(p)
    arrays, runs = optimizer.prepare(p.vector)
    assert runs == [(0, 9, 1.0, 1.0)]
    assert [*optimizer.state] == [*optimizer.slots(), "step"]
    assert all(array is optimizer.state[name] for array, name in zip(arrays, optimizer.slots(), strict=True))
    assert int(optimizer.state["step"]) == 0
    again, _ = optimizer.prepare(p.vector)
    assert all(one is other for one, other in zip(arrays, again, strict=True))


@pytest.mark.parametrize(
    ("vector", "says"),
    [(np.ones(3), "Adam.prepare expects the vector of the 2 parameters"), (np.ones(2, int), "float32 or float64")],
)
def test_preparing_checks_the_vector(vector: np.ndarray, says: str) -> None:
    adam = Adam()
    adam.setup(Parameters({"w": (2,)}))
    with pytest.raises((TypeError, ValueError), match=says):
        adam.prepare(vector)
    assert adam.state == {}


def test_runs_carry_the_factors_of_their_group() -> None:
    groups = {"*.b": {"weight_decay_factor": 0.0}, "1.*": {"learning_rate_factor": 0.5, "weight_decay_factor": 3.0}}
    p = Parameters({"0.W": (2, 3), "0.b": (3,), "1.W": (3, 1), "1.gain": (4,)})
    sgd = SGD(groups=groups)
    sgd.setup(p)
    assert sgd.prepare(p.vector)[1] == [(0, 6, 1.0, 1.0), (6, 9, 1.0, 0.0), (9, 16, 0.5, 1.5)]


# Rules of one's own


class Still(Adam):
    """Remembers as Adam does, and moves nothing."""

    def direction(self, t, rate, g, d, s, *slots):
        return np.multiply(g, 0.0, out=d)


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
    """Still, and says that a kernel computes what it does."""

    kernel = "adam"


@pytest.mark.parametrize(
    ("made", "kernel"),
    [
        (Optimizer, None),
        (Adam, "adam"),
        (AdamW, "adam"),
        (NAdam, "nadam"),
        (Muon, None),
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
    assert made.kernel == kernel


@pytest.mark.parametrize("made", [Still, Both])
def test_a_direction_of_ones_own_is_followed(made: type[Optimizer]) -> None:
    w = np.ones(40, np.float32)
    made(0.1).step(w, np.ones_like(w))
    np.testing.assert_array_equal(w, 1)


def test_slots_of_ones_own_are_respected() -> None:
    w, head = np.zeros(1), Head(1.0, betas=(0.5, 0.75), epsilon=1e-300)
    head.step(w, np.array([3.0]))  # m = ½ + 3/2 = 2, m̂ = 4;  v = ¾ + 9/4 = 3, v̂ = 12
    assert w[0] == pytest.approx(-4 / 12**0.5, rel=1e-12)


def test_coefficients_of_ones_own_are_used() -> None:
    w = np.zeros(40)
    Eager(0.5).step(w, np.linspace(1, 2, 40))
    np.testing.assert_allclose(w, -0.5, rtol=1e-9)
