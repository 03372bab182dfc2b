"""SGD by hand."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.optimizers import SGD


def path(optimizer: SGD, gradients: list[float]) -> list[float]:
    """From w = 1."""
    w = np.array([1.0])
    values = []
    for g in gradients:
        optimizer.step(w, np.array([g]))
        values.append(float(w[0]))
    return values


@pytest.mark.parametrize(
    ("optimizer", "values"),
    [
        # 1 − 0.1·2 = 0.8;  0.8 − 0.1·(−4) = 1.2
        (SGD(0.1), [0.8, 1.2]),
        # v = 2, 1 − 0.2 = 0.8;  v = 0.5·2 − 4 = −3, 0.8 + 0.3 = 1.1
        (SGD(0.1, momentum=0.5), [0.8, 1.1]),
        # v = 0.5·2 = 1, 1 − 0.1 = 0.9;  v = 0.5·1 + 0.5·(−4) = −1.5, 0.9 + 0.15 = 1.05
        (SGD(0.1, momentum=0.5, dampening=0.5), [0.9, 1.05]),
        # v = 0.75·2 = 1.5, 0.85;  v = 0.5·1.5 − 0.75·4 = −2.25, 0.85 + 0.225 = 1.075
        (SGD(0.1, momentum=0.5, dampening=0.25), [0.85, 1.075]),
        # v = 2, g + 0.5 v = 3, 0.7;  v = −3, g + 0.5 v = −5.5, 0.7 + 0.55 = 1.25
        (SGD(0.1, momentum=0.5, nesterov=True), [0.7, 1.25]),
        # 1·(1 − 0.1·2) − 0.1·2 = 0.6;  0.6·0.8 + 0.4 = 0.88
        (SGD(0.1, weight_decay=2.0), [0.6, 0.88]),
    ],
    ids=repr,
)
def test_two_steps_by_hand(optimizer: SGD, values: list[float]) -> None:
    assert path(optimizer, [2.0, -4.0]) == pytest.approx(values, rel=1e-12)


def test_a_steady_gradient_is_magnified_by_momentum_and_kept_by_dampening() -> None:
    heavy, mean = SGD(0.01, momentum=0.9), SGD(0.01, momentum=0.9, dampening=0.9)
    a, b = path(heavy, [1.0] * 400), path(mean, [1.0] * 400)
    assert a[-2] - a[-1] == pytest.approx(0.01 / (1 - 0.9), rel=1e-9)
    assert b[-2] - b[-1] == pytest.approx(0.01, rel=1e-9)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.5}])
def test_nesterov_needs_momentum_without_dampening(options: dict[str, float]) -> None:
    with pytest.raises(
        ValueError, match=r"SGD\(nesterov=True\) expects momentum above 0 and no dampening, got momentum="
    ):
        SGD(nesterov=True, **options)


def test_without_momentum_nothing_is_remembered() -> None:
    sgd = SGD()
    sgd.step(np.ones(3), np.ones(3))
    assert list(sgd.state) == ["step"]
