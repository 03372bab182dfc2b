"""C with weights of eight bits loses little, and no sum leaves its 32 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from persistence.c_programs import answers, difference, export


def test_int8_loses_at_most_one_digit_of_360(tmp_path: Path, sanitized: list[str]) -> None:
    digits = cr.data.load_named("digits")
    model = cr.MLP([64, 32, 10], rng=0)
    cr.Trainer(model, "cross_entropy", cr.Adam(3e-3), batch_size=32).fit(digits.x, digits.y, epochs=8, verbose=0)
    one = export(tmp_path, "digits", model, digits.x_test, precision="int8")
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    right = [float(np.mean(z.argmax(axis=1) == digits.y_test)) for z in (one.y, y)]
    assert right[0] > 0.9
    assert right[1] >= right[0] - 0.003
    assert 1e-5 < difference(y, one.y) < 0.2


@pytest.mark.slow
def test_int8_loses_at_most_0_3_points_on_mnist(tmp_path: Path, data_dir: Path, sanitized: list[str]) -> None:
    if not (data_dir / "mnist").is_dir():
        pytest.skip("the folder named by CHAINRULE_DATA holds no mnist")
    mnist = cr.data.load_named("mnist")
    model = cr.MLP([784, 128, 10], rng=0)
    cr.Trainer(model, "cross_entropy", cr.Adam(1e-3), batch_size=128).fit(mnist.x, mnist.y, epochs=3, verbose=0)
    one = export(tmp_path, "mnist", model, mnist.x_test, precision="int8")
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    right = [float(np.mean(z.argmax(axis=1) == mnist.y_test)) for z in (one.y, y)]
    assert right[1] >= right[0] - 0.003


def test_int8_answers_as_float32_in_networks_of_every_layer(tmp_path: Path, sanitized: list[str]) -> None:
    model = cr.Sequential(
        [
            cr.LayerNorm(6),
            cr.Linear(6, 40, "silu"),
            cr.Residual([cr.Linear(40, 40), cr.BatchNorm(40), cr.Residual([cr.Linear(40, 40, "tanh")])]),
            cr.Linear(40, 3),
        ],
        rng=0,
    )
    x = np.random.default_rng(1).normal(size=(20, 6))
    one = export(tmp_path, "net", model, x, precision="int8")
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    assert difference(y, one.y) < 0.05


def test_int8_sums_stay_inside_32_bits_and_rows_of_zeros_are_rows(tmp_path: Path, sanitized: list[str]) -> None:
    width = 5000  # 127 · 32,767 · 5000 is ten times as much as 32 bits hold
    model = cr.Sequential([cr.Linear(width, 3)], rng=0)
    model.layers[0].W[:] = [[1.0, -1.0, 0.0]]
    model.layers[0].b[:] = 0.5
    x = np.stack([np.ones(width), -np.ones(width), np.zeros(width), np.full(width, 1e-35), np.full(width, 3e4)])
    one = export(tmp_path, "wide", model, x, precision="int8", self_test=False)
    ((_, y),) = answers(tmp_path, [one], *sanitized)
    np.testing.assert_allclose(y, one.y, rtol=1e-5)
