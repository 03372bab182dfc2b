"""Lion by hand."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.optimizers import Lion


def test_three_steps_by_hand() -> None:
    """β₁ = ½, β₂ = ¾.

    g = 4:   ½·0 + ½·4 > 0, w = 0.9;    m = ¼·4 = 1
    g = −3:  ½·1 − ½·3 < 0, w = 1.0;    m = ¾·1 − ¼·3 = 0
    g = 0:   0, w = 1.0;                m = 0
    """
    w, lion, values = np.array([1.0]), Lion(0.1, betas=(0.5, 0.75)), []
    for g in (4.0, -3.0, 0.0):
        lion.step(w, np.array([g]))
        values.append((float(w[0]), float(lion.state["mean"][0])))
    assert values == [pytest.approx((0.9, 1.0)), pytest.approx((1.0, 0.0)), pytest.approx((1.0, 0.0))]


def test_the_mean_outvotes_a_small_gradient() -> None:
    """g = 10: m = 1.  g = −1: 0.9·1 − 0.1·1 > 0, so w goes on falling; g = −10: 0.9·0.8 − 1 < 0, so it turns."""
    w, lion = np.array([0.0]), Lion(1.0, betas=(0.9, 0.9))
    path = []
    for g in (10.0, -1.0, -10.0):
        lion.step(w, np.array([g]))
        path.append(float(w[0]))
    assert path == [-1.0, -2.0, -1.0]


def test_every_parameter_moves_by_the_rate_or_not_at_all(rng: np.random.Generator) -> None:
    w = np.zeros(1000)
    g = rng.standard_normal(1000) * 10.0 ** rng.integers(-6, 6, 1000)
    g[::10] = 0.0
    Lion(0.25).step(w, g)
    np.testing.assert_array_equal(w, -0.25 * np.sign(g))


def test_decay_is_added_to_the_sign() -> None:
    w = np.array([2.0])
    Lion(0.1, weight_decay=0.5).step(w, np.array([-7.0]))
    np.testing.assert_allclose(w, 2 - 0.1 * (-1 + 0.5 * 2))
