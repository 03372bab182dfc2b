"""Activations against identities, SciPy and values known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule import ops
from chainrule.ops import activations
from chainrule.ops.activations.gated import erf
from parity import kernels, needs_kernels

special = pytest.importorskip("scipy.special")

numbers = arrays(np.float64, st.integers(1, 8), elements=st.floats(-40, 40, allow_subnormal=False))
GRID = np.linspace(-12, 12, 2001)


def assert_close(actual, expected, tolerance=1e-13):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@given(numbers)
def test_sigmoid_is_a_probability_and_its_complement(x):
    assert_close(ops.sigmoid(-x), 1 - ops.sigmoid(x))


@given(numbers)
def test_sigmoid_of_a_log_odds_is_the_probability(x):
    p = ops.sigmoid(x / 10)
    assert_close(np.log(p / (1 - p)), x / 10, 1e-11)


def test_sigmoid_keeps_its_relative_precision_in_the_tail():
    x = np.linspace(-700, 0, 1001)
    np.testing.assert_allclose(ops.sigmoid(x), special.expit(x), rtol=1e-14)


@given(numbers)
def test_tanh_is_a_stretched_sigmoid(x):
    assert_close(ops.tanh(x), 2 * ops.sigmoid(2 * x) - 1)


@given(numbers)
def test_the_odd_part_of_softplus_is_x(x):
    assert_close(ops.softplus(x) - ops.softplus(-x), x)


def test_softplus_keeps_its_relative_precision_in_the_tail():
    x = np.linspace(-700, 0, 1001)
    np.testing.assert_allclose(ops.softplus(x), -special.log_expit(-x), rtol=1e-14)


@pytest.mark.parametrize("name", ["relu", "gelu", "gelu_tanh", "silu"])
@given(x=numbers)
def test_a_gate_and_its_mirror_let_all_of_x_through(name, x):
    f = getattr(ops, name)
    assert_close(f(x) - f(-x), x)


@given(numbers, st.floats(1e-3, 1e3))
def test_relu_and_leaky_relu_are_homogeneous(x, c):
    assert_close(ops.relu(c * x), c * ops.relu(x))
    assert_close(ops.leaky_relu(c * x, 0.2), c * ops.leaky_relu(x, 0.2))


def test_mish_is_a_rational_function_of_the_exponential():
    s = np.exp(GRID)
    assert_close(ops.mish(GRID), GRID * (s * s + 2 * s) / (s * s + 2 * s + 2))


def test_gelu_is_x_times_the_normal_distribution():
    np.testing.assert_allclose(ops.gelu(GRID), GRID * special.ndtr(GRID), rtol=1e-14, atol=1e-14)


def test_the_tanh_form_stays_within_its_known_distance_of_gelu():
    distance = np.max(np.abs(ops.gelu_tanh(GRID) - ops.gelu(GRID)))
    assert 1e-4 < distance < 5e-4


@given(st.floats(-8, 8))
def test_erf_is_that_of_the_standard_library(x):
    assert erf(np.array([x]))[0] == pytest.approx(math.erf(x), rel=1e-14, abs=1e-300)


@given(st.floats(allow_nan=False))
def test_erf_is_odd_and_bounded(x):
    plus, minus = erf(np.array([x, -x]))
    assert plus == -minus
    assert abs(plus) <= 1


def test_erf_keeps_nan():
    assert np.isnan(erf(np.array([np.nan]))).all()


def test_erf_of_float32_is_right_to_its_rounding():
    x = GRID.astype(np.float32)
    assert erf(x).dtype == np.float32
    np.testing.assert_allclose(erf(x), special.erf(x.astype(np.float64)), rtol=5e-7)


def test_selu_keeps_the_mean_and_the_variance_of_a_normal_number():
    x = np.linspace(-12, 12, 200_001)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    y = ops.selu(x)
    moments = [np.sum(y**power * density) * (x[1] - x[0]) for power in (1, 2)]
    assert moments == pytest.approx([0, 1], abs=1e-7)


@pytest.mark.parametrize(
    ("name", "parameters", "x", "y"),
    [
        ("elu", {}, math.log(0.25), -0.75),
        ("elu", dict(alpha=2.0), math.log(0.25), -1.5),
        ("elu", dict(alpha=2.0), 3.0, 3.0),
        ("leaky_relu", {}, -3.0, -0.03),
        ("leaky_relu", dict(slope=0.5), -3.0, -1.5),
        ("leaky_relu", dict(slope=0.0), -3.0, 0.0),
        ("leaky_relu", dict(slope=1.0), -3.0, -3.0),
        ("hard_sigmoid", {}, 1.5, 0.75),
        ("hard_sigmoid", {}, -3.0, 0.0),
        ("hard_sigmoid", {}, 3.0, 1.0),
        ("sigmoid", {}, math.log(3), 0.75),
        ("tanh", {}, math.log(2), 0.6),
        ("softplus", {}, 0.0, math.log(2)),
        ("silu", {}, math.log(3), 0.75 * math.log(3)),
    ],
)
def test_a_value_known_in_closed_form(name, parameters, x, y):
    assert_close(getattr(ops, name)(np.array([x]), **parameters), [y])


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [
        ("relu", 0.0, 0.0),
        ("leaky_relu", 0.0, 0.01),
        ("elu", 0.0, 1.0),
        ("hard_sigmoid", -3.0, 0.0),
        ("hard_sigmoid", 0.0, 1 / 6),
        ("hard_sigmoid", 3.0, 0.0),
        ("sigmoid", 0.0, 0.25),
        ("tanh", 0.0, 1.0),
        ("softplus", 0.0, 0.5),
    ],
)
def test_the_slope_at_a_kink_and_at_zero(name, x, slope):
    y = getattr(ops, name)(np.array([x]))
    assert_close(getattr(ops, name + "_backward")(np.array([2.0]), y), [2 * slope])


def test_each_feature_has_its_own_slope_in_prelu():
    x = np.array([[-1.0, -1.0, 2.0], [-3.0, 0.0, -4.0]])
    assert_close(ops.prelu(x, np.array([0.5, 0.25, -1.0])), [[-0.5, -0.25, 2.0], [-1.5, 0.0, 4.0]])


def test_the_gradient_of_prelus_slope_is_summed_over_the_batch():
    x, out = np.array([[-1.0, 5.0], [-3.0, 0.0]]), np.empty(2)
    dx, dslope = ops.prelu_backward(np.array([[1.0, 1.0], [10.0, 1.0]]), x, np.array([0.5, 0.25]), out=(None, out))
    assert dslope is out
    assert_close(dslope, [-31.0, 0.0])
    assert_close(dx, [[0.5, 1.0], [5.0, 0.25]])


@needs_kernels
@pytest.mark.parametrize("name", ["sigmoid", "softplus", "silu", "gelu"])
@pytest.mark.parametrize(("dtype", "last", "last_of_gelu"), [("float32", 103, 13.5), ("float64", 744, 38)])
def test_underflow_of_compiled_activations_is_gradual(name, dtype, last, last_of_gelu):
    x = np.linspace(*((-8, -last_of_gelu) if name == "gelu" else (-20, -last)), 5001)
    x = x.astype(dtype).astype(np.longdouble)
    tail = np.exp(special.log_ndtr(x.astype(float))) if name == "gelu" else np.exp(x)
    exact = tail if name in ("sigmoid", "softplus") else x * tail  # of the first two, to 2e-9 of it
    y = getattr(kernels, name)(x.astype(dtype))
    relative = 3e-9 + (10 + np.square(x) / 2 * (name == "gelu")) * np.finfo(dtype).eps
    assert np.all(np.abs(y - exact) <= relative * np.abs(exact) + np.abs(x) * np.finfo(dtype).smallest_subnormal)
    assert np.all(y != 0)


@needs_kernels
def test_a_parameter_in_a_dtype_of_its_own_makes_the_result_the_plain_one():
    x = np.linspace(-2, 2, 40, dtype=np.float32)
    a = np.float64(0.3)
    calls = {"leaky_relu": (x, a), "leaky_relu_backward": (x, x, a), "elu": (x, a), "elu_backward": (x, x, a)}
    for name, arguments in [*calls.items(), ("leaky_relu", (x, np.full(40, 0.3)))]:
        found, expected = (getattr(home, name)(*arguments) for home in (kernels, activations))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert kernels.leaky_relu(x, a).dtype == np.float64


@needs_kernels
@pytest.mark.parametrize("name", ["relu", "tanh", "gelu_tanh"])
def test_an_array_without_dimensions_gives_a_number(name):
    found, expected = (getattr(home, name)(np.array(0.5)) for home in (kernels, activations))
    assert type(found) is type(expected)
    assert found == expected
