"""The proof itself is put to the test: right gradients pass, wrong ones fail, kinks are stepped around."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops


@pytest.fixture
def x(rng):
    return rng.standard_normal((6, 4))


# ---- check_vjp


def row_mean(dx):
    """Right only in the mean: each row gets what all rows should get on average."""
    return np.broadcast_to(dx.mean(axis=0), dx.shape)


def standardized(x):
    return ops.standardize(x, axis=0)[0]


def standardize_backward(dy, x):
    y, inverse_deviation, _, _ = ops.standardize(x, axis=0)
    return ops.standardize_backward(dy, y, inverse_deviation, axis=0)


def without_the_third_term(dy, x):
    _, inverse_deviation, _, _ = ops.standardize(x, axis=0)
    return (dy - dy.mean(axis=0)) * inverse_deviation


RIGHT = {
    "square": (np.square, lambda dy, x: [2 * x * dy]),
    "softmax": (ops.softmax, lambda dy, x: [ops.softmax_backward(dy, ops.softmax(x))]),
    "standardize": (standardized, lambda dy, x: [standardize_backward(dy, x)]),
    "a single number": (lambda x: float(np.sum(x**3)), lambda dy, x: [3 * x**2 * dy]),
    "far from linear": (lambda x: np.sin(30 * x), lambda dy, x: [30 * np.cos(30 * x) * dy]),
}
BROKEN = {
    "wrong factor": (np.square, lambda dy, x: [3 * x * dy]),
    "wrong sign": (np.square, lambda dy, x: [-2 * x * dy]),
    "off by a hundred-thousandth": (np.square, lambda dy, x: [2 * x * dy * (1 + 1e-5)]),
    "one entry wrong": (np.square, lambda dy, x: [2 * x * dy * np.where(np.arange(x.size).reshape(x.shape), 1, 1.001)]),
    "right only in the mean": (np.square, lambda dy, x: [row_mean(2 * x * dy)]),
    "softmax as the identity": (ops.softmax, lambda dy, x: [dy]),
    "softmax with zeros": (ops.softmax, lambda dy, x: [np.zeros_like(x)]),
    "softmax without its sum": (ops.softmax, lambda dy, x: [dy * ops.softmax(x)]),
    "normalisation with zeros": (standardized, lambda dy, x: [np.zeros_like(x)]),
    "normalisation without a term": (standardized, lambda dy, x: [without_the_third_term(dy, x)]),
    "transposed": (lambda x: x @ x.T, lambda dy, x: [dy @ x]),
    "not a number": (np.square, lambda dy, x: [np.full_like(x, np.nan)]),
    "huge": (np.square, lambda dy, x: [1e6 * dy]),
}


@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_backward_passes(case, x):
    assert cr.check_vjp(*case, x) < 1e-8


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_backward_fails(case, x, seed):
    assert cr.check_vjp(*case, x, rng=seed) > 1e-6


@pytest.mark.parametrize("name", ["softmax with zeros", "normalisation with zeros"])
def test_an_all_ones_cotangent_would_not_have_noticed(name, x, rng):
    """⟨1, J v⟩ is 0 for every v, because the outputs' sum is constant: a backward of zeros agrees with it."""
    forward, backward = BROKEN[name]
    ones, v, h = np.ones_like(x), rng.standard_normal(x.shape), 1e-5
    claimed = np.sum(backward(ones, x)[0] * v)
    measured = np.sum(forward(x + h * v) - forward(x - h * v)) / (2 * h)
    assert claimed == pytest.approx(measured, abs=1e-9)
    assert cr.check_vjp(forward, backward, x) > 0.01


def test_all_inputs_are_proved_together(rng):
    x, W = rng.standard_normal((6, 4)), rng.standard_normal((4, 3))
    assert cr.check_vjp(np.matmul, lambda dy, x, W: [dy @ W.T, x.T @ dy], x, W) < 1e-8
    assert cr.check_vjp(np.matmul, lambda dy, x, W: [dy @ W.T, np.zeros_like(W)], x, W) > 1e-3


def test_a_true_gradient_of_zero_passes(x):
    assert cr.check_vjp(lambda x: x.shape[0] + 0 * x, lambda dy, x: [np.zeros_like(x)], x) < 1e-8


@pytest.mark.parametrize(
    ("name", "points"), [("relu", 0.0), ("leaky_relu", 0.0), ("hard_sigmoid", 3.0), ("hard_sigmoid", -3.0)]
)
def test_points_on_a_kink_are_drawn_again(name, points):
    forward, backward = getattr(ops, name), getattr(ops, name + "_backward")
    assert cr.check_vjp(forward, lambda dy, x: [backward(dy, forward(x))], np.full((3, 2), points)) < 1e-8


def test_a_function_of_kinks_alone_is_refused(x):
    with pytest.raises(ValueError, match="check_vjp expects inputs away from kinks, got a kink at each of 20 draws"):
        cr.check_vjp(lambda x: np.abs(np.sin(1e6 * x)) * 1e-6, lambda dy, x: [dy], x)


