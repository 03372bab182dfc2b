"""Predictions against the truth, and bars for the inputs."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import plots
from plots.figures import ticks

metrics = pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize("samples", [3, 400, 6000])
def test_predictions_against_the_truth(samples):
    rng = np.random.default_rng(samples)
    true = rng.normal(10, 3, samples)
    predicted = true + rng.normal(0, 1, samples)
    ax = plots.predictions(true[:, None], predicted, target="height (m)").axes[0]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), np.column_stack([true, predicted]))
    r2, rmse = metrics.r2_score(true, predicted), metrics.root_mean_squared_error(true, predicted)
    assert ax.get_title() == f"R² = {r2:.3f}, RMSE = {rmse:.3g}"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true height (m)", "predicted height (m)")


def test_the_diagonal_crosses_the_whole_square():
    ax = plots.predictions([1.0, 5.0], [0.0, 4.0]).axes[0]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), ax.lines[0].get_ydata())
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), ax.get_xlim())
    assert ax.get_xlim() == ax.get_ylim()
    assert ax.get_xlim()[0] < 0
    assert ax.get_xlim()[1] > 5
    assert ax.get_aspect() == 1


def test_a_constant_truth_has_no_r2():
    assert plots.predictions([2.0, 2.0], [1.0, 3.0]).axes[0].get_title() == "RMSE = 1"
    assert plots.predictions([2.0], [2.0]).axes[0].get_title() == "RMSE = 0"


@pytest.mark.parametrize(
    ("true", "predicted", "error", "words"),
    [
        ([1.0, 2.0], [1.0], ValueError, r"y_pred of shape \(2,\), got \(1,\); pass one prediction per target"),
        ([], [], ValueError, "at least one value in y_true, got none"),
        ([1.0, 2.0], np.ones((2, 2)), ValueError, r"y_pred of shape \(N,\), got \(2, 2\)"),
        ([1.0, 2.0], [1.0, np.nan], ValueError, "finite numbers in y_pred"),
        (["a"], [1.0], TypeError, "y_true to be an array of numbers"),
    ],
)
def test_predictions_refuse(true, predicted, error, words):
    with pytest.raises(error, match=words):
        plots.predictions(true, predicted)


# Importances.


def test_importances_are_bars_from_the_largest_down():
    values = np.array([[0.1, 0.3], [0.9, 0.7], [-0.1, 0.1]])
    figure = plots.importances(values, ["a", "b", "c"], label="loss", count=2)
    ax = figure.axes[0]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [0.8, 0.2])
    assert ticks(ax.get_yticklabels()) == ["b", "a"]
    assert (ax.get_xlabel(), ax.get_title()) == ("loss", "the first 2 of 3")
    low, high = ax.containers[0].lines[2][0].get_segments()[0][:, 0]
    np.testing.assert_allclose([low, high], [0.7, 0.9])


def test_importances_without_repetitions_have_no_spread():
    ax = plots.importances([0.1, 0.2], ["a", "b"]).axes[0]
    assert [len(container) for container in ax.containers] == [2]
    assert ax.get_title() == ""


@pytest.mark.parametrize(
    ("values", "names", "words"),
    [
        ([], [], r"values of shape \(C,\) or \(C, R\), got \(0,\)"),
        ([[[1.0]]], ["a"], r"values of shape \(C,\) or \(C, R\)"),
        ([1.0, 2.0], ["a"], "2 names, one per value, got 1"),
        ([1.0, np.inf], ["a", "b"], "finite numbers"),
    ],
)
def test_importances_refuse(values, names, words):
    with pytest.raises(ValueError, match=words):
        plots.importances(values, names)
