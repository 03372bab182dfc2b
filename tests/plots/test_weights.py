"""The first layer as images."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

from chainrule import plots


def tiles(figure, shape):
    """The images of the mosaic, cut at the lines of NaN between them."""
    mosaic = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    height, width = shape
    cut = [
        mosaic[top : top + height, left : left + width]
        for top in range(0, len(mosaic), height + 1)
        for left in range(0, mosaic.shape[1], width + 1)
    ]
    assert np.isnan(mosaic[height :: height + 1]).all()
    assert np.isnan(mosaic[:, width :: width + 1]).all()
    return np.array([tile for tile in cut if not np.isnan(tile).any()])


@pytest.mark.parametrize("units", [1, 2, 7, 16])
@pytest.mark.parametrize("shape", [(4, 4), (2, 8), (8, 2), (1, 16)])
def test_every_column_is_an_image(units, shape):
    W = np.random.default_rng(units).normal(size=(16, units))
    figure = plots.first_layer_weights(W, shape)
    np.testing.assert_array_equal(tiles(figure, shape), W.T.reshape(units, *shape))
    assert figure.axes[0].get_title() == f"first layer: {units} units"


def test_colors_are_symmetric_and_zero_is_white():
    W = np.array([[0.0, 0.1], [-3.0, 0.2]])
    image = plots.first_layer_weights(W, (1, 2)).axes[0].images[0]
    assert image.get_clim() == (-3.0, 3.0)
    assert min(image.cmap(image.norm(0.0))[:3]) > 0.95


def test_weights_of_zeros_are_drawn():
    assert plots.first_layer_weights(np.zeros((4, 1)), (2, 2)).axes[0].images[0].get_clim() == (-1.0, 1.0)


@pytest.mark.parametrize(("units", "count", "shown"), [(100, None, 64), (64, None, 64), (10, 3, 3), (100, 100, 100)])
def test_count_takes_the_first_columns(units, count, shown):
    W = np.random.default_rng(0).normal(size=(4, units))
    figure = plots.first_layer_weights(W, (2, 2), count=count)
    np.testing.assert_array_equal(tiles(figure, (2, 2)), W.T[:shown].reshape(shown, 2, 2))
    assert figure.axes[0].get_title() == f"first layer: {f'{shown} of ' if shown < units else ''}{units} units"


def test_the_first_matrix_of_a_model_is_taken():
    W = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    model = SimpleNamespace(parameters={"0.gain": np.ones(6), "1.0.W": W, "1.0.b": np.ones(3), "2.W": np.eye(3)})
    np.testing.assert_array_equal(tiles(plots.first_layer_weights(model, (2, 3)), (2, 3)), W.T.reshape(3, 2, 3))


@pytest.mark.parametrize(
    ("W", "shape", "count", "words"),
    [
        (np.ones((6, 2)), (2, 4), None, r"height times width = 6, the inputs of W,, got \(2, 4\)"),
        (np.ones((6, 2)), 6, None, "height times width = 6"),
        (np.ones((6, 2)), (-2, -3), None, "height times width = 6"),
        (np.ones((6, 2)), (2, 3), 3, "count of at most 2, the columns of W, got 3"),
        (np.ones((6, 2)), (2, 3), 0, "count >= 1"),
        (np.ones(6), (2, 3), None, r"W of shape \(I, O\), got \(6,\)"),
        (np.full((6, 2), np.inf), (2, 3), None, "finite numbers in W"),
        (SimpleNamespace(parameters={"0.gain": np.ones(6)}), (2, 3), None, "a model with a Linear layer"),
    ],
)
def test_weights_refuse(W, shape, count, words):
    with pytest.raises(ValueError, match=f"first_layer_weights expects.*{words}"):
        plots.first_layer_weights(W, shape, count=count)