def test_a_forward_that_reuses_its_output_is_proved_all_the_same(x):
    """A model in training returns the same array, overwritten, at each call."""
    model = cr.MLP([4, 5, 3], activation="tanh", rng=0, dtype="float64")

    def forward(x):
        return model.forward(x, training=True)

    def backward(dy, x):
        forward(x)
        return [model.backward(dy, input_gradient=True)]

    assert cr.check_vjp(forward, backward, x) < 1e-8


@pytest.mark.parametrize(
    ("gradients", "got"),
    [
        (lambda x: [x[:3]], r"\[\(3, 4\)\]"),
        (lambda x: [x.T], r"\[\(4, 6\)\]"),
        (lambda x: [x, x], r"\[\(6, 4\), \(6, 4\)\]"),
        (lambda x: [], r"\[\]"),
        (lambda x: x, r"\[\(4,\).*; return the gradient of a single input as \[dx\]\."),
    ],
)
def test_gradients_of_another_shape_are_refused(gradients, got, x):
    with pytest.raises(ValueError, match=r"check_vjp expects gradients of the inputs' shapes \[\(6, 4\)\], got " + got):
        cr.check_vjp(np.square, lambda dy, x: gradients(x), x)


def test_at_least_one_direction_is_drawn(x):
    with pytest.raises(ValueError, match="check_vjp expects draws >= 1, got 0"):
        cr.check_vjp(*RIGHT["square"], x, draws=0)


def test_the_same_seed_gives_the_same_error(x):
    first, again, other = (cr.check_vjp(*RIGHT["softmax"], x, rng=seed) for seed in (3, 3, 4))
    assert first == again != other


# ---- gradcheck


class Square(cr.Layer):
    """y = x², with any factor in the derivative."""

    def __init__(self, factor: float = 2.0) -> None:
        self.factor = factor

    def forward(self, x, work):
        work["x"] = x
        return x * x

    def backward(self, dy, work, input_gradient=True):
        return self.factor * work["x"] * dy


class SoftmaxAsIdentity(cr.Softmax):
    def pull_back(self, dy, x, y, out):
        return dy


class DeadBatchNorm(cr.BatchNorm):
    def backward(self, dy, work, input_gradient=True):
        dx = super().backward(dy, work, input_gradient)
        return None if dx is None else np.zeros_like(dx)


class ForgottenBias(cr.Linear):
    def backward(self, dy, work, input_gradient=True):
        dx = super().backward(dy, work, input_gradient)
        self.db[:] = 0
        return dx


class ForgottenPenalty(cr.Linear):
    def penalty(self):
        return 0.0


class TransposedWeights(cr.Linear):
    """Right in every parameter: only a layer in front, or the input, can tell."""

    def backward(self, dy, work, input_gradient=True):
        super().backward(dy, work, input_gradient)
        return dy @ self.W


def between_two_linear_layers(layer):
    return cr.Sequential([cr.Linear(4, 5), layer, cr.Linear(5, 3)], rng=0)


@pytest.fixture
def data(x, rng):
    return x, rng.standard_normal((6, 3))


def test_a_right_layer_of_ones_own_passes(data):
    check = cr.gradcheck(between_two_linear_layers(Square()), *data, loss="squared_error")
    assert check.passed
    assert check.error < 1e-8


BROKEN_LAYERS = {
    "square with a wrong factor": (lambda: Square(2.001), {"x", "0.W", "0.b"}),
    "softmax as the identity": (SoftmaxAsIdentity, {"x", "0.W", "0.b"}),
    "normalisation with zeros": (lambda: DeadBatchNorm(5), {"x", "0.W"}),
    "forgotten bias": (lambda: ForgottenBias(5, 5), {"1.b"}),
    "forgotten penalty": (lambda: ForgottenPenalty(5, 5, l2=0.1), {"1.W"}),
    "transposed weights": (lambda: TransposedWeights(5, 5), {"x", "0.W", "0.b"}),
}


@pytest.mark.parametrize(("make_layer", "wrong"), BROKEN_LAYERS.values(), ids=BROKEN_LAYERS.keys())
def test_a_broken_layer_fails_where_it_is_wrong_and_only_there(make_layer, wrong, data):
    check = cr.gradcheck(between_two_linear_layers(make_layer()), *data, loss="squared_error")
    assert not check.passed
    assert {name for name, _, _, error in check.rows if error > check.tolerance} == wrong


def test_a_loss_whose_gradient_is_of_another_function_fails(data):
    """Mean over outputs in the value, sum in the gradient: the commonest fault of hand-written losses."""

    def loss(z, y, weight=None):
        return float(np.mean((z - y) ** 2)), 2 * (z - y) / len(z)

    assert not cr.gradcheck(cr.MLP([4, 3], rng=0), *data, loss=loss).passed


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_zero_rows_in_front_of_a_kink_are_moved_away(activation, data):
    """Biases are 0 and the first rows too, so that the first layer stands exactly on its kink."""
    x, y = data
    x[:3] = 0
    assert cr.gradcheck(cr.MLP([4, 8, 3], activation=activation, rng=0), x, y, loss="squared_error").passed


