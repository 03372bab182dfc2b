"""A network as units and weighted edges."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

from matplotlib.collections import LineCollection
from matplotlib.patches import Circle

import chainrule as cr
from chainrule import plots
from plots.figures import to_rgba


def units(figure):
    """The number of circles in each column, from the left."""
    places = [round(patch.center[0], 6) for patch in figure.axes[0].patches if isinstance(patch, Circle)]
    return [places.count(place) for place in sorted(set(places))]


def edges(figure):
    """For each layer its edges: ((from, to), color without transparency, width)."""
    drawn = [each for each in figure.axes[0].collections if isinstance(each, LineCollection)]
    return [
        list(zip(each.get_segments(), map(tuple, each.get_colors()[:, :3]), each.get_linewidths(), strict=True))
        for each in drawn
    ]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_every_unit_and_every_weight_is_drawn():
    figure = plots.network(cr.MLP([3, 5, 2], rng=0))
    assert units(figure) == [3, 5, 2]
    assert [len(layer) for layer in edges(figure)] == [15, 10]


def test_sign_is_color_and_size_is_width():
    model = cr.Sequential([cr.Linear(2, 1)])
    model.parameters["0.W"][:] = [[2.0], [-0.5]]
    ((small, large),) = edges(plots.network(model))
    assert (small[1], large[1]) == (to_rgba("#CC79A7")[:3], to_rgba("#009E73")[:3])
    assert small[2] < large[2]
    assert large[0][0][1] > small[0][0][1]  # the first unit is at the top


@pytest.mark.parametrize(("wide", "most", "shown"), [(13, 12, 12), (784, 12, 12), (12, 12, 12), (7, 2, 2), (784, 5, 5)])
def test_a_wide_layer_is_cut_and_says_its_width(wide, most, shown):
    figure = plots.network(cr.MLP([wide, 3], rng=0), most_units=most)
    assert units(figure) == [shown, min(3, most)]
    assert f"{wide:,}" in texts(figure)
    (layer,) = edges(figure)
    assert len(layer) == shown * min(3, most)


def test_the_units_of_a_wide_layer_are_spread_over_it():
    model = cr.Sequential([cr.Linear(100, 1)])
    model.parameters["0.W"][:] = np.linspace(1, 3, 100)[:, None]
    (layer,) = edges(plots.network(model, most_units=3))
    widths = sorted(width for _, _, width in layer)
    np.testing.assert_allclose(np.diff(widths), np.diff(widths)[0], rtol=0.05)


def test_layers_without_edges_are_named_where_they_stand():
    layers = [cr.Flatten(), cr.Linear(4, 3, activation="relu"), cr.Dropout(0.25), cr.Linear(3, 2), cr.Softmax()]
    said = texts(plots.network(cr.Sequential(layers)))
    assert "Flatten()\nLinear(4 → 3, relu)\nDropout(rate=0.25)" in said
    assert "Linear(3 → 2)\nSoftmax()" in said


def test_a_change_of_width_between_linear_layers_has_no_edges():
    layers = [cr.Linear(2, 3), cr.Columns([(1, []), (2, [cr.PBLD(2, outputs=2)])]), cr.Linear(5, 1)]
    figure = plots.network(cr.Sequential(layers))
    assert units(figure) == [2, 3, 5, 1]
    assert [len(layer) for layer in edges(figure)] == [6, 5]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_weights_of_zeros_and_of_no_numbers_are_drawn(value):
    model = cr.MLP([2, 2], rng=0)
    model.parameters.vector[:] = value
    figure = plots.network(model)
    figure.draw_without_rendering()
    assert units(figure) == [2, 2]


def test_what_is_no_model_or_has_no_edges_is_refused():
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error")
    with pytest.raises(TypeError, match=r"network expects a Sequential model, got .*; pass trainer\.model"):
        plots.network(trainer)
    with pytest.raises(ValueError, match="network expects a model with a Linear layer"):
        plots.network(cr.Sequential([cr.ReLU()]))
    with pytest.raises(ValueError, match="most_units >= 2"):
        plots.network(cr.MLP([2, 1], rng=0), most_units=1)
