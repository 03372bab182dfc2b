"""The distributions of activations, weights and gradients."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

import chainrule as cr
from chainrule import plots
from plots.figures import ticks

X = np.random.default_rng(0).normal(size=(200, 4))
LABELS = np.arange(200) % 3


def hills(ax):
    """For each drawn row the mean place of its hill, weighted by height, by the number of the row."""
    found = {}
    for patch in ax.patches:
        values, edges, baseline = patch.get_data()
        heights = baseline - values
        middles = np.sqrt(edges[1:] * edges[:-1]) if ax.get_xscale() == "log" else (edges[1:] + edges[:-1]) / 2
        found[int(baseline)] = float(np.sum(heights * middles) / np.sum(heights))
    return found


def test_every_layer_has_a_row_and_layers_without_parameters_have_no_weights():
    figure = plots.gradients(cr.MLP([4, 8, 3], dropout=0.2, rng=0), X, LABELS)
    activations, weights, slopes = figure.axes
    assert ticks(activations.get_yticklabels()) == [
        "Linear(4 → 8, relu)  0",
        "Dropout(rate=0.2)  1",
        "Linear(8 → 3)  2",
    ]
    assert set(hills(activations)) == {0, 1, 2}
    assert set(hills(weights)) == set(hills(slopes)) == {0, 2}


def test_the_hills_stand_where_the_numbers_are():
    model = cr.Sequential([cr.Linear(4, 6), cr.Linear(6, 1)], dtype="float64")
    model.parameters["0.W"][:] = np.linspace(0.9, 1.1, 24).reshape(4, 6)
    model.parameters["1.W"][:] = np.linspace(-3.1, -2.9, 6)[:, None]
    weights = hills(plots.gradients(model, X, X[:, :1], "squared_error").axes[1])
    assert weights[0] == pytest.approx(1.0, abs=0.1)
    assert weights[1] == pytest.approx(-3.0, abs=0.1)


def test_vanishing_gradients_move_to_the_left_row_by_row():
    model = cr.MLP([4, 16, 16, 16, 3], activation="sigmoid", rng=0)
    slopes = hills(plots.gradients(model, X, LABELS).axes[2])
    assert slopes[0] < slopes[1] < slopes[2] < slopes[3]


def test_the_gradients_are_those_of_backward():
    model = cr.Sequential([cr.Linear(4, 1, bias=False)], dtype="float64")
    figure = plots.gradients(model, X, X[:, :1], "half_squared_error")
    z = model.forward(X, training=True)
    model.backward((z - X[:, :1]) / len(X))
    values, edges, _ = figure.axes[2].patches[0].get_data()
    for slope in np.abs(model.gradients.vector):
        if edges[0] < slope < edges[-1]:
            assert values[np.searchsorted(edges, slope) - 1] < 0  # the hill rises above its row


def test_zeros_are_counted_and_not_drawn():
    model = cr.Sequential([cr.ReLU()])
    ax = plots.gradients(model, X, X, "squared_error").axes[0]
    assert [text.get_text() for text in ax.texts] == [f"{np.mean(X < 0):.0%} are 0"]
    assert hills(ax)[0] > 0


@pytest.mark.parametrize("value", [0.0, 1e30])
def test_models_without_a_distribution_are_drawn(value):
    model = cr.MLP([4, 3, 3], rng=0)
    model.parameters.vector[:] = value
    figure = plots.gradients(model, X, LABELS)
    figure.draw_without_rendering()
    assert len(figure.axes) == 3


def test_the_model_is_not_modified():
    model = cr.Sequential([cr.Linear(4, 3), cr.BatchNorm(3), cr.Dropout(0.5)], rng=0)
    before = [model.parameters.vector.copy(), *(array.copy() for array in model.buffers.values())]
    state = model.rng.bit_generator.state
    plots.gradients(model, X, LABELS)
    for old, new in zip(before, [model.parameters.vector, *model.buffers.values()], strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.rng.bit_generator.state == state


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="gradients expects a Sequential model, got 3"):
        plots.gradients(3, X, LABELS)
