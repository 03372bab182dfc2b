"""Metrics against scikit-learn, and by hand where it has none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import metrics

Metric = Callable[..., float]
WEIGHTED = pytest.mark.parametrize("weighted", [False, True])
REGRESSION = [metrics.root_mean_squared_error, metrics.mean_absolute_error, metrics.r2_score]
CLASSIFICATION = [metrics.accuracy, metrics.balanced_accuracy]


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
    assert getattr(metrics, name)(z, given_y, weight) == pytest.approx(expected, rel=1e-12)


@WEIGHTED
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
def test_one_logit_decides_between_two_classes(name: str, weight: np.ndarray | None, rng: np.random.Generator) -> None:
    oracle = getattr(pytest.importorskip("sklearn.metrics"), f"{name}_score")
    z, y = rng.normal(size=(60, 1)), rng.integers(2, size=(60, 1))
    expected = oracle(y[:, 0], z[:, 0] > 0, sample_weight=weight)
    assert getattr(metrics, name)(z, y, weight) == pytest.approx(expected, rel=1e-12)


def test_a_class_that_does_not_occur_has_no_share_in_the_balance() -> None:
    z = np.eye(3)[[0, 0, 2, 1]]
    assert metrics.balanced_accuracy(z, np.array([0, 0, 0, 1])) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.balanced_accuracy(z, np.array([0, 0, 0, 1]), [1, 1, 1, 0]) == pytest.approx(2 / 3)


@WEIGHTED
def test_labels_that_hold_independently_as_in_scikit_learn(weight: np.ndarray | None, rng: np.random.Generator) -> None:
    hamming_loss = pytest.importorskip("sklearn.metrics").hamming_loss
    z, y = rng.normal(size=(60, 3)), rng.integers(2, size=(60, 3))
    expected = 1 - hamming_loss(y, (z > 0).astype(int), sample_weight=weight)
    assert metrics.binary_accuracy(z, y, weight) == pytest.approx(expected, rel=1e-12)
    probabilities = 1 / (1 + np.exp(-z))
    of_probabilities = partial(metrics.binary_accuracy, threshold=0.5)
    assert of_probabilities(probabilities, y, weight) == pytest.approx(expected, rel=1e-12)


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
    assert metric(z, y, weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("off", [0.0, 1.0])
def test_r2_of_a_constant_target_as_in_scikit_learn(off: float) -> None:
    oracle = pytest.importorskip("sklearn.metrics").r2_score
    y = np.column_stack([np.full(5, 2.0), np.arange(5.0)])
    z = y + np.array([off, 0.5])
    assert metrics.r2_score(z, y) == pytest.approx(oracle(y, z), rel=1e-12)
    assert metrics.r2_score(z[:, :1], y[:, :1]) == 1 - off


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


@pytest.mark.parametrize("metric", [*REGRESSION, metrics.binary_accuracy, *CLASSIFICATION])
def test_a_flat_target_against_a_column_is_refused(metric: Metric) -> None:
    with pytest.raises(ValueError, match=rf"{metric.__name__} expects y of shape \(3, 1\) .*; use y\[:, None\]"):
        metric(np.ones((3, 1)), np.ones(3))


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
        metric(np.ones((n, 2)), np.full((n, 2), 0.5), weight)


@pytest.mark.parametrize("metric", CLASSIFICATION)
def test_several_classes_at_once_are_no_soft_label(metric: Metric) -> None:
    with pytest.raises(ValueError, match=f"{metric.__name__} expects each row .* use .* binary_accuracy"):
        metric(np.ones((1, 3)), np.array([[1, 1, 0]]))


@pytest.mark.parametrize("name", metrics.METRICS)
def test_a_name_gives_the_metric(name: str) -> None:
    assert metrics.get_metric(name) is getattr(metrics, name)


def test_a_callable_is_a_metric_as_it_is() -> None:
    def mine(z: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
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
    assert metric(probabilities, y, weight, threshold=0.5) == metric(z, y, weight)
    assert metric(probabilities, y, weight) == metric(np.ones((60, 1)), y, weight)
