"""The confusion matrix counts as scikit-learn does, with labels of every shape and kind and in every container."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import plots
from plots.figures import cells, ticks, to_rgba

metrics = pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize("classes", [2, 3, 10, 30])
def test_confusion_counts_as_scikit_learn_does(classes):
    rng = np.random.default_rng(classes)
    true, predicted = rng.integers(0, classes, (2, 40 * classes))
    figure = plots.confusion(true, predicted, class_names=[f"k{k}" for k in range(classes)])
    expected = metrics.confusion_matrix(true, predicted, labels=range(classes))
    np.testing.assert_array_equal(cells(figure).astype(int).reshape(classes, classes), expected)
    ax = figure.axes[0]
    assert ticks(ax.get_xticklabels()) == [f"k{k}" for k in range(classes)]
    assert ticks(ax.get_yticklabels()) == [f"k{k}" for k in range(classes)]
    right = int((true == predicted).sum())
    assert ax.get_title() == f"accuracy {100 * right / len(true):.1f} % ({right:,} of {len(true):,})"
    shares = metrics.confusion_matrix(true, predicted, labels=range(classes), normalize="true")
    np.testing.assert_allclose(ax.images[0].get_array(), shares)


@pytest.mark.parametrize("classes", [2, 10, 30])
def test_confusion_texts_stay_inside_their_cells(classes):
    true = np.repeat(np.arange(classes), 1234)
    figure = plots.confusion(true, true, class_names=[f"a long name {k}" for k in range(classes)])
    ax = figure.axes[0]
    for text in ax.texts:
        text.set_in_layout(False)  # what lies inside the axes moves nothing: only drawing takes longer
    figure.draw_without_rendering()
    width = ax.get_window_extent().width / classes
    different = {(text.get_text(), text.get_fontsize()): text for text in ax.texts}
    assert max(text.get_window_extent().width for text in different.values()) < width
    assert min(text.get_fontsize() for text in ax.texts) >= 6
    for tick in ax.get_yticklabels():
        assert tick.get_window_extent().x0 > 0


def test_confusion_positions_rows_as_truth_and_columns_as_prediction():
    ax = plots.confusion(["cat", "cat", "dog"], ["dog", "dog", "dog"]).axes[0]
    placed = {text.get_position(): text.get_text() for text in ax.texts}
    assert placed == {(0, 0): "0", (1, 0): "2", (0, 1): "0", (1, 1): "1"}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert ticks(ax.get_yticklabels()) == ["cat", "dog"]


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
        ([0, 1], [object(), object()], None, TypeError, "labels in labels_predicted that are numbers, or text"),
        ([0, 1], [0, "a"], None, TypeError, "labels of one kind in labels_predicted, got 'a' and 0"),
        ([0, 1], np.ma.array([0, 1], mask=[0, 1]), None, ValueError, "labels_predicted without gaps, got a masked"),
        (np.array([0, 1], "m8[D]"), [0, 1], None, TypeError, "got dtype timedelta64"),
    ],
)
def test_confusion_refuses(true, predicted, names, error, words):
    with pytest.raises(error, match=words):
        plots.confusion(true, predicted, class_names=names)


# Labels in every holder.

TRUE, SAID = np.array([0, 1, 2, 1, 0]), np.array([0, 2, 2, 1, 0])
HOLDERS = {
    "column": lambda y: y[:, None],
    "list": lambda y: y.tolist(),
    "objects": lambda y: y.astype(object),
    "Series": lambda y: pytest.importorskip("pandas").Series(y, index=range(9, 14)),
    "frame of one column": lambda y: pytest.importorskip("pandas").DataFrame({"y": y}),
    "categorical": lambda y: pytest.importorskip("pandas").Series(y).astype("category"),
    "nullable": lambda y: pytest.importorskip("pandas").Series(y).convert_dtypes(),
    "polars": lambda y: pytest.importorskip("polars").Series(y.tolist()),
}
LABELS = {
    "numbers": np.array([0, 1, 2]),
    "text": np.array(["a", "b", "c"]),
    "ids": 2**62 + np.array([1, 2, 3]),
    "beyond 2^63": np.array([2**63 + 1, 2**63 + 2, 2**64 - 1], np.uint64),
}


def seen(figure):
    ax = figure.axes[0]
    return ax.get_title(), ticks(ax.get_xticklabels()), cells(figure).tolist()


@pytest.mark.parametrize("kind", LABELS)
def test_labels_in_any_container_are_counted_alike(kind):
    true, said = LABELS[kind][TRUE], LABELS[kind][SAID]
    expected = seen(plots.confusion(true, said))
    assert expected[:2] == ("accuracy 80.0 % (4 of 5)", [str(label) for label in LABELS[kind].tolist()])
    for holder, held in HOLDERS.items():
        assert seen(plots.confusion(held(true), held(said))) == expected, holder


def test_signed_and_unsigned_labels_do_not_meet_as_floats():
    unsigned = np.array([2**62, 2**62 + 1], np.uint64)
    assert seen(plots.confusion(unsigned, unsigned.astype(np.int64)))[0] == "accuracy 100.0 % (2 of 2)"
    assert seen(plots.confusion(unsigned, unsigned[::-1].astype(np.int64)))[0] == "accuracy 0.0 % (0 of 2)"
