"""Losses of the residual: closed forms and corners."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.losses import AbsoluteError, HalfSquaredError, Huber, LogCosh, Loss, SquaredError


@pytest.mark.parametrize(
    ("loss", "r", "value", "slope"),
    [
        (SquaredError(), 3.0, 9.0, 6.0),
        (SquaredError(), -0.5, 0.25, -1.0),
        (HalfSquaredError(), 3.0, 4.5, 3.0),
        (HalfSquaredError(), -0.5, 0.125, -0.5),
        (AbsoluteError(), 3.0, 3.0, 1.0),
        (AbsoluteError(), -0.5, 0.5, -1.0),
        (AbsoluteError(), 0.0, 0.0, 0.0),
        (Huber(), 0.5, 0.125, 0.5),
        (Huber(), -3.0, 2.5, -1.0),
        (Huber(delta=2), 3.0, 4.0, 2.0),
        (Huber(delta=2), 2.0, 2.0, 2.0),
        (LogCosh(), math.log(2), math.log(1.25), 0.6),
        (LogCosh(), -math.log(2), math.log(1.25), -0.6),
        (LogCosh(), 0.0, 0.0, 0.0),
        (LogCosh(), 1e4, 1e4 - math.log(2), 1.0),
        (LogCosh(), 1e-6, 5e-13, 1e-6),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_value_and_the_slope_of_one_residual(loss: Loss, r: float, value: float, slope: float, dtype: type) -> None:
    found, dz = loss(np.array([[r]], dtype), np.zeros((1, 1)))
    rel = 1e-12 if dtype == np.float64 else 1e-6
    assert found == pytest.approx(value, rel=rel, abs=0)
    assert dz[0, 0] == pytest.approx(slope, rel=rel, abs=0)


@pytest.mark.parametrize("loss", [SquaredError(), HalfSquaredError(), AbsoluteError(), Huber(), LogCosh()], ids=repr)
def test_a_residual_is_output_less_target(loss: Loss, rng: np.random.Generator) -> None:
    z, y = rng.normal(size=(2, 4, 3))
    value, dz = loss(z, y)
    swapped, d_swapped = loss(y, z)
    assert value == pytest.approx(swapped, rel=1e-14)
    np.testing.assert_allclose(dz, -d_swapped, rtol=1e-14)
    assert value > 0


@pytest.mark.parametrize("far", [19.999, 20.0, 20.001, 30.0])
def test_log_cosh_meets_its_straight_line(far: float) -> None:
    value, _ = LogCosh()(np.array([[far]]), np.zeros((1, 1)))
    assert value == pytest.approx(math.log(math.cosh(far)), rel=1e-15)


@pytest.mark.parametrize("delta", [0, -1.0, np.inf, np.nan])
def test_huber_wants_a_positive_delta(delta: float) -> None:
    with pytest.raises(ValueError, match="Huber expects delta"):
        Huber(delta=delta)
