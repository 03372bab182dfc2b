"""Cross-entropies: closed forms, labels in all their shapes, the floor under probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.losses import BinaryCrossEntropy, CrossEntropy

THIRDS = np.log([[1.0, 2.0, 3.0]])  # logits whose softmax is 1/6, 2/6, 3/6


def test_cross_entropy_of_known_odds() -> None:
    value, dz = CrossEntropy()(THIRDS, np.array([1]))
    assert value == pytest.approx(math.log(3), rel=1e-15)
    np.testing.assert_allclose(dz, [[1 / 6, -2 / 3, 1 / 2]], rtol=1e-14)


def test_a_soft_label_weighs_the_classes() -> None:
    value, dz = CrossEntropy()(THIRDS, np.array([[0.5, 0.0, 0.5]]))
    assert value == pytest.approx(math.log(12) / 2, rel=1e-14)  # ½ log 6 + ½ log 2
    np.testing.assert_allclose(dz, [[-1 / 3, 1 / 3, 0]], atol=1e-15)


def test_label_smoothing_moves_a_share_to_all_classes() -> None:
    """ε = 0.3 over three classes: 0.8 on the label and 0.1 on each other."""
    value, dz = CrossEntropy(label_smoothing=0.3)(THIRDS, np.array([0]))
    assert value == pytest.approx(0.8 * math.log(6) + 0.1 * math.log(3) + 0.1 * math.log(2), rel=1e-14)
    np.testing.assert_allclose(dz, [[1 / 6 - 0.8, 1 / 3 - 0.1, 1 / 2 - 0.1]], rtol=1e-14)


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(False), CrossEntropy(label_smoothing=0.1)], ids=repr)
@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5)])
def test_integer_and_one_hot_labels_are_the_same(
    loss: CrossEntropy, weights: tuple[float, ...] | None, rng: np.random.Generator
) -> None:
    loss = CrossEntropy(loss.from_logits, loss.label_smoothing, weights)
    z, y = rng.dirichlet(np.ones(3), size=6), rng.integers(3, size=6)
    value, dz = loss(z, y)
    expected_value, expected_dz = loss(z, np.eye(3)[y])
    assert value == pytest.approx(expected_value, rel=1e-14)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.float32, np.float64])
def test_labels_of_any_number_type(dtype: type, rng: np.random.Generator) -> None:
    z, y = rng.normal(size=(6, 3)), np.array([0, 1, 2, 2, 1, 0])
    value, dz = CrossEntropy()(z, y.astype(dtype))
    assert value == CrossEntropy()(z, y)[0]
    np.testing.assert_array_equal(dz, CrossEntropy()(z, y)[1])


def test_true_and_false_are_labels_one_and_zero(rng: np.random.Generator) -> None:
    z, y = rng.normal(size=(4, 2)), np.array([True, False, False, True])
    assert CrossEntropy()(z, y)[0] == CrossEntropy()(z, y.astype(int))[0]


def test_class_weights_are_sample_weights() -> None:
    """Labels 0, 2, 2 with c = 1, 5, 3 and w = 1, 1, 2 weigh 1, 3, 6."""
    z = np.random.default_rng(0).normal(size=(3, 3))
    y = np.array([0, 2, 2])
    value, dz = CrossEntropy(class_weight=[1, 5, 3])(z, y, [1, 1, 2])
    expected_value, expected_dz = CrossEntropy()(z, y, [1, 3, 6])
    assert value == pytest.approx(expected_value, rel=1e-14)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-14)


def test_class_weights_of_a_soft_label_are_mixed_before_smoothing() -> None:
    """Half class 0 of weight 1, half class 1 of weight 5, weighs 3, smoothed or not; the second row weighs 4."""
    z, y = np.random.default_rng(0).normal(size=(2, 3)), np.array([[0.5, 0.5, 0], [0, 0, 1]])
    value, dz = CrossEntropy(label_smoothing=0.3, class_weight=[1, 5, 4])(z, y)
    expected_value, expected_dz = CrossEntropy(label_smoothing=0.3)(z, y, [3, 4])
    assert value == pytest.approx(expected_value, rel=1e-14)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-14)


def test_a_label_without_class_weight_weighs_one() -> None:
    z, y = np.random.default_rng(0).normal(size=(3, 3)), np.array([0, 1, 2])
    assert CrossEntropy(class_weight={1: 2.5})(z, y)[0] == CrossEntropy(class_weight=(1, 2.5, 1))(z, y)[0]


def test_classes_of_no_weight_alone_are_a_value_of_zero() -> None:
    value, dz = CrossEntropy(class_weight={0: 0})(np.array([[1.0, 2.0]]), np.array([0]))
    assert value == 0.0
    np.testing.assert_array_equal(dz, [[0, 0]])


def test_a_shift_of_the_logits_changes_nothing_even_in_float32() -> None:
    z = np.array([[0.0, 1.0, -1.0]], np.float32)
    value, dz = CrossEntropy()(z + np.float32(8192), np.array([0]))
    assert value == CrossEntropy()(z, np.array([0]))[0]
    np.testing.assert_array_equal(dz, CrossEntropy()(z, np.array([0]))[1])


def test_probabilities_and_logits_give_one_value(rng: np.random.Generator) -> None:
    z, y = rng.normal(size=(5, 4)), rng.integers(4, size=5)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert CrossEntropy(from_logits=False)(p, y)[0] == pytest.approx(CrossEntropy()(z, y)[0], rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("p", "slope"), [(0.0, 0.0), (5e-13, 0.0), (2e-12, -5e11), (1e-6, -1e6), (0.5, -2.0), (1.0, -1.0)]
)
def test_the_slope_from_probabilities_ends_at_the_floor(p: float, slope: float, dtype: type) -> None:
    value, dz = CrossEntropy(from_logits=False)(np.array([[p, 1 - p]], dtype), np.array([0]))
    assert value == pytest.approx(-math.log(max(p, 1e-12)), rel=1e-6)
    np.testing.assert_allclose(dz, [[slope, 0]], rtol=1e-6)


@pytest.mark.parametrize("p", [5e-13, 2e-12])
@pytest.mark.parametrize("loss", [CrossEntropy(from_logits=False), BinaryCrossEntropy(from_logits=False)], ids=repr)
def test_on_either_side_of_the_floor_the_slope_is_that_of_the_value(
    loss: CrossEntropy | BinaryCrossEntropy, p: float
) -> None:
    y, step = np.array([[1.0, 0.0]]), np.array([[1e-16, 0.0]])
    z = np.array([[p, 0.3]])
    numeric = (loss(z + step, y)[0] - loss(z - step, y)[0]) / 2e-16
    assert loss(z, y)[1][0, 0] == pytest.approx(numeric, rel=1e-2)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ([0, 3], "CrossEntropy expects labels from 0 to 2, got 3; number the classes from 0"),
        ([-1, 0], "CrossEntropy expects labels from 0 to 2, got -1"),
        ([0, 1.5], "CrossEntropy expects whole numbers as labels, got 1.5"),
        ([0, np.nan], "CrossEntropy expects whole numbers as labels, got nan"),
        ([0, np.inf], "CrossEntropy expects labels from 0 to 2, got inf"),
        ([[0], [1]], r"expects y of shape \(2,\) or \(2, 3\) .* got \(2, 1\); use y\[:, 0\]"),
        ([0, 1, 2], r"expects y of shape \(2,\) or \(2, 3\) for z of shape \(2, 3\), got \(3,\)\."),
        ([[1, 0, 0], [1, 1, 0]], "each row of soft labels to sum to 1, got 2 in row 1; use BinaryCrossEntropy"),
        ([[1, 0, 0], [0, 0, 0]], "each row of soft labels to sum to 1, got 0 in row 1"),
        ([[0.5, 0.4995, 0], [0.5, 0.498, 0]], "each row of soft labels to sum to 1, got 0.998 in row 1"),
        ([[1, 0, 0], [2, -1, 0]], "soft labels that are not negative, got -1"),
        ([[1, 0, 0], [np.nan, 1, 0]], "soft labels that are not negative, got nan"),
    ],
)
@pytest.mark.parametrize("from_logits", [True, False])
def test_bad_labels_are_refused(y: object, says: str, from_logits: bool) -> None:
    with pytest.raises(ValueError, match=says):
        CrossEntropy(from_logits)(np.full((2, 3), 1 / 3), y)


def test_names_as_labels_are_refused() -> None:
    with pytest.raises(TypeError, match=r"expects y to be an array of numbers, got dtype .*; encode text as numbers"):
        CrossEntropy()(np.ones((2, 3)), np.array(["cat", "dog"]))


def test_one_class_only_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes, .* got \(2, 1\); use BinaryCrossEntropy"):
        CrossEntropy()(np.ones((2, 1)), np.zeros(2, int))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"label_smoothing": 1.0}, "CrossEntropy expects label_smoothing >= 0 and < 1, got 1.0"),
        ({"label_smoothing": -0.1}, "CrossEntropy expects label_smoothing >= 0 and < 1, got -0.1"),
        ({"class_weight": [1, -1]}, r"CrossEntropy expects class_weight\[1\] >= 0, got -1"),
        ({"class_weight": {3: np.nan}}, r"CrossEntropy expects class_weight\[3\] >= 0, got nan"),
        ({"class_weight": {-1: 1}}, "CrossEntropy expects each label in class_weight >= 0, got -1"),
        ({"class_weight": 2.0}, r"CrossEntropy expects class_weight of shape \(K,\) or a dict, got shape \(\)"),
    ],
)
def test_bad_parameters_are_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CrossEntropy(**given)


@pytest.mark.parametrize("given", [{"a": 1.0}, {0: "b"}, ["a", "b"], "balanced"])
def test_class_weights_that_are_not_numbers_are_refused(given: object) -> None:
    with pytest.raises(TypeError, match=r"CrossEntropy expects .*class_weight"):
        CrossEntropy(class_weight=given)


@pytest.mark.parametrize(
    ("given", "says"),
    [([1, 2], "class_weight for 3 classes, got 2 weights"), ({3: 1.0}, "class_weight for labels 0 to 2, got label 3")],
)
def test_class_weights_must_fit_the_classes(given: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CrossEntropy(class_weight=given)(np.ones((1, 3)), np.array([0]))


def test_binary_cross_entropy_of_known_odds() -> None:
    """Logits of probability ¾ and ¼; labels sum."""
    z = np.log([[3.0, 1 / 3]])
    value, dz = BinaryCrossEntropy()(z, np.array([[1, 1]]))
    assert value == pytest.approx(-math.log(3 / 16), rel=1e-14)
    np.testing.assert_allclose(dz, [[-1 / 4, -3 / 4]], rtol=1e-14)


def test_two_classes_are_one_logit(rng: np.random.Generator) -> None:
    """softmax over (0, z) is sigmoid(z)."""
    z, y = rng.normal(size=(6, 1)), rng.integers(2, size=6)
    value, dz = BinaryCrossEntropy()(z, y[:, None])
    both, d_both = CrossEntropy()(np.hstack([np.zeros((6, 1)), z]), y)
    assert value == pytest.approx(both, rel=1e-14)
    np.testing.assert_allclose(dz[:, 0], d_both[:, 1], rtol=1e-12)


def test_a_small_loss_keeps_its_digits_in_float32() -> None:
    value, _ = BinaryCrossEntropy()(np.array([[30.0]], np.float32), np.array([[1.0]]))
    assert value == pytest.approx(math.exp(-30), rel=1e-5, abs=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("p", "y", "slope"), [(0.0, 1, 0.0), (1.0, 0, 0.0), (0.0, 0, 1.0), (1.0, 1, -1.0), (0.25, 1, -4.0), (0.75, 0, 4.0)]
)
def test_both_ends_of_a_probability_are_floored(p: float, y: int, slope: float, dtype: type) -> None:
    """Also in float32, where 1 − 1e-12 is 1."""
    value, dz = BinaryCrossEntropy(from_logits=False)(np.array([[p]], dtype), np.array([[y]]))
    assert value == pytest.approx(-math.log(max(p if y else 1 - p, 1e-12)), rel=1e-6)
    np.testing.assert_allclose(dz, [[slope]], rtol=1e-6)


@pytest.mark.parametrize("y", [[[2.0]], [[-0.5]], [[np.nan]]])
def test_binary_targets_out_of_range_are_refused(y: object) -> None:
    with pytest.raises(ValueError, match="BinaryCrossEntropy expects y from 0 to 1, got values from"):
        BinaryCrossEntropy()(np.zeros((1, 1)), y)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_labels_that_do_not_quite_sum_to_one_give_the_values_gradient(smoothing: float) -> None:
    loss, y = CrossEntropy(label_smoothing=smoothing), np.array([[0.5, 0.3, 0.1995], [0.0, 0.9995, 0.0]])
    z, h = np.array([[0.3, -0.7, 1.1], [2.0, 0.5, -1.0]]), 1e-5
    dz = loss(z, y)[1]
    for i, j in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[i, j] = h
        assert dz[i, j] == pytest.approx((loss(z + step, y)[0] - loss(z - step, y)[0]) / (2 * h), abs=1e-9)
