"""PiecewiseLinear: the look-up gives what the definition with all bins does, and its bins come from quantiles."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr

EDGES = [[-1.0, 0.0, 0.5, 2.0], [0.0, 1.0], [-0.25, 0.25, 0.5]]


def network(edges: Any = EDGES, outputs: int = 4, dtype: str = "float64") -> cr.Sequential:
    model = cr.Sequential([cr.PiecewiseLinear(edges, outputs)], rng=0, dtype=dtype)
    model.layers[0].steps[:] = np.random.default_rng(1).normal(size=model.layers[0].steps.shape)
    return model


def shares(edges: list[float], x: float) -> list[float]:
    """c of one number: how much of each bin lies below it, as the paper defines it."""
    pairs = list(pairwise(edges))
    whole = [(x - low) / (high - low) for low, high in pairs]
    return [
        value if len(whole) == 1 else min(value, 1) if m == 0 else max(value, 0) if m == len(whole) - 1
        else min(max(value, 0), 1)
        for m, value in enumerate(whole)
    ]  # fmt: skip


def by_hand(model: cr.Sequential, x: np.ndarray) -> np.ndarray:
    """The definition, number by number."""
    layer = model.layers[0]
    return np.array([
        [
            value * layer.slope[j, k] + layer.bias[j, k]
            + sum(c * layer.steps[j, m, k] for m, c in enumerate(shares(layer.edges[j], value)))
            for j, value in enumerate(row)
            for k in range(layer.outputs)
        ]
        for row in x
    ])  # fmt: skip


def test_the_look_up_gives_what_the_definition_does(rng: np.random.Generator) -> None:
    model = network()
    at_edges = [[-1.0, 0.0, -0.25], [0.0, 1.0, 0.25], [0.5, 1.0, 0.5], [2.0, 0.5, 9.0], [-9.0, -9.0, -9.0]]
    for x in (rng.normal(0, 2, (50, 3)), np.array(at_edges), np.empty((0, 3))):
        expected = by_hand(model, x).reshape(len(x), 12)
        np.testing.assert_allclose(model.predict(x), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(model.forward(x), expected, rtol=1e-12, atol=1e-12)


def test_it_is_a_dense_layer_on_the_shares_of_the_bins(rng: np.random.Generator) -> None:
    """Trained side by side, both move alike."""
    edges = [-1.0, -0.2, 0.3, 1.0]
    x, y = rng.normal(size=(60, 1)), rng.normal(size=(60, 2))
    looked_up = cr.Sequential([cr.PiecewiseLinear([edges], 3), cr.Linear(3, 2)], rng=0, dtype="float64")
    dense = cr.Sequential([cr.Linear(4, 3), cr.Linear(3, 2)], rng=0, dtype="float64")
    dense.parameters.vector[:] = looked_up.parameters.vector  # steps, slope, bias as W and b
    encoded = np.array([[*shares([float(np.float32(edge)) for edge in edges], value), value] for value in x[:, 0]])
    for model, given in ((looked_up, x), (dense, encoded)):
        cr.Trainer(model, "squared_error", cr.Adam(0.05), batch_size=16, rng=1).fit(given, y, epochs=5, verbose=0)
    np.testing.assert_allclose(looked_up.parameters.vector, dense.parameters.vector, rtol=1e-9, atol=1e-12)


def test_gradients_are_proved(rng: np.random.Generator) -> None:
    model = cr.Sequential([cr.Linear(2, 3), cr.PiecewiseLinear(EDGES, 4), cr.Linear(12, 1)], rng=0)
    model.layers[1].steps[:] = rng.normal(size=model.layers[1].steps.shape)
    check = cr.gradcheck(model, rng.normal(size=(9, 2)), rng.normal(size=(9, 1)), "squared_error")
    assert check.passed
    assert {"1.steps", "1.slope", "1.bias"} <= {row[0] for row in check.rows}


def test_it_begins_with_the_published_values() -> None:
    layer = cr.PiecewiseLinear([[0, 1]] * 4000)
    cr.Sequential([layer], rng=0)
    assert not layer.steps.any()
    for drawn in (layer.slope, layer.bias):
        assert np.abs(drawn).max() == pytest.approx(0.25, rel=1e-2)
        assert drawn.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.05)


def test_it_learns_a_wave_that_a_line_cannot_follow(rng: np.random.Generator) -> None:
    x = rng.uniform(-1, 1, (400, 1))
    losses = []
    for front in ([cr.PiecewiseLinear.from_quantiles(x, 4, 30), cr.Linear(4, 1)], [cr.Linear(1, 1)]):
        trainer = cr.Trainer(cr.Sequential(front, rng=0), "squared_error", cr.Adam(0.05), batch_size=100, rng=0)
        losses.append(trainer.fit(x, np.sin(9 * x), epochs=100, verbose=0)["loss"][-1])
    assert losses[0] < 0.01
    assert losses[1] > 0.3


def test_bins_of_quantiles_hold_equally_many_numbers(rng: np.random.Generator) -> None:
    x = rng.exponential(size=(1000, 2))
    x[:7, 1] = np.nan, np.inf, -np.inf, np.nan, np.nan, np.nan, np.nan
    layer = cr.PiecewiseLinear.from_quantiles(x, bins=10)
    for j, edges in enumerate(layer.edges):
        column = x[np.isfinite(x[:, j]), j]
        counts, _ = np.histogram(column.astype(np.float32), np.float32(edges))
        assert len(counts) == 10
        assert np.ptp(counts) <= 2


@pytest.mark.parametrize(
    ("column", "edges"),
    [
        ([0, 1, 0, 1, 1, 1], [0, 1]),
        ([5.0, 5.0, 5.0], [5, 10]),
        ([0.0, 0.0], [0, 1]),
        ([np.nan, np.nan], [0, 1]),
        ([7.0], [7, 14]),
        ([1.0, 1.0, np.nextafter(np.float32(1), np.float32(2))], [1, 2]),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 1, 1, 1, 2, 3], [1, 2, 3]),
    ],
)
def test_bins_are_joined_where_numbers_recur(column: list[float], edges: list[float]) -> None:
    found = cr.PiecewiseLinear.from_quantiles(np.array(column)[:, None], bins=5).edges[0]
    assert [found[0], found[-1]] == [edges[0], edges[-1]]
    assert (np.diff(found) > 0).all()
    assert len(found) <= max(len(column), 2)
    assert set(edges) <= set(found) or len(found) == 2


def test_a_column_of_one_value_is_a_line(rng: np.random.Generator) -> None:
    x = np.full((9, 1), 3.0)
    layer = cr.PiecewiseLinear.from_quantiles(x, 2)
    model = cr.Sequential([layer], rng=0, dtype="float64")
    np.testing.assert_allclose(model.predict([[1.0], [50.0]]), [layer.slope[0] + layer.bias[0],
                                                                50 * layer.slope[0] + layer.bias[0]])  # fmt: skip


def test_its_text_stays_short_whatever_the_edges() -> None:
    assert repr(cr.PiecewiseLinear([[0, 1], range(17)], 4)) == "PiecewiseLinear(2 × 16 bins → 8)"


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        (3, r"PiecewiseLinear expects edges as one list for each column, got 3; write \[\[0, 1\], \[0, 2\]\]"),
        (
            [[0, 1], [1]],
            r"edges of column 1 as two or more numbers that ascend, in float32 too, got \[1\]; use",
        ),
        ([[1e9, 1e9 + 1]], "edges of column 0 as two or more numbers that ascend, in float32 too"),
    ],
)
def test_edges_that_do_not_ascend_are_refused(edges: Any, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        cr.PiecewiseLinear(edges)


def test_training_data_that_are_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"from_quantiles expects rows of numbers of shape \(N, I\), got \(3,\)"):
        cr.PiecewiseLinear.from_quantiles([1, 2, 3])
    with pytest.raises(ValueError, match="from_quantiles expects bins >= 1, got 0"):
        cr.PiecewiseLinear.from_quantiles([[1.0]], bins=0)
