"""Schedules against closed forms; PyTorch's schedulers are in tests/pytorch."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.schedules import (
    Constant,
    CosLog4,
    Exponential,
    FlatCos,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    WarmupCosine,
)

FITTED = [WarmupCosine(0.3), WarmupCosine(0.3, warmup=0.2, final=0.1), OneCycle(0.3), CosLog4(0.3), FlatCos(0.3)]
ENDLESS = [Constant(0.3), StepDecay(0.3), Exponential(0.3, 0.9), InverseScaling(0.3), ReduceOnPlateau(0.3)]


@given(step=st.integers(0, 5000), total=st.integers(1, 4000))
@pytest.mark.parametrize("schedule", FITTED + ENDLESS, ids=repr)
def test_every_rate_is_a_float_between_zero_and_the_rate(schedule: Schedule, step: int, total: int) -> None:
    rate = schedule(step, total)
    assert type(rate) is float
    assert 0 <= rate <= 0.3 * (1 + 1e-12)


@pytest.mark.parametrize("schedule", ENDLESS, ids=repr)
def test_the_endless_ones_need_no_total(schedule: Schedule) -> None:
    assert schedule(0, None) == 0.3


@pytest.mark.parametrize("schedule", FITTED, ids=repr)
def test_the_fitted_ones_say_how_to_give_the_total(schedule: Schedule) -> None:
    name = type(schedule).__name__
    with pytest.raises(ValueError, match=rf"{name} expects total_steps.*Trainer.fit.*optimizer.setup\(parameters, tot"):
        schedule(0, None)


@pytest.mark.parametrize("schedule", FITTED, ids=repr)
def test_a_step_past_the_end_takes_the_rate_of_the_end(schedule: Schedule) -> None:
    assert schedule(101, 100) == schedule(100, 100) == schedule(10**6, 100)


@pytest.mark.parametrize("schedule", [*FITTED, *ENDLESS[:-1]], ids=repr)
def test_a_schedule_cannot_be_changed(schedule: Schedule) -> None:
    with pytest.raises(FrozenInstanceError):
        schedule.rate = 1.0


@given(step=st.integers(0, 10**6))
def test_step_decay_multiplies_by_the_factor_after_each_period(step: int) -> None:
    schedule = StepDecay(0.3, factor=0.5, every=70_000)
    assert schedule(step + 70_000, None) == 0.5 * schedule(step, None)
    assert schedule(step - step % 70_000, None) == schedule(step, None)


@given(step=st.integers(0, 10**4), ahead=st.integers(0, 10**4))
def test_exponential_depends_on_the_distance_alone(step: int, ahead: int) -> None:
    schedule = Exponential(0.3, decay=0.9, every=500)
    ratio = schedule(step + ahead, None) / schedule(step, None)
    assert ratio == pytest.approx(math.exp(math.log(0.9) * ahead / 500), rel=1e-12)


def test_inverse_scaling_is_a_straight_line_in_logarithms() -> None:
    schedule = InverseScaling(0.3, power=0.7)
    slope = (math.log(schedule(9999, None)) - math.log(schedule(99, None))) / (math.log(10_000) - math.log(100))
    assert slope == pytest.approx(-0.7, rel=1e-12)


def test_warmup_climbs_by_equal_steps_and_never_starts_at_zero() -> None:
    schedule = WarmupCosine(0.5, warmup=5)
    assert [schedule(step, 100) for step in range(5)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_warmup_as_a_share_is_the_same_as_in_steps() -> None:
    share, steps = WarmupCosine(0.5, warmup=0.1), WarmupCosine(0.5, warmup=20)
    assert [share(step, 200) for step in range(201)] == [steps(step, 200) for step in range(201)]


def test_a_warmup_longer_than_training_only_climbs() -> None:
    schedule = WarmupCosine(0.5, warmup=10)
    assert [schedule(step, 4) for step in range(4)] == pytest.approx([0.05, 0.1, 0.15, 0.2])


def test_warmup_cosine_is_half_way_down_in_the_middle_and_ends_at_final() -> None:
    schedule = WarmupCosine(0.5, warmup=20, final=0.1)
    assert schedule(20, 100) == 0.5
    assert schedule(60, 100) == pytest.approx(0.3, rel=1e-15)
    assert schedule(100, 100) == 0.1


@given(total=st.integers(4, 400))
def test_one_cycle_starts_peaks_and_ends_where_it_says(total: int) -> None:
    schedule = OneCycle(1.0, warmup=0.5, initial_divisor=10, final_divisor=100)
    rates = [schedule(step, 2 * total) for step in range(2 * total)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[total - 1] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.001)
    assert rates[:total] == sorted(rates[:total])
    assert rates[total - 1 :] == sorted(rates[total - 1 :], reverse=True)


@pytest.mark.parametrize("total", [1, 2, 3, 4])
@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.5, 0.99])
def test_one_cycle_survives_trainings_of_a_few_steps(total: int, warmup: float) -> None:
    rates = [OneCycle(1.0, warmup=warmup)(step, total) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)


@pytest.mark.parametrize("k", range(5))
def test_coslog4_is_zero_between_its_four_cycles(k: int) -> None:
    assert CosLog4(1.0)(2**k - 1, 15) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("k", range(4))
def test_coslog4_reaches_the_rate_at_the_geometric_middle_of_each_cycle(k: int) -> None:
    nearest = round((2 ** (k + 0.5) - 1) / 15 * 10**7)
    assert CosLog4(0.7)(nearest, 10**7) == pytest.approx(0.7, rel=1e-9)


def test_flat_cos_is_flat_and_then_symmetric() -> None:
    schedule = FlatCos(0.7)
    assert {schedule(step, 1000) for step in range(501)} == {0.7}
    sums = [schedule(750 - k, 1000) + schedule(750 + k, 1000) for k in range(251)]
    assert sums == pytest.approx([0.7] * 251)
    assert schedule(1000, 1000) == pytest.approx(0.0, abs=1e-15)


def test_plateau_waits_for_patience_then_cuts_and_waits_again() -> None:
    schedule = ReduceOnPlateau(1.0, factor=0.5, patience=2)
    rates = []
    for loss in [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 2.0, 2.0]:
        schedule.observe(loss)
        rates.append(schedule(0, None))
    assert rates == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


def test_plateau_stops_at_the_minimum_and_never_rises_to_it() -> None:
    low = ReduceOnPlateau(1.0, factor=0.1, patience=0, minimum=0.05)
    high = ReduceOnPlateau(0.01, factor=0.1, patience=0, minimum=0.05)
    for _ in range(5):
        low.observe(1.0)
        high.observe(1.0)
    assert (low(0), high(0)) == (0.05, 0.01)


@pytest.mark.parametrize(("second", "cut"), [(0.95, True), (0.85, False)])
def test_plateau_asks_for_a_relative_improvement(second: float, cut: bool) -> None:
    schedule = ReduceOnPlateau(1.0, patience=0, threshold=0.1)
    schedule.observe(1.0)
    schedule.observe(second)
    assert (schedule(0) < 1) is cut


@pytest.mark.parametrize(("second", "cut"), [(-1.0, True), (-1.05, True), (-1.15, False)])
def test_plateau_asks_for_a_lower_loss_below_zero_too(second: float, cut: bool) -> None:
    schedule = ReduceOnPlateau(1.0, patience=0, threshold=0.1)
    schedule.observe(-1.0)
    schedule.observe(second)
    assert (schedule(0) < 1) is cut


def test_plateau_takes_an_equal_loss_for_no_improvement() -> None:
    schedule = ReduceOnPlateau(1.0, patience=0, threshold=0.0)
    schedule.observe(2.0)
    schedule.observe(2.0)
    assert schedule(0) == 0.1


def test_plateau_takes_a_nan_loss_for_no_improvement() -> None:
    schedule = ReduceOnPlateau(1.0, patience=0)
    schedule.observe(math.nan)
    assert schedule(0) == 0.1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Constant(-1.0), "Constant expects rate >= 0, got -1.0"),
        (lambda: StepDecay(0.1, factor=0.0), "StepDecay expects factor > 0"),
        (lambda: StepDecay(0.1, every=0), "StepDecay expects every >= 1"),
        (lambda: Exponential(0.1, decay=-0.5), "Exponential expects decay > 0"),
        (lambda: Exponential(0.1, decay=0.5, every=0), "Exponential expects every >= 1"),
        (lambda: InverseScaling(0.1, power=-1), "InverseScaling expects power >= 0"),
        (lambda: WarmupCosine(0.1, warmup=-0.1), "WarmupCosine expects warmup >= 0"),
        (lambda: WarmupCosine(0.1, warmup=99.5), "WarmupCosine expects warmup as a share.*got 99.5; write warmup=100"),
        (lambda: WarmupCosine(0.1, final=-1.0), "WarmupCosine expects final >= 0"),
        (lambda: OneCycle(0.1, warmup=1.0), "OneCycle expects warmup >= 0 and < 1"),
        (lambda: OneCycle(0.1, initial_divisor=0.0), "OneCycle expects initial_divisor > 0"),
        (lambda: OneCycle(0.1, final_divisor=0.0), "OneCycle expects final_divisor > 0"),
        (lambda: CosLog4(math.nan), "CosLog4 expects rate"),
        (lambda: FlatCos(math.inf), "FlatCos expects rate"),
        (lambda: FlatCos(0.1)(0, 0), "FlatCos expects total_steps >= 1"),
        (lambda: ReduceOnPlateau(0.1, factor=1.0), "ReduceOnPlateau expects factor > 0 and < 1"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), "ReduceOnPlateau expects patience >= 0"),
        (lambda: ReduceOnPlateau(0.1, minimum=-1), "ReduceOnPlateau expects minimum >= 0"),
        (lambda: ReduceOnPlateau(0.1, threshold=-1), "ReduceOnPlateau expects threshold >= 0"),
    ],
)
def test_a_wrong_value_is_named(make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Constant, {"rate": 0.5}),
        (StepDecay, {"rate": 0.5, "factor": 0.5, "every": 3}),
        (Exponential, {"rate": 0.5, "decay": 0.5, "every": 3}),
        (InverseScaling, {"rate": 0.5, "power": 0.5}),
        (ReduceOnPlateau, {"rate": 0.5, "factor": 0.5, "patience": 3, "minimum": 0.25, "threshold": 0.5}),
        (WarmupCosine, {"rate": 0.5, "warmup": 0.5, "final": 0.25}),
        (WarmupCosine, {"rate": 0.5, "warmup": 3, "final": 0.25}),
        (OneCycle, {"rate": 0.5, "warmup": 0.5, "initial_divisor": 2.0, "final_divisor": 4.0}),
        (CosLog4, {"rate": 0.5}),
        (FlatCos, {"rate": 0.5}),
    ],
)
def test_numbers_of_numpy_are_kept_as_plain_ones(make: type, options: dict[str, float]) -> None:
    made = make(**{name: np.array(value)[()] for name, value in options.items()})
    assert repr(made) == repr(make(**options))
    assert type(made(2, 10)) is float


@pytest.mark.parametrize("total", [1, 2, 5])
def test_one_cycle_without_a_warm_up_begins_at_the_top(total: int) -> None:
    schedule = OneCycle(1.0, warmup=0.0)
    rates = [schedule(step, total) for step in range(total)]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
