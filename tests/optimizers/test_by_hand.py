"""Steps of each rule by hand, and what must not matter to it; Muon's are in test_muon.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.optimizers import SGD, Adagrad, Adam, AdamW, Lion, NAdam, Optimizer, RMSprop
from optimizers.rows import path

TINY = 1e-300  # no epsilon to speak of: the arithmetic by hand leaves it out
PAIR = [2.0, -4.0]
QUARTER = (0.5, 0.75)


@pytest.mark.parametrize(
    ("optimizer", "gradients", "values"),
    [
        # 1 − 0.1·2 = 0.8;  0.8 − 0.1·(−4) = 1.2
        (SGD(0.1), PAIR, [0.8, 1.2]),
        # v = 2, 1 − 0.2 = 0.8;  v = 0.5·2 − 4 = −3, 0.8 + 0.3 = 1.1
        (SGD(0.1, momentum=0.5), PAIR, [0.8, 1.1]),
        # v = 0.5·2 = 1, 1 − 0.1 = 0.9;  v = 0.5·1 + 0.5·(−4) = −1.5, 0.9 + 0.15 = 1.05
        (SGD(0.1, momentum=0.5, dampening=0.5), PAIR, [0.9, 1.05]),
        # v = 0.75·2 = 1.5, 0.85;  v = 0.5·1.5 − 0.75·4 = −2.25, 0.85 + 0.225 = 1.075
        (SGD(0.1, momentum=0.5, dampening=0.25), PAIR, [0.85, 1.075]),
        # v = 2, g + 0.5 v = 3, 0.7;  v = −3, g + 0.5 v = −5.5, 0.7 + 0.55 = 1.25
        (SGD(0.1, momentum=0.5, nesterov=True), PAIR, [0.7, 1.25]),
        # 1·(1 − 0.1·2) − 0.1·2 = 0.6;  0.6·0.8 + 0.4 = 0.88
        (SGD(0.1, weight_decay=2.0), PAIR, [0.6, 0.88]),
        # v = ¼·4² = 4, d = 4/2 = 2, 1 − 0.2;  v = ¾·4 + ¼·(−24)² = 147, d = −24/√147, 0.8 + 2.4/√147
        (RMSprop(0.1, rho=0.75, epsilon=TINY), [4.0, -24.0], [0.8, 0.8 + 2.4 / 147**0.5]),
        # epsilon stands outside the root: d = 4/(2 + 6) = ½
        (RMSprop(0.1, rho=0.75, epsilon=6.0), [4.0], [0.95]),
        # d = 2, b = 2, 0.8;  v = ¾·4 + ¼·52 = 16, d = √52/4, b = 1 + √52/4, 0.8 − 0.1 − 0.1·√52/4
        (RMSprop(0.1, 0.75, momentum=0.5, epsilon=TINY), [4.0, 52**0.5], [0.8, 0.7 - 0.025 * 52**0.5]),
        # v = 9, 3/3;  v = 25, 4/5;  v = 169, −12/13
        (Adagrad(0.1, epsilon=TINY), [3.0, 4.0, -12.0], [0.9, 0.82, 0.82 + 0.1 * 12 / 13]),
        # v = 16 + 9, 3/(5 + 1)
        (Adagrad(0.1, initial_accumulator=16.0, epsilon=1.0), [3.0], [0.95]),
        # m̂ = 2, v̂ = 4, 2/2;  m = ½·1 − ½·4 = −1.5, m̂ = −1.5/¾ = −2;  v = ¾·1 + ¼·16 = 4.75, v̂ = 4.75/(1 − 9/16) = 76/7
        (Adam(0.1, QUARTER, TINY), PAIR, [0.9, 0.9 + 0.2 / (76 / 7) ** 0.5]),
        # epsilon stands outside the root and after the correction: 2/(2 + 2)
        (Adam(0.1, QUARTER, 2.0), [2.0], [0.95]),
        # decay first, on the old w: 1·(1 − 0.1·½) − 0.1 = 0.85;  0.85·0.95 + 0.2/√(76/7)
        (AdamW(0.1, QUARTER, TINY, weight_decay=0.5), PAIR, [0.85, 0.85 * 0.95 + 0.2 / (76 / 7) ** 0.5]),
        # ψ = 0: μ = ½·½ = ¼ always, Π₁ = ¼, Π₂ = 1/16.  m = 1, v̂ = 4;  (2·(¾)/(¾) + 1·(¼)/(15/16))/2 = 1 + 2/15
        (NAdam(0.1, QUARTER, TINY, momentum_decay=0.0), [2.0], [1 - 0.1 * (1 + 2 / 15)]),
        # 0.96^ψ = ½: μ = ⅜, 7/16, Π = ⅜, 21/128.  m = 1, v̂ = 4;  (2 + 1·(7/16)/(107/128))/(2 + 2) = (2 + 56/107)/4
        (NAdam(0.1, QUARTER, 2.0, momentum_decay=math.log(0.5, 0.96)), [2.0], [1 - 0.025 * (2 + 56 / 107)]),
        # ψ = 0 and ε = 2: (2 + 4/15)/(2 + 2); then g = −4, m = −1.5, v̂ = 76/7, Π₃ = 1/64
        # (−4·¾/(15/16) − 1.5·¼/(63/64))/(√(76/7) + 2) = −(3.2 + 8/21)/(√(76/7) + 2)
        (
            NAdam(0.1, QUARTER, 2.0, momentum_decay=0.0),
            PAIR,
            [1 - 0.025 * (2 + 4 / 15), 1 - 0.025 * (2 + 4 / 15) + 0.1 * (3.2 + 8 / 21) / ((76 / 7) ** 0.5 + 2)],
        ),
        # ½·0 + ½·4 > 0, m = ¼·4 = 1;  ½·1 − ½·3 < 0, m = ¾·1 − ¼·3 = 0;  then nothing
        (Lion(0.1, QUARTER), [4.0, -3.0, 0.0], [0.9, 1.0, 1.0]),
        # m = 1;  0.9·1 − 0.1·1 > 0, so w keeps falling;  0.9·0.8 − 1 < 0, so it turns
        (Lion(1.0, betas=(0.9, 0.9)), [10.0, -1.0, -10.0], [0.0, -1.0, 0.0]),
        # 1·(1 − 0.1·½) + 0.1
        (Lion(0.1, weight_decay=0.5), [-7.0], [1.05]),
    ],
)
def test_steps_by_hand(optimizer: Optimizer, gradients: list[float], values: list[float]) -> None:
    optimizer.state = {}
    assert path(optimizer, gradients) == pytest.approx(values, rel=1e-12)


def test_lion_remembers_a_mean_of_its_own() -> None:
    lion = Lion(0.1, betas=QUARTER)
    for g, mean in ((4.0, 1.0), (-3.0, 0.0), (8.0, 2.0)):
        lion.step(np.zeros(1), np.array([g]))
        assert lion.state["mean"] == pytest.approx([mean])


def test_a_steady_gradient_is_magnified_by_momentum_and_kept_by_dampening() -> None:
    heavy, mean = SGD(0.01, momentum=0.9), SGD(0.01, momentum=0.9, dampening=0.9)
    a, b = path(heavy, [1.0] * 400), path(mean, [1.0] * 400)
    assert a[-2] - a[-1] == pytest.approx(0.01 / (1 - 0.9), rel=1e-9)
    assert b[-2] - b[-1] == pytest.approx(0.01, rel=1e-9)


@pytest.mark.parametrize("make", [Adam, Adagrad, partial(AdamW, weight_decay=0.0), Lion])
def test_the_first_step_is_as_wide_as_the_rate_in_the_direction_of_the_sign(make: Callable[[float], Optimizer]) -> None:
    w = np.zeros(4)
    make(0.1).step(w, np.array([3.0, -1e4, 1e-2, 0.0]))
    np.testing.assert_allclose(w, [-0.1, 0.1, -0.1, 0.0], rtol=1e-5)


def test_every_parameter_moves_by_lions_rate_or_not_at_all(rng: np.random.Generator) -> None:
    w, g = np.zeros(1000), rng.standard_normal(1000) * 10.0 ** rng.integers(-6, 6, 1000)
    g[::10] = 0.0
    Lion(0.25).step(w, g)
    np.testing.assert_array_equal(w, -0.25 * np.sign(g))


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("make", [Adam, NAdam, RMSprop, Adagrad])
def test_the_scale_of_the_gradient_does_not_matter(make: type[Optimizer], scale: float, seed: int) -> None:
    plain, scaled = np.zeros(3), np.zeros(3)
    one, other = (make(0.1, epsilon=TINY) for _ in range(2))
    for g in np.random.default_rng(seed).standard_normal((5, 3)):
        one.step(plain, g)
        other.step(scaled, scale * g)
    np.testing.assert_allclose(scaled, plain, rtol=1e-9)


def test_nadam_without_mean_is_rmsprop_with_its_start_corrected() -> None:
    """β₁ = 0 leaves no momentum: d = g/√v̂, as Adam with β₁ = 0."""
    gradients = [2.0, -4.0, 1.0]
    assert path(NAdam(0.1, (0.0, 0.75)), gradients) == pytest.approx(path(Adam(0.1, (0.0, 0.75)), gradients), rel=1e-12)


def test_adamw_decays_by_default_and_adam_does_not() -> None:
    assert (AdamW().weight_decay, Adam().weight_decay) == (0.01, 0.0)


def test_adam_survives_gradients_of_zero_in_float32() -> None:
    w, adam = np.ones(3, np.float32), Adam()
    for _ in range(3):
        adam.step(w, np.zeros(3, np.float32))
    np.testing.assert_array_equal(w, 1)
