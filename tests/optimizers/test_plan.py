"""Many steps planned at once."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.optimizers import SGD, Adam, Optimizer
from chainrule.parameters import Parameters
from chainrule.schedules import FlatCos, StepDecay, WarmupCosine


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
