"""Decision regions and regression surfaces, read back point by point."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import plots
from plots.figures import Model, legend, region_at

CORNERS = np.array([[-1.0, -2.0], [1.0, -2.0], [-1.0, 2.0], [1.0, 2.0]])


def test_regions_of_several_outputs_are_the_largest():
    def quadrants(x):
        return np.column_stack([-x[:, 0], x[:, 0], 3 * x[:, 1]])

    figure = plots.decision_regions(Model(quadrants), CORNERS, [0, 1, 2, 2], class_names=["left", "right", "up"])
    for point, expected in (((-0.9, -1), 0), ((0.9, -1), 1), ((0, 1.9), 2), ((-1, 0.3), 0), ((-1, 0.4), 2)):
        assert region_at(figure, point) == expected
    assert legend(figure.axes[0]) == ["left", "right", "up"]


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)], ids=["(N, 1)", "(N,)"])
@pytest.mark.parametrize(
    ("link", "threshold", "border"),
    [
        (lambda z: z, None, 0.25),
        (lambda z: 1 / (1 + np.exp(-z)), None, 0.25),
        (lambda z: 1 / (1 + np.exp(-z)), 0.6, 0.25 + np.log(1.5)),
        (lambda z: z, 0.5, 0.75),
    ],
    ids=["logit", "probability", "probability 0.6", "logit 0.5"],
)
def test_regions_of_one_output_part_at_the_threshold(link, threshold, border, shape):
    model = Model(lambda x: link(x[:, 0] - 0.25).reshape(shape))
    figure = plots.decision_regions(model, CORNERS, [0, 1, 0, 1], threshold=threshold)
    assert region_at(figure, (border - 0.02, 0.0)) == 0
    assert region_at(figure, (border + 0.02, 0.0)) == 1
    boundary = np.concatenate([path.vertices for path in figure.axes[0].collections[0].get_paths()])
    np.testing.assert_allclose(boundary[:, 0], border, atol=0.01)
    assert np.ptp(boundary[:, 1]) > 4


def test_regions_of_predicted_labels():
    figure = plots.decision_regions(Model(lambda x: (x[:, 0] > 0) + (x[:, 1] > 0).astype(int)), CORNERS, [0, 1, 1, 2])
    assert [region_at(figure, point) for point in CORNERS] == [0, 1, 1, 2]


def test_regions_where_one_class_takes_all():
    figure = plots.decision_regions(Model(lambda x: np.ones((len(x), 1)) * 7), CORNERS, [0, 1, 0, 1])
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), 1)


def test_regions_show_every_point_in_the_color_of_its_class():
    y = np.array([0, 1, 2, 1])
    ax = plots.decision_regions(Model(lambda x: np.eye(3)[np.zeros(len(x), int)]), CORNERS, y[:, None]).axes[0]
    dots = [collection for collection in ax.collections if collection.get_label().startswith("class")]
    image = ax.images[0]
    for k, dot in enumerate(dots):
        np.testing.assert_array_equal(dot.get_offsets(), CORNERS[y == k])
        np.testing.assert_allclose(dot.get_facecolor()[0][:3], image.cmap(image.norm(k))[:3])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input 1", "input 2")


def test_regions_with_many_classes_have_as_many_colors():
    x = np.random.default_rng(0).normal(size=(24, 2))
    y = np.arange(24) % 12
    figure = plots.decision_regions(Model(lambda g: np.hstack([g] * 6)), x, y, resolution=5)
    colors = {tuple(dot.get_facecolor()[0]) for dot in figure.axes[0].collections if "class" in dot.get_label()}
    assert len(colors) == 12


@pytest.mark.parametrize(("given", "asked"), [("float32", "float32"), ("float64", "float64"), ("int64", "float64")])
def test_regions_ask_the_model_for_one_grid_around_the_data(given, asked):
    model = Model(lambda x: x[:, :1])
    plots.decision_regions(model, CORNERS.astype(given), [0, 1, 0, 1], resolution=20)
    assert model.asked.shape == (400, 2)
    assert model.asked.dtype == asked
    assert (model.asked.min(axis=0) <= CORNERS.min(axis=0)).all()
    assert (model.asked.max(axis=0) >= CORNERS.max(axis=0)).all()


def test_regions_of_points_on_a_line():
    model = Model(lambda x: x[:, :1])
    plots.decision_regions(model, [[1.0, 5.0], [2.0, 5.0]], [0, 1], resolution=4)
    np.testing.assert_allclose(model.asked[:, 1].mean(), 5.0)
    assert np.ptp(model.asked[:, 1]) > 0


@pytest.mark.parametrize(
    "answer", [lambda x: x @ [[2.0], [1.0]], lambda x: np.zeros(len(x))], ids=["plane", "constant"]
)
def test_a_regression_is_a_surface_with_the_data_on_it(answer):
    y = np.array([-1.0, 3.5, -0.8, 3.0])
    ax, bar = plots.decision_regions(Model(answer), CORNERS, y).axes
    surface, dots = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), CORNERS)
    np.testing.assert_array_equal(dots.get_array(), y)
    assert dots.norm.vmin <= -1.0
    assert dots.norm.vmax >= 3.5
    assert bar.get_ylabel() == "output (areas), target (points)"
    levels = surface.levels
    inside = next(k for k, path in enumerate(surface.get_paths()) if path.contains_point((0.3, 1.1)))
    assert levels[inside] <= np.ravel(answer(np.array([[0.3, 1.1]])))[0] <= levels[inside + 1]


def test_a_constant_regression_of_a_constant_is_drawn():
    figure = plots.decision_regions(Model(lambda x: np.full((len(x), 1), 2.0)), CORNERS, [2.0] * 4)
    figure.draw_without_rendering()
    assert figure.axes[0].collections


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((4, 3))}, r"x of shape \(N, 2\), got \(4, 3\); only a model with two inputs"),
        ({"x": np.zeros((3, 2))}, r"one row per value in y.*\(4, 2\), got \(3, 2\)"),
        ({"x": np.full((4, 2), np.nan)}, "finite numbers in x"),
        ({"y": []}, "at least one value in y"),
        ({"y": np.zeros((4, 2))}, r"y of shape \(N,\), got \(4, 2\)"),
        ({"answer": lambda x: x, "y": [0, 1, 2, 0]}, "labels from 0 to 1, got 2"),
        ({"answer": lambda x: x, "y": [0, 1, 0.5, 0]}, "labels from 0 to 1, got 0.5"),
        ({"answer": lambda x: x, "y": [0, 1, -1, 0]}, "labels from 0 to 1, got -1"),
        ({"answer": lambda x: x[:5]}, r"model.predict to return \(\d+, K\) outputs, got \(5, 2\)"),
        ({"answer": lambda x: x[:, :, None]}, r"model.predict to return"),
        ({"answer": lambda x: x * np.nan}, "finite numbers in the model's outputs"),
        ({"class_names": ["one"]}, "2 class_names, one per class, got 1"),
        ({"resolution": 1}, "resolution >= 2, got 1"),
        ({"threshold": np.inf}, "threshold"),
    ],
)
def test_regions_refuse(changes, words):
    given = {"answer": lambda x: x[:, :1], "x": CORNERS, "y": [0, 1, 0, 1], **changes}
    with pytest.raises(ValueError, match=f"decision_regions expects.*{words}"):
        plots.decision_regions(Model(given.pop("answer")), **given)