def test_a_loss_of_kinks_alone_is_refused(data):
    def loss(z, y, weight=None):
        return float(np.sum(np.abs(np.sin(1e6 * z)))) * 1e-6, z

    with pytest.raises(ValueError, match="gradcheck expects a point away from kinks"):
        cr.gradcheck(cr.MLP([4, 3], rng=0), *data, loss=loss)


def test_a_bias_in_front_of_a_normalisation_has_gradient_zero_and_passes(data):
    """Also where the loss itself happens to be negative or near 0, which says nothing of the size of its terms."""
    x, y = data

    def loss(z, y, weight=None):
        return float(np.sum(z * y)), y

    model = between_two_linear_layers(cr.BatchNorm(5))
    values = [loss(model.forward(x, training=True), sign * y)[0] for sign in (1, -1)]
    assert min(values) < 0
    assert cr.gradcheck(model, x, y, loss=loss).passed
    assert cr.gradcheck(model, x, -y, loss=loss).passed


def test_the_weights_of_the_samples_take_part(data):
    def loss(z, y, weight=None):
        return float(np.sum(weight[:, None] * z)), np.ones_like(z)  # the gradient forgets the weights

    model = cr.MLP([4, 3], rng=0)
    assert cr.gradcheck(model, *data, loss=loss, sample_weight=np.ones(6)).passed
    assert not cr.gradcheck(model, *data, loss=loss, sample_weight=np.arange(6.0)).passed
    assert cr.gradcheck(model, *data, loss="huber", sample_weight=np.arange(6.0)).passed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_model_itself_is_not_touched(dtype, data):
    layers = [cr.Linear(4, 5), cr.BatchNorm(5), cr.Dropout(0.5), cr.GaussianNoise(0.1), cr.Linear(5, 3)]
    model = cr.Sequential(layers, rng=0, dtype=dtype)
    model.forward(data[0], training=True)
    model.backward(data[1])
    before = copy.deepcopy([model.parameters.vector, model.gradients.vector, *model.buffers.values()])
    state, x = model.rng.bit_generator.state, data[0].copy()
    assert cr.gradcheck(model, *data, loss="squared_error").passed
    for now, then in zip(
        [model.parameters.vector, model.gradients.vector, *model.buffers.values()], before, strict=True
    ):
        np.testing.assert_array_equal(now, then)
    assert model.rng.bit_generator.state == state
    np.testing.assert_array_equal(data[0], x)


class RunningCentre(cr.Layer):
    """Subtracts what it has seen so far: each pass would meet another function if the buffer were not put back."""

    def __init__(self):
        self.seen = np.zeros(1)

    def buffers(self):
        return {"seen": self.seen}

    def forward(self, x, work):
        y = x - self.seen
        self.seen += 0.1
        return y

    def backward(self, dy, work, input_gradient=True):
        return dy


def test_every_pass_meets_the_same_buffers(data):
    assert cr.gradcheck(between_two_linear_layers(RunningCentre()), *data, loss="squared_error").passed


def test_the_table_names_each_parameter_and_both_numbers(data):
    check = cr.gradcheck(cr.MLP([4, 5, 3], activation="tanh", rng=0), *data, loss="squared_error")
    head, *lines, verdict = str(check).splitlines()
    assert head.split() == ["backward", "differences", "relative", "error"]
    assert [line.split()[0] for line in lines] == ["x", "0.W", "0.b", "1.W", "1.b"]
    assert all(float(line.split()[1]) == pytest.approx(float(line.split()[2]), rel=1e-6) for line in lines)
    assert verdict == "passed"


def test_the_table_points_at_what_is_wrong(data):
    check = cr.gradcheck(between_two_linear_layers(ForgottenBias(5, 5)), *data, loss="squared_error")
    wrong = [line.split()[0] for line in str(check).splitlines() if line.endswith("WRONG")]
    assert wrong == ["1.b"]
    assert str(check).endswith("FAILED")


def test_the_tolerance_decides(data):
    model = between_two_linear_layers(Square(2.001))
    assert cr.gradcheck(model, *data, loss="squared_error", tolerance=0.1).passed


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (dict(tolerance=0), ValueError, "gradcheck expects tolerance > 0"),
        (dict(loss="huberr"), ValueError, "did you mean 'huber'"),
        (dict(x=np.full((6, 4), np.nan)), ValueError, "gradcheck expects finite numbers in x, got nan at row 0"),
        (dict(x=[["a"] * 4] * 6), TypeError, "gradcheck expects x to be an array of numbers"),
        (dict(x=np.ones((6, 5))), ValueError, r"Linear\(4 → 3\) expects input of shape \(N, 4\), got \(6, 5\)"),
        (dict(y=np.ones(6)), ValueError, r"expects y of shape \(6, 3\)"),
    ],
)
def test_what_cannot_be_checked_is_said(change, error, says, data):
    arguments = dict(x=data[0], y=data[1], loss="squared_error") | change
    with pytest.raises(error, match=says):
        cr.gradcheck(cr.MLP([4, 3], rng=0), **arguments)
