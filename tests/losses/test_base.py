"""What the base class does for all: shapes, weights, reduction; names and one-line reprs."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from chainrule import losses
from chainrule.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    GaussianNLL,
    Huber,
    Loss,
    Quantile,
    SquaredError,
    get_loss,
)


def test_the_value_is_the_mean_over_samples_of_the_sum_over_outputs() -> None:
    z = np.array([[1.0, 2.0], [3.0, 0.0]])
    value, dz = SquaredError()(z, np.zeros((2, 2)))
    assert value == 7.0  # (1 + 4 + 9) / 2
    np.testing.assert_array_equal(dz, z)


def test_the_weighted_value_divides_by_the_sum_of_the_weights() -> None:
    z = np.array([[1.0, 2.0], [3.0, 0.0]])
    value, dz = SquaredError()(z, np.zeros((2, 2)), [3, 1])
    assert value == 6.0  # (3 · 5 + 1 · 9) / 4
    np.testing.assert_array_equal(dz, [[1.5, 3.0], [1.5, 0.0]])


def test_the_sum_is_accumulated_in_float64() -> None:
    """2²⁴ + 1 is no float32."""
    z = np.ones((128, 1), np.float32)
    z[0] = 2**24
    expected = (2**24 + 127) / 128
    assert losses.AbsoluteError()(z, np.zeros((128, 1)))[0] == expected
    assert losses.AbsoluteError()(z, np.zeros((128, 1)), np.ones(128))[0] == expected
    assert losses.AbsoluteError()(z.T, np.zeros((1, 128)), [1.0])[0] == 2**24 + 127


@pytest.mark.parametrize(
    ("z", "y", "says"),
    [
        (np.ones((3, 1)), np.ones(3), r"SquaredError expects y of shape \(3, 1\) .* got \(3,\); use y\[:, None\]\."),
        (np.ones(3), np.ones((3, 1)), r"SquaredError expects .* z of shape \(N, K\), got \(3,\); use z\[:, None\]"),
        (np.ones((2, 3)), np.ones((1, 3)), r"expects y of shape \(2, 3\) for z of shape \(2, 3\), got \(1, 3\)\."),
        (np.ones((2, 3)), np.ones((2, 1)), r"expects y of shape \(2, 3\) for z of shape \(2, 3\), got \(2, 1\)\."),
        (np.ones((2, 3)), np.ones(2), r"expects y of shape \(2, 3\) for z of shape \(2, 3\), got \(2,\)\."),
        (np.ones((2, 3)), 1.0, r"expects y of shape \(2, 3\) for z of shape \(2, 3\), got \(\)\."),
        (np.ones((2, 3, 4)), np.ones((2, 3, 4)), r"z of shape \(N, K\), got \(2, 3, 4\)\."),
        (np.ones((0, 3)), np.ones((0, 3)), r"at least one sample and one output, got z of shape \(0, 3\)\."),
        (np.ones((3, 0)), np.ones((3, 0)), r"at least one sample and one output, got z of shape \(3, 0\)\."),
    ],
)
def test_shapes_that_do_not_match_are_refused(z: np.ndarray, y: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SquaredError()(z, y)


@pytest.mark.parametrize("y", [np.array([["a"], ["b"]]), [[1.0], [2.0, 3.0]]])
def test_targets_that_are_not_numbers_are_refused(y: np.ndarray) -> None:
    with pytest.raises(TypeError, match="SquaredError expects y to be an array of numbers"):
        SquaredError()(np.ones((2, 1)), y)


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (GaussianNLL(), r"GaussianNLL expects z with 2 outputs for each target, got z of shape \(2, 7\)"),
        (Quantile(), r"Quantile expects z with 3 outputs for each target, got z of shape \(2, 7\)"),
    ],
)
def test_several_outputs_for_each_target_must_divide_evenly(loss: Loss, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        loss(np.ones((2, 7)), np.ones((2, 3)))


@pytest.mark.parametrize(("loss", "width"), [(GaussianNLL(), 2), (Quantile(), 3)])
def test_a_flat_target_is_refused_where_each_target_has_several_outputs(loss: Loss, width: int) -> None:
    with pytest.raises(ValueError, match=r"expects y of shape \(2, 1\) .* got \(2,\); use y\[:, None\]"):
        loss(np.ones((2, width)), np.ones(2))


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        ([1, -2.5], "expects weights to be finite and not negative, got -2.5"),
        ([1, np.nan], "expects weights to be finite and not negative, got nan"),
        ([np.inf, 1], "expects weights to be finite and not negative, got inf"),
        ([1, 1, 1], r"expects one weight for each of the 2 samples, shape \(2,\), got \(3,\)"),
        ([[1], [1]], r"expects one weight for each of the 2 samples, shape \(2,\), got \(2, 1\)"),
        (2.0, r"expects one weight for each of the 2 samples, shape \(2,\), got \(\)"),
    ],
)
@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy(class_weight=(1, 1))], ids=repr)
def test_bad_weights_are_refused(loss: Loss, weight: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        loss(np.ones((2, 2)), np.array([[1, 0], [0, 1]]), weight)


def test_outputs_too_large_to_square_give_an_infinite_value() -> None:
    value, _ = SquaredError()(np.full((2, 1), 1e30, np.float32), np.zeros((2, 1)))
    assert value == np.inf


def test_lists_and_whole_numbers_are_taken() -> None:
    value, dz = SquaredError()([[1], [2]], [[0], [0]])
    assert value == 2.5
    assert dz.dtype == np.float64


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_name_gives_the_loss_with_its_defaults(name: str) -> None:
    loss = get_loss(name)
    assert type(loss) is losses.LOSSES[name]
    assert loss == losses.LOSSES[name]()
    assert repr(loss) == f"{type(loss).__name__}()"
    assert name == "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def test_a_callable_is_a_loss_as_it_is() -> None:
    def mine(z: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        return 0.0, z

    assert get_loss(mine) is mine
    huber = Huber(delta=2)
    assert get_loss(huber) is huber


@pytest.mark.parametrize(
    ("loss", "given"),
    [
        (Huber(np.float64(1.0)), {"delta": 1.0}),
        (GaussianNLL(np.float64(0.5)), {"floor": 0.5}),
        (CrossEntropy(label_smoothing=np.float64(0.125)), {"label_smoothing": 0.125}),
        (CrossEntropy(class_weight=np.array([0.5, 2.0])), {"class_weight": (0.5, 2.0)}),
        (CrossEntropy(class_weight={np.int64(1): np.float64(2.0)}), {"class_weight": {1: 2.0}}),
        (Quantile(np.array([0.25, 0.75])), {"levels": (0.25, 0.75)}),
        (Quantile([np.float64(0.25), np.float64(0.75)]), {"levels": (0.25, 0.75)}),
    ],
    ids=repr,
)
def test_parameters_of_float64_leave_float32_alone(loss: Loss, given: dict[str, object]) -> None:
    z = np.linspace(-2, 2, 8, dtype=np.float32).reshape(4, 2)
    soft = isinstance(loss, CrossEntropy)
    y = np.full((4, 2), 0.5) if soft else np.zeros((4, 2 if isinstance(loss, Huber) else 1))
    assert loss(z, y)[1].dtype == np.float32
    if soft:
        assert loss(z, np.array([0, 1, 1, 0]))[1].dtype == np.float32
    for name, value in given.items():
        assert repr(getattr(loss, name)) == repr(value)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (4, 3, 2)])
def test_an_output_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"SquaredError expects out of shape \(3, 2\), got \("):
        SquaredError()(np.ones((3, 2)), np.ones((3, 2)), out=np.ones(shape))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("mse", "squared_error"),
        ("MAE", "absolute_error"),
        ("l1", "absolute_error"),
        ("bce", "binary_cross_entropy"),
        ("binary_crossentropy", "binary_cross_entropy"),
        ("ce", "cross_entropy"),
        ("crossentropy", "cross_entropy"),
        ("categorical_crossentropy", "cross_entropy"),
        ("sparse_categorical_crossentropy", "cross_entropy"),
        ("nll", "cross_entropy"),
    ],
)
def test_a_name_from_another_library_is_answered_with_ours(theirs: str, ours: str) -> None:
    with pytest.raises(ValueError, match=rf"'{theirs}' \(did you mean '{ours}'\?\); known are absolute_error, "):
        get_loss(theirs)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'cross_entropi' .*did you mean 'cross_entropy'"):
        get_loss("cross_entropi")


@pytest.mark.parametrize(("loss", "says"), [(Huber, r"the class Huber; write Huber\(\)"), (3, "a callable, got 3")])
def test_anything_but_a_loss_is_refused(loss: object, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        get_loss(loss)


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (Huber(delta=2.0), "Huber(delta=2.0)"),
        (Huber(1.0), "Huber()"),
        (CrossEntropy(label_smoothing=0.1), "CrossEntropy(label_smoothing=0.1)"),
        (CrossEntropy(class_weight=np.array([1, 2])), "CrossEntropy(class_weight=(1.0, 2.0))"),
        (CrossEntropy(False, class_weight={0: 2}), "CrossEntropy(from_logits=False, class_weight={0: 2.0})"),
        (Quantile(np.array([0.5, 0.75])), "Quantile(levels=(0.5, 0.75))"),
        (Quantile([0.1, 0.5, 0.9]), "Quantile()"),
    ],
)
def test_the_repr_is_one_line_that_makes_the_loss_again(loss: Loss, line: str) -> None:
    assert repr(loss) == line
    assert eval(line) == loss
    assert pickle.loads(pickle.dumps(loss)) == loss


def test_a_custom_loss_states_its_equations_and_inherits_the_rest() -> None:
    @dataclass(frozen=True, repr=False)
    class Scaled(Loss):
        factor: float

        def terms(self, z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self.factor * (z - y), np.full_like(z, self.factor)

    loss = Scaled(3.0)
    value, dz = loss(np.array([[2.0], [1.0]]), np.zeros((2, 1)), [1, 3])
    assert value == 3.75
    np.testing.assert_array_equal(dz, [[0.75], [2.25]])
    assert repr(loss) == "Scaled(factor=3.0)"
    with pytest.raises(ValueError, match=r"Scaled expects y of shape \(2, 1\)"):
        loss(np.ones((2, 1)), np.ones(2))


def test_a_loss_without_equations_says_so() -> None:
    class Empty(Loss):
        pass

    with pytest.raises(TypeError, match=r"abstract class Empty .*terms"):
        Empty()


LABELS = np.arange(6) % 2
LOSSES_OF_NUMBERS = ["squared_error", "half_squared_error", "absolute_error", "huber", "log_cosh", "gaussian_nll"]


@pytest.mark.parametrize("name", LOSSES_OF_NUMBERS)
@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None], LABELS > 0, LABELS.tolist()])
def test_labels_for_several_outputs_need_another_loss(name, labels):
    with pytest.raises(ValueError, match='; for labels use loss="cross_entropy"'):
        get_loss(name)(np.ones((6, 4)), labels)


@pytest.mark.parametrize("outputs", [2, 10])
def test_labels_for_binary_cross_entropy_need_one_output(outputs):
    with pytest.raises(ValueError, match='; for labels give the network one output, or use loss="cross_entropy"'):
        BinaryCrossEntropy()(np.ones((6, outputs)), LABELS)


def test_numbers_for_several_outputs_are_not_taken_for_labels():
    with pytest.raises(ValueError, match=r"for z of shape \(6, 4\), got \(6,\)\.$"):
        SquaredError()(np.ones((6, 4)), LABELS + 0.5)
