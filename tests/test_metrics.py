"""Metrics against scikit-learn, and by hand where it has none."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import metrics

Metric = Callable[..., float]
WEIGHTED = pytest.mark.parametrize("weighted", [False, True])
REGRESSION = [metrics.root_mean_squared_error, metrics.mean_absolute_error, metrics.r2_score]
CLASSIFICATION = [metrics.accuracy, metrics.balanced_accuracy, metrics.f1_score]
PROBABILITY = [metrics.roc_auc_score, metrics.log_loss, metrics.expected_calibration_error]


@pytest.fixture
def weight(weighted: bool, rng: np.random.Generator) -> np.ndarray | None:
    return np.append(rng.uniform(size=58), [0.0, 3.0]) if weighted else None


@WEIGHTED
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
@pytest.mark.parametrize("soft", [False, True])
def test_classes_as_in_scikit_learn(name: str, soft: bool, weight: np.ndarray | None, rng: np.random.Generator) -> None:
    oracle = getattr(pytest.importorskip("sklearn.metrics"), f"{name}_score")
    z, y = rng.normal(size=(60, 4)), rng.choice(4, size=60, p=[0.6, 0.2, 0.1, 0.1])
    given_y = np.eye(4)[y] * 0.9 + 0.025 if soft else y
    expected = oracle(y, z.argmax(axis=1), sample_weight=weight)
    assert getattr(metrics, name)(given_y, z, weight) == pytest.approx(expected, rel=1e-12)


@WEIGHTED
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
def test_one_logit_decides_between_two_classes(name: str, weight: np.ndarray | None, rng: np.random.Generator) -> None:
    oracle = getattr(pytest.importorskip("sklearn.metrics"), f"{name}_score")
    z, y = rng.normal(size=(60, 1)), rng.integers(2, size=(60, 1))
    expected = oracle(y[:, 0], z[:, 0] > 0, sample_weight=weight)
    assert getattr(metrics, name)(y, z, weight) == pytest.approx(expected, rel=1e-12)


def test_a_class_that_does_not_occur_has_no_share_in_the_balance() -> None:
    z = np.eye(3)[[0, 0, 2, 1]]
    assert metrics.balanced_accuracy(np.array([0, 0, 0, 1]), z) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.balanced_accuracy(np.array([0, 0, 0, 1]), z, [1, 1, 1, 0]) == pytest.approx(2 / 3)


@WEIGHTED
def test_labels_that_hold_independently_as_in_scikit_learn(weight: np.ndarray | None, rng: np.random.Generator) -> None:
    hamming_loss = pytest.importorskip("sklearn.metrics").hamming_loss
    z, y = rng.normal(size=(60, 3)), rng.integers(2, size=(60, 3))
    expected = 1 - hamming_loss(y, (z > 0).astype(int), sample_weight=weight)
    assert metrics.binary_accuracy(y, z, weight) == pytest.approx(expected, rel=1e-12)
    probabilities = 1 / (1 + np.exp(-z))
    of_probabilities = partial(metrics.binary_accuracy, threshold=0.5)
    assert of_probabilities(y, probabilities, weight) == pytest.approx(expected, rel=1e-12)


@WEIGHTED
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("metric", REGRESSION)
def test_numbers_as_in_scikit_learn(
    metric: Metric, outputs: int, dtype: type, weight: np.ndarray | None, rng: np.random.Generator
) -> None:
    oracle = getattr(pytest.importorskip("sklearn.metrics"), metric.__name__)
    y = rng.normal(size=(60, outputs)) * [1, 10, 100][:outputs]
    z = (y + rng.normal(size=(60, outputs))).astype(dtype)
    expected = oracle(y, z.astype(np.float64), sample_weight=weight)
    assert metric(y, z, weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("off", [0.0, 1.0])
def test_r2_of_a_constant_target_as_in_scikit_learn(off: float) -> None:
    oracle = pytest.importorskip("sklearn.metrics").r2_score
    y = np.column_stack([np.full(5, 2.0), np.arange(5.0)])
    z = y + np.array([off, 0.5])
    assert metrics.r2_score(y, z) == pytest.approx(oracle(y, z), rel=1e-12)
    assert metrics.r2_score(y[:, :1], z[:, :1]) == 1 - off


@pytest.mark.parametrize("exponent", [-1000, -300, 300, 1020])
@pytest.mark.parametrize("metric", REGRESSION)
def test_numbers_whose_squares_overflow_are_scored(metric: Metric, exponent: int, rng: np.random.Generator) -> None:
    y, z = rng.normal(size=(2, 60, 2))
    scaled = metric(np.ldexp(y, exponent), np.ldexp(z, exponent))
    assert scaled == (metric(y, z) if metric is metrics.r2_score else np.ldexp(metric(y, z), exponent))


def test_r2_of_one_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="r2_score expects at least 2 samples, as one has no variance, got 1"):
        metrics.r2_score(np.ones((1, 1)), np.ones((1, 1)))


@given(pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_confusion_as_in_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    oracle = pytest.importorskip("sklearn.metrics").confusion_matrix
    true, predicted = np.array(pairs).T
    found = metrics.confusion_matrix(true, predicted, 5)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, oracle(true, predicted, labels=range(5)))


@pytest.mark.parametrize(
    ("true", "predicted", "classes", "says"),
    [
        ([0, 3], [0, 1], 3, "labels from 0 to 2, got 3"),
        ([0, 1], [0, -1], 3, "labels from 0 to 2, got -1"),
        ([0, 1], [0, 0.5], 3, "whole numbers as labels, got 0.5"),
        ([0, 1], [0], 3, r"labels of one shape \(N,\), N >= 1, got \(2,\) and \(1,\)"),
        ([], [], 3, r"labels of one shape \(N,\), N >= 1, got \(0,\) and \(0,\)"),
        ([[0]], [[0]], 3, r"labels of one shape \(N,\)"),
        ([0], [0], 0, "n_classes >= 1, got 0"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(true: list, predicted: list, classes: int, says: str) -> None:
    with pytest.raises(ValueError, match=f"confusion_matrix expects .*{says}"):
        metrics.confusion_matrix(true, predicted, classes)


@pytest.mark.parametrize("metric", [*REGRESSION, metrics.binary_accuracy, *CLASSIFICATION, *PROBABILITY])
def test_a_flat_target_against_a_column_is_refused(metric: Metric) -> None:
    with pytest.raises(ValueError, match=rf"{metric.__name__} expects y of shape \(3, 1\) .*; use y\[:, None\]"):
        metric(np.ones(3), np.ones((3, 1)))


@pytest.mark.parametrize("metric", metrics.METRICS.values())
@pytest.mark.parametrize(
    ("n", "weight", "says"),
    [
        (0, None, "at least one sample"),
        (2, [0, 0], "at least one sample of positive weight, got 2 weights of 0"),
        (2, [1, -1], "weights to be finite and not negative, got -1"),
        (2, [1], r"one weight for each of the 2 samples, shape \(2,\), got \(1,\)"),
    ],
)
def test_nothing_to_average_is_refused(metric: Metric, n: int, weight: list | None, says: str) -> None:
    with pytest.raises(ValueError, match=f"{metric.__name__} expects {says}"):
        metric(np.full((n, 2), 0.5), np.ones((n, 2)), weight)


@pytest.mark.parametrize("metric", CLASSIFICATION)
def test_several_classes_at_once_are_no_soft_label(metric: Metric) -> None:
    with pytest.raises(ValueError, match=f"{metric.__name__} expects each row .* use .* binary_accuracy"):
        metric(np.array([[1, 1, 0]]), np.ones((1, 3)))


@pytest.mark.parametrize("metric", metrics.METRICS.values())
def test_arguments_come_in_the_order_of_scikit_learn(metric: Metric) -> None:
    assert list(inspect.signature(metric).parameters)[:3] == ["y_true", "y_pred", "sample_weight"]


def test_a_metric_of_ones_own_is_given_truth_outputs_and_weights(rng: np.random.Generator) -> None:
    def seen(y_true: np.ndarray, y_pred: np.ndarray, sample_weight: np.ndarray) -> float:
        assert (y_true.shape, y_pred.shape, sample_weight.shape) == ((40,), (40, 3), (40,))
        return 0.0

    trainer = cr.Trainer(cr.MLP([2, 3], rng=0), "cross_entropy", metrics=[seen])
    data = rng.normal(size=(40, 2)), rng.integers(3, size=40), np.ones(40)
    trainer.fit(*data, validation=data, epochs=1, verbose=0)
    assert trainer.evaluate(*data)["seen"] == 0


@pytest.mark.parametrize("metric", metrics.METRICS.values())
def test_an_output_that_is_no_number_is_refused(metric: Metric) -> None:
    z = np.array([[0.5, 0.5], [0.5, np.nan]])
    with pytest.raises(ValueError, match=f"{metric.__name__} expects finite numbers in y_pred, got nan at row 1"):
        metric(np.full((2, 2), 0.5), z)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_a_name_gives_the_metric(name: str) -> None:
    assert metrics.get_metric(name) is getattr(metrics, name)


def test_a_callable_is_a_metric_as_it_is() -> None:
    def mine(y_true: np.ndarray, y_pred: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        return 0.0

    assert metrics.get_metric(mine) is mine


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"get_metric .*'acuracy' .*did you mean 'accuracy'"):
        metrics.get_metric("acuracy")


def test_what_is_no_metric_is_refused() -> None:
    with pytest.raises(TypeError, match="get_metric expects the name of a metric or a callable, got 3"):
        metrics.get_metric(3)


@WEIGHTED
@pytest.mark.parametrize("metric", CLASSIFICATION)
def test_one_probability_decides_between_two_classes(
    metric: Metric, weight: np.ndarray | None, rng: np.random.Generator
) -> None:
    z, y = rng.normal(size=(60, 1)), rng.integers(2, size=(60, 1))
    probabilities = 1 / (1 + np.exp(-z))
    assert metric(y, probabilities, weight, threshold=0.5) == metric(y, z, weight)
    assert metric(y, probabilities, weight) == metric(y, np.ones((60, 1)), weight)


# --- F1 ---


@WEIGHTED
@pytest.mark.parametrize("columns", [1, 4])
def test_f1_as_in_scikit_learn(columns: int, weight: np.ndarray | None, rng: np.random.Generator) -> None:
    oracle = pytest.importorskip("sklearn.metrics").f1_score
    z = rng.normal(size=(60, columns))
    y = rng.choice(4, size=60, p=[0.6, 0.2, 0.1, 0.1]) if columns > 1 else rng.integers(2, size=(60, 1))
    predicted = z.argmax(axis=1) if columns > 1 else z[:, 0] > 0
    expected = oracle(y.ravel(), predicted, sample_weight=weight, average="macro" if columns > 1 else "binary")
    assert metrics.f1_score(y, z, weight) == pytest.approx(expected, rel=1e-12)


def test_f1_counts_a_class_that_is_only_predicted_and_none_that_never_occurs() -> None:
    oracle = pytest.importorskip("sklearn.metrics").f1_score
    z, y = np.eye(4)[[0, 0, 2, 1]], np.array([0, 0, 0, 1])
    assert metrics.f1_score(y, z) == pytest.approx(oracle(y, z.argmax(axis=1), average="macro"))


def test_f1_of_a_second_class_that_never_occurs_is_0() -> None:
    assert metrics.f1_score(np.array([[0], [0]]), np.array([[-1.0], [-2.0]])) == 0


# --- order and probabilities ---


def softmax(z: np.ndarray) -> np.ndarray:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


@WEIGHTED
@pytest.mark.parametrize("digits", [0, 1, 15])  # fewer digits, more ties
@pytest.mark.parametrize("from_logits", [True, False])
def test_area_of_one_column_as_in_scikit_learn(
    from_logits: bool, digits: int, weight: np.ndarray | None, rng: np.random.Generator
) -> None:
    oracle = pytest.importorskip("sklearn.metrics").roc_auc_score
    z, y = rng.normal(size=(60, 1)).round(digits), rng.integers(2, size=(60, 1))
    expected = oracle(y[:, 0], z[:, 0], sample_weight=weight)
    assert metrics.roc_auc_score(y, z, weight, from_logits=from_logits) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 4])
@WEIGHTED
def test_area_of_classes_as_in_scikit_learn(
    classes: int, dtype: type, weight: np.ndarray | None, rng: np.random.Generator
) -> None:
    oracle = pytest.importorskip("sklearn.metrics").roc_auc_score
    z, y = (3 * rng.normal(size=(60, classes))).astype(dtype), rng.integers(classes, size=60)
    p = softmax(z.astype(np.float64))
    expected = oracle(y, p[:, 1] if classes == 2 else p, sample_weight=weight, multi_class="ovr")
    assert metrics.roc_auc_score(y, z, weight) == pytest.approx(expected, rel=1e-12)
    assert metrics.roc_auc_score(y, p, weight, from_logits=False) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("classes", [2, 4])
@WEIGHTED
def test_area_of_tied_probabilities_as_in_scikit_learn(
    classes: int, weight: np.ndarray | None, rng: np.random.Generator
) -> None:
    oracle = pytest.importorskip("sklearn.metrics").roc_auc_score
    p, y = rng.multinomial(8, [1 / classes] * classes, size=60) / 8, rng.integers(classes, size=60)
    expected = oracle(y, p[:, 1] if classes == 2 else p, sample_weight=weight, multi_class="ovr")
    assert metrics.roc_auc_score(y, p, weight, from_logits=False) == pytest.approx(expected, rel=1e-12)


def test_area_ranks_logits_where_probabilities_are_all_1() -> None:
    z = np.array([[50.0, 0.0], [60.0, 0.0], [70.0, 0.0], [80.0, 0.0]])
    assert metrics.roc_auc_score(np.array([1, 1, 0, 0]), z) == 1
    assert metrics.roc_auc_score(np.array([1, 0, 1, 0]), z) == 0.75


def test_area_leaves_out_a_class_that_never_occurs(rng: np.random.Generator) -> None:
    oracle = pytest.importorskip("sklearn.metrics").roc_auc_score
    z, y = rng.normal(size=(60, 3)), rng.integers(2, size=60)
    areas = [oracle(y == k, softmax(z)[:, k]) for k in (0, 1)]
    assert metrics.roc_auc_score(y, z) == pytest.approx(np.mean(areas), rel=1e-12)


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.0]])
def test_area_of_one_class_is_refused(weight: list | None) -> None:
    y = np.array([1, 1, 1 if weight is None else 0])
    for z, target in ((np.eye(3)[:, :2], y), (np.ones((3, 1)), y[:, None])):
        with pytest.raises(ValueError, match="roc_auc_score expects samples of at least two classes, got samples of"):
            metrics.roc_auc_score(target, z, weight)


@WEIGHTED
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("columns", [1, 2, 4])
def test_log_loss_as_in_scikit_learn(
    columns: int, from_logits: bool, weight: np.ndarray | None, rng: np.random.Generator
) -> None:
    oracle = pytest.importorskip("sklearn.metrics").log_loss
    z = rng.normal(size=(60, columns))
    y = rng.integers(max(columns, 2), size=60)
    p = softmax(z) if columns > 1 else 1 / (1 + np.exp(-z))
    expected = oracle(y, p if columns > 1 else p[:, 0], sample_weight=weight)
    target = y if columns > 1 else y[:, None]
    found = metrics.log_loss(target, z if from_logits else p, weight, from_logits=from_logits)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", [metrics.log_loss, metrics.expected_calibration_error])
def test_probabilities_are_not_taken_for_logits(metric: Metric) -> None:
    y, p = np.array([0, 1]), np.array([[0.8, 0.2], [0.3, 0.7]], np.float32)
    with pytest.raises(ValueError, match=r"expects logits, got rows of probabilities.*pass from_logits=False"):
        metric(y, p)
    assert metric(y, p, from_logits=True) == pytest.approx(metric(y, p + 1))


def test_the_area_of_many_classes_refuses_probabilities_not_declared_as_such(rng: np.random.Generator) -> None:
    y, p = rng.integers(3, size=60), softmax(rng.normal(size=(60, 3)))
    with pytest.raises(ValueError, match=r"^roc_auc_score expects logits, got rows of probabilities.*from_logits=Fal"):
        metrics.roc_auc_score(y, p)
    assert metrics.roc_auc_score(y, p, from_logits=True) != metrics.roc_auc_score(y, p, from_logits=False)
    two = np.column_stack([p[:, 0], 1 - p[:, 0]])  # ranked alike either way
    assert metrics.roc_auc_score(y % 2, two) == metrics.roc_auc_score(y % 2, two, from_logits=False)


def test_log_loss_is_safe_where_a_probability_vanishes() -> None:
    assert metrics.log_loss(np.array([1]), np.array([[1e4, 0.0]], np.float32)) == 1e4
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]]), from_logits=False) == pytest.approx(-np.log(1e-12))


@WEIGHTED
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("columns", [1, 3])
def test_calibration_as_from_the_curve_of_scikit_learn(
    columns: int, bins: int, from_logits: bool, weight: np.ndarray | None, rng: np.random.Generator
) -> None:
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    z = rng.normal(size=(60, columns))
    p = softmax(z) if columns > 1 else 1 / (1 + np.exp(-z))
    y = rng.integers(max(columns, 2), size=60)
    both = p if columns > 1 else np.hstack([1 - p, p])
    rows = np.arange(60) if weight is None else np.repeat(np.arange(60), np.round(4 * weight).astype(int))
    right, confidence = both.argmax(axis=1)[rows] == y[rows], both.max(axis=1)[rows]
    share, mean = calibration_curve(right, confidence, n_bins=bins, strategy="uniform")
    counts = np.bincount(np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True))
    expected = counts[counts > 0] @ np.abs(share - mean) / len(rows)
    found = metrics.expected_calibration_error(
        y if columns > 1 else y[:, None],
        z if from_logits else p,
        None if weight is None else np.round(4 * weight),
        from_logits=from_logits,
        bins=bins,
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_confidence_on_the_edge_of_a_bin_belongs_to_the_lower_one() -> None:
    p = np.array([[0.75, 0.25], [0.76, 0.24]])  # of 4 bins, the third and the fourth
    y = np.array([0, 1])
    assert metrics.expected_calibration_error(y, p, from_logits=False, bins=4) == pytest.approx((0.25 + 0.76) / 2)


def test_calibration_refuses_no_bins() -> None:
    with pytest.raises(ValueError, match="expected_calibration_error expects bins >= 1, got 0"):
        metrics.expected_calibration_error(np.array([0]), np.ones((1, 2)), bins=0)


def test_import_brings_in_no_family_before_it_is_used() -> None:
    program = (
        "import sys, chainrule; assert 'chainrule.metrics.probability' not in sys.modules;"
        "assert 'chainrule.metrics.classification' not in sys.modules;"
        "chainrule.metrics.log_loss; assert 'chainrule.metrics.probability' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_unknown_name_is_no_attribute() -> None:
    assert not hasattr(metrics, "acuracy")
    assert dir(metrics) == metrics.__all__
