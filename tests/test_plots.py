"""What is drawn is what was given: lines, cells, regions, images and titles are read back from the figures."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
from chainrule import plots
from chainrule.diagnostics import health as diagnosis

pytest.importorskip("matplotlib")
metrics = pytest.importorskip("sklearn.metrics")

from matplotlib.colors import to_rgba  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

HISTORY = {
    "loss": [2.0, 0.7, 0.3, 0.1, 0.05],
    "validation_loss": [1.9, 0.8, 0.5, 0.6, 0.7],
    "accuracy": [0.3, 0.7, 0.9, 0.97, 0.99],
    "validation_accuracy": [0.3, 0.6, 0.8, 0.85, 0.84],
    "learning_rate": [0.1, 0.08, 0.05, 0.02, 0.0],
    "seconds": [1.0, 1.1, 0.9, 1.0, 1.0],
}
ROWS = [{name: values[k] for name, values in HISTORY.items()} for k in range(5)]


class Model:
    """Answers ``function(x)`` and remembers what it was asked."""

    def __init__(self, function):
        self.function = function

    def predict(self, x):
        self.asked = x
        return self.function(x)


def lines(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def cells(figure):
    return np.array([text.get_text() for text in figure.axes[0].texts])


def region_at(figure, point):
    """The class painted at a point, as Matplotlib itself reads it under a mouse."""
    x, y = figure.axes[0].transData.transform(point)
    return figure.axes[0].images[0].get_cursor_data(SimpleNamespace(x=x, y=y))


# --- all of them ---

MOONS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
DRAWERS = {
    "curves": lambda ax=None: plots.curves(HISTORY, ax=ax),
    "confusion": lambda ax=None: plots.confusion([0, 1, 2], [0, 1, 1], ax=ax),
    "decision_regions": lambda ax=None: plots.decision_regions(
        Model(lambda x: x[:, :1] - 0.5), MOONS, [0, 1, 0, 1], resolution=9, ax=ax
    ),
    "regression_surface": lambda ax=None: plots.decision_regions(
        Model(lambda x: x.sum(axis=1)), MOONS, [0.1, 1.9, 1.1, 0.9], resolution=9, ax=ax
    ),
    "first_layer_weights": lambda ax=None: plots.first_layer_weights(np.eye(6), (2, 3), ax=ax),
    "predictions": lambda ax=None: plots.predictions([1.0, 2.0], [1.5, 1.5], ax=ax),
    "reliability": lambda ax=None: plots.reliability([0.1, 0.8, 0.6], [0, 1, 0], ax=ax),
    "worst": lambda ax=None: plots.worst([0.1, 0.8, 0.6], [0, 1, 0], np.eye(3, 6), (2, 3), ax=ax),
    "importances": lambda ax=None: plots.importances([[0.1, 0.2], [0.4, 0.3]], ["a", "b"], ax=ax),
}
drawer = pytest.mark.parametrize("draw", DRAWERS.values(), ids=DRAWERS.keys())


@drawer
def test_returns_a_figure_that_can_be_saved(draw):
    figure = draw()
    assert isinstance(figure, Figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG")


@drawer
def test_draws_on_the_axes_given(draw):
    figure = Figure()
    _, right = figure.subplots(1, 2)
    assert draw(ax=right) is figure
    assert right.has_data()
    assert not figure.axes[0].has_data()


def test_axes_of_a_subfigure_return_the_whole_figure():
    figure = Figure()
    ax = figure.subfigures(1, 2)[1].add_subplot()
    assert plots.confusion([0, 1], [0, 1], ax=ax) is figure


@drawer
def test_axes_of_another_type_are_refused(draw):
    with pytest.raises(TypeError, match="expects ax to be Matplotlib axes, got Figure"):
        draw(ax=Figure())


@drawer
def test_a_missing_matplotlib_is_one_sentence(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs matplotlib.*pip install 'chainrule\[plots\]'"):
        draw()


def test_nothing_of_pyplot_and_matplotlib_only_when_drawing():
    program = (
        "import sys; from chainrule import plots; assert 'matplotlib' not in sys.modules;"
        "plots.curves({'loss': [1, 2]}); plots.confusion([0], [0]); plots.predictions([1], [1]);"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# --- curves ---


@pytest.mark.parametrize(
    "history",
    [HISTORY, ROWS, SimpleNamespace(rows=ROWS), {"rows": ROWS}, json.dumps(ROWS), json.dumps(HISTORY)],
    ids=["dict", "rows", "History", "dict of rows", "JSON rows", "JSON dict"],
)
def test_curves_draw_the_numbers_of_the_history(history):
    loss, accuracy, rate = plots.curves(history).axes
    for ax, name in ((loss, "loss"), (accuracy, "accuracy")):
        np.testing.assert_array_equal(lines(ax)["training"].get_xdata(), [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(lines(ax)["training"].get_ydata(), HISTORY[name])
        np.testing.assert_array_equal(lines(ax)["validation"].get_ydata(), HISTORY[f"validation_{name}"])
        assert ax.get_ylabel() == name
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), HISTORY["learning_rate"])
    assert rate.get_xlabel() == "epoch"
    assert rate.get_ylabel() == "learning\nrate"


def test_curves_mark_the_best_epoch_in_every_panel():
    loss, accuracy, _ = plots.curves(HISTORY).axes
    best = lines(loss)["best: 0.5 at epoch 3"]
    assert (best.get_xdata(), best.get_ydata()) == ([3], [0.5])
    same = lines(accuracy)["0.8 at epoch 3"]
    assert (same.get_xdata(), same.get_ydata()) == ([3], [0.8])


def test_curves_count_epochs_as_the_history_does():
    figure = plots.curves([{"epoch": 11, "loss": 3.0}, {"epoch": 12, "loss": 2.0}])
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [11, 12])


def test_curves_leave_out_epochs_without_a_validation():
    rows = [{"loss": 3.0}, {"loss": 2.0, "validation_loss": 2.5}, {"loss": 1.0}, {"loss": 0.9, "validation_loss": 2.6}]
    drawn = lines(plots.curves(rows).axes[0])
    np.testing.assert_array_equal(drawn["validation"].get_xdata(), [2, 4])
    np.testing.assert_array_equal(drawn["validation"].get_ydata(), [2.5, 2.6])
    assert "best: 2.5 at epoch 2" in drawn


def test_curves_of_a_validation_metric_alone():
    history = {"loss": [1.0, 0.9], "validation_loss": [1.0, 1.1], "validation_top_5": [0.5, 0.6]}
    _, panel = plots.curves(history).axes
    assert panel.get_ylabel() == "top 5"
    assert legend(panel) == ["validation", "0.5 at epoch 1"]


def test_curves_without_a_metric_value_at_the_best_epoch_mark_the_loss_only():
    history = {"loss": [1.0, 0.9], "validation_loss": [1.0, 1.1], "accuracy": [0.5, 0.6]}
    assert legend(plots.curves(history).axes[1]) == ["training"]


def test_curves_on_given_axes_draw_the_loss_only():
    ax = Figure().add_subplot()
    figure = plots.curves(HISTORY, ax=ax)
    assert figure.axes == [ax]
    assert ax.get_ylabel() == "loss"
    assert ax.get_xlabel() == "epoch"


def test_one_epoch_is_a_visible_point():
    figure = plots.curves({"loss": [0.7]})
    assert figure.axes[0].lines[0].get_marker() == "o"
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(
    ("loss", "scale"),
    [
        ([1.0, 0.11], "linear"),
        ([1.0, 0.09], "log"),
        ([1.0, 0.0], "linear"),
        ([10.0, -3.0], "linear"),
        ([9.0, 1e-6], "log"),
    ],
)
def test_a_loss_over_more_than_a_decade_is_logarithmic(loss, scale):
    assert plots.curves({"loss": loss}).axes[0].get_yscale() == scale


@pytest.mark.parametrize(
    ("loss", "ticks"), [([2.0, 0.1], {"0.1", "0.2", "0.5", "1", "2"}), ([9.0, 1e-6], {"1e-05", "1"})]
)
def test_ticks_of_the_logarithmic_scale_are_plain_numbers(loss, ticks):
    figure = plots.curves({"loss": loss})
    figure.draw_without_rendering()
    assert ticks <= {tick.get_text() for tick in figure.axes[0].get_yticklabels()}


@pytest.mark.parametrize(("rate", "panels"), [([0.1, 0.1], 1), ([0.1, 0.2], 2), ([None, None], 1)])
def test_the_learning_rate_is_drawn_if_it_changes(rate, panels):
    figure = plots.curves({"loss": [1.0, 0.9], "learning_rate": rate})
    assert len(figure.axes) == panels
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("history", "error", "words"),
    [
        ({}, ValueError, "a finite loss in at least one epoch, got none among"),
        ([], ValueError, "got none among"),
        ({"loss": []}, ValueError, "got none among"),
        ({"accuracy": [1.0]}, ValueError, r"got none among \['accuracy'\]"),
        ({"loss": [np.nan, np.inf]}, ValueError, "got 2 epochs of nan or infinity"),
        ({"loss": [[1.0], [2.0]]}, ValueError, r"history\['loss'\] of shape \(2,\), got \(2, 1\)"),
        ({"loss": [1.0, 2.0], "f1": [1.0]}, ValueError, r"history\['f1'\] of shape \(2,\), got \(1,\)"),
        ({"loss": ["low", "lower"]}, TypeError, "loss to be an array of numbers"),
        ("history.json", ValueError, "the JSON of a history, got 'history.json'; pass the text of the file"),
        (7, TypeError, "a History, a dict of lists or a list of dicts, got int"),
        (SimpleNamespace(loss_curve_=[1]), TypeError, r'got SimpleNames.*; pass \{"loss": estimator\.loss_curve_\}\.'),
        (cr.Trainer(cr.MLP([1, 1]), "huber"), TypeError, r"got Trainer; pass trainer\.history, or a dict of curves\."),
        ([1.0, 0.5], TypeError, "a History, a dict of lists or a list of dicts, got list"),
    ],
)
def test_curves_refuse_what_is_no_history(history, error, words):
    with pytest.raises(error, match=f"curves expects.*{words}"):
        plots.curves(history)


# --- confusion ---


@pytest.mark.parametrize("classes", [2, 3, 10, 30])
def test_confusion_counts_as_scikit_learn_does(classes):
    rng = np.random.default_rng(classes)
    true, predicted = rng.integers(0, classes, (2, 40 * classes))
    figure = plots.confusion(true, predicted, class_names=[f"k{k}" for k in range(classes)])
    expected = metrics.confusion_matrix(true, predicted, labels=range(classes))
    np.testing.assert_array_equal(cells(figure).astype(int).reshape(classes, classes), expected)
    ax = figure.axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [f"k{k}" for k in range(classes)]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [f"k{k}" for k in range(classes)]
    right = int((true == predicted).sum())
    assert ax.get_title() == f"accuracy {100 * right / len(true):.1f} % ({right:,} of {len(true):,})"
    shares = metrics.confusion_matrix(true, predicted, labels=range(classes), normalize="true")
    np.testing.assert_allclose(ax.images[0].get_array(), shares)


@pytest.mark.parametrize("classes", [2, 10, 30])
def test_confusion_texts_stay_inside_their_cells(classes):
    true = np.repeat(np.arange(classes), 1234)
    figure = plots.confusion(true, true, class_names=[f"a long name {k}" for k in range(classes)])
    figure.draw_without_rendering()
    ax = figure.axes[0]
    width = ax.get_window_extent().width / classes
    assert max(text.get_window_extent().width for text in ax.texts) < width
    assert min(text.get_fontsize() for text in ax.texts) >= 6
    for tick in ax.get_yticklabels():
        assert tick.get_window_extent().x0 > 0


def test_confusion_positions_rows_as_truth_and_columns_as_prediction():
    ax = plots.confusion(["cat", "cat", "dog"], ["dog", "dog", "dog"]).axes[0]
    placed = {text.get_position(): text.get_text() for text in ax.texts}
    assert placed == {(0, 0): "0", (1, 0): "2", (0, 1): "0", (1, 1): "1"}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["cat", "dog"]


def test_confusion_text_contrasts_with_its_cell():
    texts = plots.confusion([0] * 9 + [1] * 2, [0] * 8 + [1] + [1] * 2).axes[0].texts
    assert [to_rgba(text.get_color()) for text in texts[:2]] == [to_rgba("white"), to_rgba("black")]


def test_confusion_in_percent_of_the_row():
    figure = plots.confusion([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], class_names=["a", "b", "never"], normalize=True)
    assert cells(figure).tolist() == ["66.7", "33.3", "0", "0", "100", "0", "–", "–", "–"]


@pytest.mark.parametrize("as_given", [list, np.array, lambda v: np.array(v, dtype=object)])
def test_confusion_orders_text_labels_by_the_names(as_given):
    true, predicted = as_given(["low", "high", "high"]), as_given(["low", "mid", "high"])
    figure = plots.confusion(true, predicted, class_names=["low", "mid", "high"])
    expected = metrics.confusion_matrix(list(true), list(predicted), labels=["low", "mid", "high"])
    np.testing.assert_array_equal(cells(figure).astype(int).reshape(3, 3), expected)


@pytest.mark.parametrize(
    ("true", "predicted", "names", "error", "words"),
    [
        ([], [], None, ValueError, "at least one label, got none"),
        ([0, 1], [0], None, ValueError, r"labels_predicted of shape \(2\), got \(1,\)|of shape \(2,\), got \(1,\)"),
        ([0, 1], [[0.1, 0.9], [0.3, 0.7]], None, ValueError, "argmax"),
        ([0, 3], [0, 1], ["a", "b"], ValueError, r"labels among 0, 1 \(2 classes\), got 3"),
        ([0, -1], [0, 1], ["a", "b"], ValueError, "got -1"),
        ([0, 1.5], [0, 1], ["a", "b"], ValueError, "got 1.5"),
        ([0, np.nan], [0, 1], None, ValueError, "a label for each row of labels_true, got nan at row 1"),
        (np.array([0, np.nan]), [0, 1], None, ValueError, "finite numbers in labels_true"),
        (["a", "c"], ["a", "b"], ["a", "b"], ValueError, r"labels among a, b \(2 classes\), got c"),
        ([0], [9], list("abcdefg"), ValueError, r"0, 1, 2, 3, 4, \.\.\. \(7 classes\), got 9"),
        (["a"], [0], None, TypeError, "two arrays of numbers or two of text"),
        ([0, 1], [object(), 1], None, TypeError, "labels of one kind in labels_predicted"),
        ([0, 1], [object(), object()], None, TypeError, "labels_predicted to be an array of numbers"),
        ([0, 1], [0, "a"], None, TypeError, "labels of one kind in labels_predicted, got 'a' and 0"),
        ([0, 1], np.ma.array([0, 1], mask=[0, 1]), None, ValueError, "labels_predicted without gaps, got a masked"),
        (np.array([0, 1], "m8[D]"), [0, 1], None, TypeError, "got dtype timedelta64"),
    ],
)
def test_confusion_refuses(true, predicted, names, error, words):
    with pytest.raises(error, match=words):
        plots.confusion(true, predicted, class_names=names)


# --- decision regions ---

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
        ({"answer": lambda x: x[:5]}, r"model.predict to give \(\d+, K\) outputs, got \(5, 2\)"),
        ({"answer": lambda x: x[:, :, None]}, r"model.predict to give"),
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


# --- first-layer weights ---


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


# --- predictions ---


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


# --- health ---


def layer(name="Linear(2 → 2)", mean=0.0, spread=1.0, dead=0.0, saturated=0.0, weight=1.0, gradient=1.0, step=1e-3):
    return diagnosis.LayerState(name, mean, spread, dead, saturated, weight, gradient, step)


def health(*layers, findings=(), loss=0.5):
    return plots.health(diagnosis.Diagnosis(list(layers), loss, list(findings)))


def dots(ax, color):
    """(x, row) of the dots of a colour."""
    drawn = [line for line in ax.lines if line.get_marker() == "o" and to_rgba(line.get_color()) == to_rgba(color)]
    return [point for line in drawn for point in zip(*map(list, line.get_data()), strict=True)]


def crosses(ax):
    return [point for line in ax.lines if line.get_marker() == "x" for point in zip(*line.get_data(), strict=True)]


def band(ax):
    (span,) = ax.patches
    return span.get_x(), span.get_x() + span.get_width()


BLUE, VERMILION = "#0072B2", "#D55E00"


def test_health_has_a_row_for_each_layer_from_the_top():
    names = ["Linear(784 → 256, relu)", "Dropout(rate=0.5)", "Residual([Linear(256 → 256, relu), LayerNorm(256)])"]
    left, *others = health(*(layer(name) for name in names)).axes
    assert left.get_ylim() == (2.5, -0.5)
    assert {panel.get_ylim() for panel in others} == {(2.5, -0.5)}
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == ["Linear(784 → 256, relu)  0", "Dropout(rate=0.5)  1", "Residual([Linear(256 → 256, …  2"]


def test_health_says_what_was_found():
    assert health(layer()).get_suptitle() == "loss 0.5: nothing looks wrong"
    assert health(layer(), findings=["One."]).get_suptitle() == "loss 0.5: 1 finding"
    figure = health(layer(), findings=["One.", "Two " + 50 * "words "])
    assert figure.get_suptitle() == "loss 0.5: 2 findings"
    first, *second = figure.get_supxlabel().split("\n")
    assert first == "• One."
    assert " ".join(map(str.strip, second)) == "• Two " + (50 * "words ").strip()
    assert figure.get_figheight() > health(layer()).get_figheight()


def test_health_draws_mean_and_spread():
    ax = health(layer(mean=0.5, spread=2.0), layer(mean=-1.0, spread=0.5)).axes[0]
    assert dots(ax, BLUE) == [(0.5, 0), (-1.0, 1)]
    (bars,) = ax.collections
    np.testing.assert_allclose([segment[:, 0] for segment in bars.get_segments()], [[-1.5, 2.5], [-1.5, -0.5]])
    assert ax.get_xscale() == "linear"
    assert health(layer(spread=1000)).axes[0].get_xscale() == "symlog"


def test_health_draws_the_shares_and_marks_those_of_hidden_layers_that_are_too_large():
    many = diagnosis.MANY_DEAD + 0.1, diagnosis.MANY_SATURATED + 0.1
    ax = health(layer(dead=many[0]), layer(saturated=many[1]), layer(dead=0.1), layer(dead=1.0)).axes[1]
    assert legend(ax) == ["dead", "saturated"]
    assert [bar.get_width() for bar in ax.patches] == [many[0], 0, 0.1, 1, 0, many[1], 0, 0]
    marked = {text.get_text(): to_rgba(text.get_color()) == to_rgba(VERMILION) for text in ax.texts}
    assert marked == {"40%": True, "60%": True, "10%": False, "100%": False}
    assert [line.get_xdata()[0] for line in ax.lines] == [diagnosis.MANY_DEAD, diagnosis.MANY_SATURATED]


def test_health_draws_ratios_over_the_good_bands():
    slow, fast = diagnosis.SLOW, diagnosis.FAST
    figure = health(
        layer(weight=4.0, gradient=2e-6, step=8 * fast),
        layer(weight=np.nan, gradient=np.nan, step=np.nan),
        layer(weight=2.0, gradient=1.0, step=slow),
        layer(weight=1.0, gradient=0.1, step=1e-3),
    )
    gradients, steps = figure.axes[2:]
    np.testing.assert_allclose(band(gradients), [0.1 * diagnosis.VANISHED, 0.1 * diagnosis.EXPLODED])
    np.testing.assert_allclose(band(steps), [slow, fast])
    assert (dots(gradients, VERMILION), dots(gradients, BLUE)) == ([(5e-7, 0)], [(0.5, 2), (0.1, 3)])
    assert (dots(steps, VERMILION), dots(steps, BLUE)) == ([(2 * fast, 0), (slow / 2, 2)], [(1e-3, 3)])


@pytest.mark.parametrize(("value", "edge"), [(0.0, 0.02), (np.nan, 0.98), (np.inf, 0.98)])
def test_health_puts_what_no_scale_holds_at_the_edge(value, edge):
    figure = health(layer(gradient=value, step=value), layer())
    assert [crosses(ax) for ax in figure.axes[2:]] == [[(edge, 0)], [(edge, 0)]]


def test_health_draws_outputs_that_are_not_finite_at_the_edge():
    assert crosses(health(layer(spread=np.inf), layer(mean=np.nan), layer()).axes[0]) == [(0.98, 0), (0.98, 1)]


@pytest.mark.parametrize("depth", [2, 20])
def test_no_two_labels_of_a_health_overlap(depth):
    model = cr.MLP([5, *[32] * (depth - 1), 2], activation="tanh", rng=0)
    x = np.random.default_rng(0).normal(size=(100, 5))
    figure = plots.health(cr.diagnose(model, 1e4 * x, (x[:, 0] > 0).astype(int)))
    figure.savefig(io.BytesIO(), format="png")
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    for ax in figure.axes:
        shown = [
            label for label in ax.get_xticklabels() if ax.get_xlim()[0] <= label.get_position()[0] <= ax.get_xlim()[1]
        ]
        boxes += [label.get_window_extent() for label in shown]
    overlaps = sum(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])
    assert overlaps == 0


def test_a_network_without_parameters_has_no_ratios():
    figure = health(layer(weight=np.nan, gradient=np.nan, step=np.nan))
    assert [dots(ax, BLUE) + crosses(ax) for ax in figure.axes[2:]] == [[], []]


def test_a_layer_may_be_called_anything():
    figure = health(layer("Mine(cost=$5_{$)"), findings=["Mine($5_{$) is dear."])
    figure.savefig(io.BytesIO(), format="png")
    assert figure.axes[0].get_yticklabels()[0].get_text() == "Mine(cost=$5_{$)  0"


def test_health_refuses_anything_else():
    with pytest.raises(TypeError, match=r"health expects a Diagnosis, got Sequential; pass diagnose\(model, x, y\)"):
        plots.health(cr.MLP([2, 1], rng=0))


def test_health_without_matplotlib_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"health needs matplotlib.*pip install 'chainrule\[plots\]'"):
        health(layer())


# --- reliability ---


def test_reliability_draws_the_curve_of_scikit_learn():
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.5, 0.5, 0.5], size=500)
    y = rng.integers(3, size=500)
    figure = plots.reliability(p, y, bins=10)
    share, mean = calibration_curve(p.argmax(axis=1) == y, p.max(axis=1), n_bins=10, strategy="uniform")
    dots = figure.axes[0].containers[0].lines[0]
    np.testing.assert_allclose(dots.get_xdata(), mean)
    np.testing.assert_allclose(dots.get_ydata(), share)
    assert [bar.get_height() for bar in figure.axes[1].patches] == list(np.histogram(p.max(axis=1), 10, (0, 1))[0])
    from chainrule.metrics import expected_calibration_error

    error = expected_calibration_error(y, p, from_logits=False, bins=10)
    assert figure.axes[0].get_title() == f"calibration error {100 * error:.1f} %"


def test_reliability_shows_wilsons_interval():
    statsmodels_says = 0.4901625, 0.9433178  # proportion_confint(8, 10, method="wilson")
    figure = plots.reliability([0.9] * 10, [1] * 8 + [0] * 2)
    (segment,) = figure.axes[0].containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose(segment[:, 1], statsmodels_says, atol=1e-5)


def test_reliability_of_one_column_is_that_of_two():
    p = np.array([0.2, 0.7, 0.9])
    one, two = (plots.reliability(q, [0, 1, 0]) for q in (p, np.column_stack([1 - p, p])))
    assert one.axes[0].get_title() == two.axes[0].get_title()


@pytest.mark.parametrize("draw", [plots.reliability, lambda p, y: plots.worst(p, y, np.ones((len(p), 4)), (2, 2))])
@pytest.mark.parametrize(
    ("p", "y", "words"),
    [
        ([[2.0, -1.0]], [0], r"probabilities from 0 to 1, got -1 to 2; take ops.softmax\(outputs\)"),
        ([[0.5, 0.5]], [2], "labels from 0 to 1, got 2"),
        ([[0.5, 0.5]], [0.5], "labels from 0 to 1, got 0.5"),
        ([[0.5, 0.5]], [0, 1], "labels_true, one for each row of probabilities,"),
        ([[0.5, np.nan]], [0], "finite numbers in probabilities"),
        ([], [], "at least one value"),
    ],
)
def test_probabilities_that_are_none_are_refused(draw, p, y, words):
    with pytest.raises(ValueError, match=words):
        draw(p, y)


# --- worst ---


def test_worst_shows_the_most_confident_mistakes_first():
    p = np.array([[0.9, 0.1], [0.01, 0.99], [0.4, 0.6], [0.998, 0.002]])
    images = np.arange(16.0).reshape(4, 2, 2)
    figure = plots.worst(p, [0, 0, 1, 1], images, (2, 2), class_names=["cat", "a dog of many words"], count=3)
    ax = figure.axes[0]
    assert [text.get_text().split("\n") for text in ax.texts] == [
        ["true a dog of ma…", "said cat, 99 %"],
        ["true cat", "said a dog of ma…, 99 %"],
        ["true a dog of ma…", "said a dog of ma…, 60 %"],
    ]
    for image, row in zip(ax.images, (3, 1, 2), strict=True):
        np.testing.assert_array_equal(image.get_array(), images[row])


@pytest.mark.parametrize("count", [1, 7, 18])
def test_worst_texts_stay_in_their_tiles(count):
    p = np.full((20, 2), 0.5)
    names = ["Ankle boot of leather", "T-shirt/top"]
    figure = plots.worst(p, [0, 1] * 10, np.ones((20, 6)), (2, 3), names, count=count)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert len(ax.images) == len(ax.texts) == count
    boxes = [text.get_window_extent() for text in ax.texts]
    frames = [image.get_window_extent() for image in ax.images]
    for box, frame in zip(boxes, frames, strict=True):
        assert box.width <= frame.width + 8
        assert box.y0 >= frame.y1 - 1
        assert box.x0 >= 0
        assert box.y1 <= figure.bbox.y1
    assert max(figure.get_size_inches()) < 14


@pytest.mark.parametrize(
    ("shape", "names", "words"),
    [
        ((2, 3), None, r"x of shape \(2, 6\) for 2 images of 2 by 3 pixels, got \(2, 4\)"),
        ((0, 4), None, r"image_shape \(height, width\), got"),
        (4, None, r"image_shape \(height, width\), got 4"),
        ((2, 2), ["a"], "2 class_names, one per class, got 1"),
    ],
)
def test_worst_refuses(shape, names, words):
    with pytest.raises(ValueError, match=f"worst expects {words}"):
        plots.worst([0.1, 0.9], [0, 1], np.ones((2, 4)), shape, names)


# --- importances ---


def test_importances_are_bars_from_the_largest_down():
    values = np.array([[0.1, 0.3], [0.9, 0.7], [-0.1, 0.1]])
    figure = plots.importances(values, ["a", "b", "c"], label="loss", count=2)
    ax = figure.axes[0]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [0.8, 0.2])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["b", "a"]
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


# --- names from data ---

NAMES = [r"$\frac$", r"$x_{$ and \$", "two\nlines\0", "w" * 500]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.confusion([0, 1, 2, 3], [0, 1, 2, 3], class_names=NAMES),
        lambda: plots.confusion(NAMES, NAMES),
        lambda: plots.predictions([1.0, 2.0], [1.0, 2.0], target=NAMES[0]),
        lambda: plots.curves({"loss": [1.0, 2.0], NAMES[0]: [1.0, 2.0], NAMES[3]: [1.0, 2.0]}),
        lambda: plots.importances([4, 3, 2, 1], NAMES, label=NAMES[0]),
        lambda: plots.worst(np.full((4, 4), 0.25), [0, 1, 2, 3], np.ones((4, 4)), (2, 2), NAMES),
        lambda: plots.decision_regions(Model(lambda x: x[:, :1]), MOONS, [0, 1, 0, 1], NAMES[:2], resolution=5),
    ],
)
def test_names_are_no_formulas(draw):
    figure = draw()
    figure.savefig(io.BytesIO(), format="png")  # a formula that cannot be read would raise
    assert max(figure.get_size_inches()) < 16
