"""The loss over a plane through the parameters."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

import chainrule as cr
from chainrule import plots

X = np.random.default_rng(0).normal(size=(20, 2))
Y = X @ [[1.0], [-2.0]]


def line():
    """A model whose loss is known: ½ mean (x·w − y)², the best w is (1, −2)."""
    model = cr.Sequential([cr.Linear(2, 1, bias=False)], dtype="float64")
    model.parameters.vector[:] = [1.0, -2.0]
    return model


def asked(monkeypatch):
    """What is drawn, as contourf is given it: a, b and the loss."""
    given = []
    from matplotlib.axes import Axes

    original = Axes.contourf
    monkeypatch.setattr(
        Axes, "contourf", lambda ax, a, b, z, **style: given.append((a, b, z)) or original(ax, a, b, z, **style)
    )
    return given


def test_the_loss_on_given_directions_is_the_loss(monkeypatch):
    given = asked(monkeypatch)
    model = line()
    plots.landscape(model, X, Y, "half_squared_error", directions=[[1.0, 0.0], [0.0, 2.0]], span=0.5, resolution=3)
    ((a, b, losses),) = given
    assert list(a) == list(b) == [-0.5, 0.0, 0.5]
    for row, column in np.ndindex(3, 3):
        error = X @ (model.parameters.vector + np.array([a[column], 2 * b[row]])) - Y[:, 0]
        assert losses[row, column] == pytest.approx(np.mean(error**2) / 2)


def test_penalties_are_part_of_the_loss(monkeypatch):
    given = asked(monkeypatch)
    model = cr.Sequential([cr.Linear(2, 1, bias=False, l2=0.5)], dtype="float64")
    model.parameters.vector[:] = [1.0, -2.0]
    plots.landscape(model, X, Y, "squared_error", directions=[[1.0, 0.0], [0.0, 1.0]], resolution=3)
    assert given[0][2][1, 1] == pytest.approx(0.5 * 5)


def test_random_directions_are_two_and_as_long_as_the_weights_of_each_unit():
    model = cr.Sequential([cr.Linear(3, 2, bias=False)], dtype="float64")
    model.parameters["0.W"][:] = [[3.0, 0.0], [0.0, 0.1], [4.0, 0.0]]
    x = np.eye(3)

    def spy(z, y, weight):
        seen.append(z.copy())
        return 1.0 + float(np.sum(z**2)), z

    seen = []
    plots.landscape(model, x, np.zeros((3, 2)), spy, span=1.0, resolution=3)
    centre = model.parameters["0.W"]
    planes = [W - centre for W in seen[-9:]]  # z = W for these x; a changes first
    first, second = planes[5], planes[7]  # (a, b) = (1, 0) and (0, 1)
    np.testing.assert_allclose(planes[4], 0, atol=1e-12)
    for direction in (first, second):
        np.testing.assert_allclose(np.linalg.norm(direction, axis=0), [5.0, 0.1])
    cosine = np.sum(first * second) / np.linalg.norm(first) / np.linalg.norm(second)
    assert abs(cosine) < 0.99


def test_the_path_of_a_training_ends_at_the_model_and_keeps_its_shape():
    model = line()
    rng = np.random.default_rng(1)
    path = model.parameters.vector + np.outer(np.linspace(1, 0, 9), [3.0, 4.0]) + 0.01 * rng.normal(size=(9, 2))
    path[-1] = model.parameters.vector
    figure = plots.landscape(model, X, Y, "squared_error", path=path, resolution=5)
    drawn = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(drawn[-1], 0, atol=1e-12)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(drawn, axis=0), axis=1), np.linalg.norm(np.diff(path, axis=0), axis=1)
    )
    (left, right), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert left < drawn[:, 0].min() < drawn[:, 0].max() < right
    assert bottom < drawn[:, 1].min() < drawn[:, 1].max() < top


def test_the_model_is_not_modified_and_the_same_seed_draws_the_same(monkeypatch):
    given = asked(monkeypatch)
    model = cr.MLP([2, 4, 3], dropout=0.5, rng=0)
    before = model.parameters.vector.copy()
    for seed in (1, 1, 2):
        plots.landscape(model, X, np.arange(20) % 3, resolution=2, rng=seed)
    np.testing.assert_array_equal(model.parameters.vector, before)
    first, again, other = (losses for _, _, losses in given)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_loss_that_overflows_somewhere_leaves_a_hole(monkeypatch):
    given = asked(monkeypatch)
    model = cr.Sequential([cr.Linear(2, 1, bias=False)])
    figure = plots.landscape(model, X, Y, "squared_error", directions=[[1e30, 0.0], [0.0, 1.0]], resolution=3)
    figure.draw_without_rendering()
    ((_, _, losses),) = given
    assert np.ma.getmaskarray(losses).tolist() == 3 * [[True, False, True]]


def test_a_constant_loss_is_drawn(monkeypatch):
    given = asked(monkeypatch)
    figure = plots.landscape(line(), X, Y, lambda z, y, weight: (1.0, 0 * z), resolution=3)
    figure.draw_without_rendering()
    ((_, _, losses),) = given
    assert np.ma.getdata(losses).tolist() == 3 * [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"directions": np.ones((2, 3))}, r"directions of shape \(2, 2\), got \(2, 3\)"),
        ({"directions": np.ones((3, 2))}, r"directions of shape \(2, 2\)"),
        ({"path": np.ones(2)}, r"path of shape \(T, 2\), got \(2,\)"),
        ({"path": np.ones((1, 2))}, "a path of at least 2 points, got 1"),
        ({"path": [[np.nan, 1.0], [1.0, 1.0]]}, "finite numbers in path"),
        ({"span": 0}, "span > 0"),
        ({"resolution": 1}, "resolution >= 2"),
    ],
)
def test_landscape_refuses(settings, words):
    with pytest.raises(ValueError, match=f"landscape expects.*{words}"):
        plots.landscape(line(), X, Y, "squared_error", **settings)


def test_a_plane_without_a_finite_loss_is_refused():
    model = cr.Sequential([cr.Linear(2, 1, bias=False)])
    with pytest.raises(ValueError, match="a finite loss somewhere on the plane"):
        plots.landscape(model, X, Y, lambda z, y, weight: (np.nan, z), resolution=2)
