"""Reliability of probabilities, and the most confident mistakes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

from chainrule import metrics, plots


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
    error = metrics.expected_calibration_error(y, p, from_logits=False, bins=10)
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
def test_invalid_probabilities_are_refused(draw, p, y, words):
    with pytest.raises(ValueError, match=words):
        draw(p, y)


# The worst.


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
