"""What every op promises: ``out=``, dtype, any memory layout, inputs left alone, empty batches, any magnitude."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from chainrule import ops

SHAPE = (4, 5)
BY_ROW = ["log_softmax", "softmax"]


def needs(op):
    """The arguments that have no default."""
    return [name for name, p in inspect.signature(op).parameters.items() if p.default is p.empty]


ELEMENTWISE = sorted(
    name for name in ops.__all__ if needs(getattr(ops, name)) == ["x"] and name not in (*BY_ROW, "logsumexp")
)


def constant(like, *shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape or SHAPE).astype(like.dtype)


def pull_back(name):
    """The backward as a function of dy alone, at a fixed point."""
    return lambda dy, **out: backward_at(name, dy, constant(dy, *dy.shape), **out)


def backward_at(name, dy, x, **out):
    """dx at x, whether the backward wants the input, the output or neither."""
    backward = getattr(ops, name + "_backward")
    second = {"x": x, "y": getattr(ops, name)(x)}
    return backward(dy, **{argument: second[argument] for argument in needs(backward)[1:]}, **out)


def standardize_backward(axis):
    def apply(dy, **out):
        y, inverse_deviation, _, _ = ops.standardize(constant(dy, *dy.shape), axis)
        return ops.standardize_backward(dy, y, inverse_deviation, axis, **out)

    return apply


FORWARDS = {name: getattr(ops, name) for name in [*ELEMENTWISE, *BY_ROW]} | {
    "affine": lambda x, **out: ops.affine(x, constant(x, 5, 5), constant(x, 5), **out),
    "affine (no bias)": lambda x, **out: ops.affine(x, constant(x, 5, 5), **out),
    "scale": lambda x, **out: ops.scale(x, constant(x, 5), constant(x, 5, seed=2), **out),
    "prelu": lambda x, **out: ops.prelu(x, constant(x, 5), **out),
    "standardize (batch)": lambda x, **out: ops.standardize(x, 0, **out)[0],
    "standardize (row)": lambda x, **out: ops.standardize(x, 1, **out)[0],
    "dropout": lambda x, **out: ops.dropout(x, 0.3, np.random.default_rng(0), **out)[0],
    "gaussian_noise": lambda x, **out: ops.gaussian_noise(x, 0.3, np.random.default_rng(0), **out),
}
BACKWARDS = {name + "_backward": pull_back(name) for name in [*ELEMENTWISE, *BY_ROW]} | {
    "affine_backward": lambda dy, out=None: ops.affine_backward(
        dy, constant(dy, *dy.shape), constant(dy, 5, 5), out=(out, None, None)
    )[0],
    "scale_backward": lambda dy, out=None: ops.scale_backward(
        dy, constant(dy, *dy.shape), constant(dy, 5), out=(out, None, None)
    )[0],
    "prelu_backward": lambda dy, out=None: ops.prelu_backward(
        dy, constant(dy, *dy.shape), constant(dy, 5), out=(out, None)
    )[0],
    "standardize_backward (batch)": standardize_backward(0),
    "standardize_backward (row)": standardize_backward(1),
    "dropout_backward": lambda dy, **out: ops.dropout_backward(dy, constant(dy, *dy.shape), **out),
}
OPS = FORWARDS | BACKWARDS
WITHOUT_OUT = {
    "logsumexp": ops.logsumexp,
    "logsumexp_backward": lambda dy: ops.logsumexp_backward(dy[:, 0], constant(dy, *dy.shape)),
}


def each(cases):
    return pytest.mark.parametrize("op", cases.values(), ids=cases.keys())


def test_every_public_op_is_in_the_tables():
    assert {name.split(" (")[0] for name in OPS | WITHOUT_OUT} == set(ops.__all__)


@pytest.fixture(params=["float32", "float64"])
def first(request, rng):
    """The first argument, x or dy."""
    return rng.standard_normal(SHAPE).astype(request.param)


@each(OPS)
def test_out_is_what_is_returned(op, first):
    expected, out = op(first), np.full_like(first, np.nan)
    assert op(first, out=out) is out
    np.testing.assert_array_equal(out, expected)


@each({name: op for name, op in OPS.items() if name != "gaussian_noise"})
def test_out_may_be_the_first_argument(op, first):
    expected = op(first.copy())
    assert op(first, out=first) is first
    np.testing.assert_array_equal(first, expected)


@each(OPS | WITHOUT_OUT)
def test_the_dtype_stays(op, first):
    assert op(first).dtype == first.dtype


@each({name: op for name, op in (OPS | WITHOUT_OUT).items() if name not in ("dropout", "gaussian_noise")})
def test_float32_agrees_with_float64(op, rng):
    first = rng.standard_normal(SHAPE).astype(np.float32)
    np.testing.assert_allclose(op(first), op(first.astype(np.float64)), rtol=1e-4, atol=1e-5)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@each(OPS | WITHOUT_OUT)
def test_the_layout_in_memory_does_not_matter(op, layout, first):
    twin = layout(first)
    assert not twin.flags.c_contiguous
    tolerance = 1e-5 if first.dtype == np.float32 else 1e-14
    np.testing.assert_allclose(op(twin), op(first), rtol=tolerance, atol=tolerance)


@each(OPS | WITHOUT_OUT)
def test_the_input_is_not_modified(op, first):
    """A read-only array would raise at an attempt; the copy shows that nothing went around that."""
    before = first.copy()
    first.flags.writeable = False
    op(first)
    np.testing.assert_array_equal(first, before)


@each({name: op for name, op in OPS.items() if "(batch)" not in name})
def test_an_empty_batch_gives_an_empty_batch(op):
    assert op(np.empty((0, 5), np.float32)).shape == (0, 5)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (2, 0)])
@each({name: op for name, op in OPS.items() if name.removesuffix("_backward") in ELEMENTWISE})
def test_an_elementwise_op_takes_any_shape(op, shape, rng):
    assert op(np.asarray(rng.standard_normal(shape))).shape == shape


FAR = np.array([300, 1e3, 1e4], np.float32)
NEAR = np.array([0.0, 1e-30, 1, 20, 88, 104], np.float32)  # about where exp over- or underflows in float32
EXTREMES = np.concatenate([-FAR, -NEAR, NEAR, FAR])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_saturated_values_and_gradients_are_finite(name):
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        y = getattr(ops, name)(EXTREMES)
        dx = backward_at(name, np.ones_like(y), EXTREMES)
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("magnitude", FAR)
@pytest.mark.parametrize("name", [*BY_ROW, "logsumexp"])
def test_a_saturated_row_is_finite(name, magnitude):
    x = magnitude * np.array([[1, 1, -1], [-1, -1, -1], [1, 0, -1], [1, 0.999, 0]], np.float32)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        y = getattr(ops, name)(x)
        dx = backward_at(name, np.ones_like(y), x)
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


X = 1e4
SELU = (1.0507009873554805, 1.7580993408473766)  # λ and λα
LIMITS = {  # value and slope far to the right, value and slope far to the left
    "elu": (X, 1, -1, 0),
    "gelu": (X, 1, 0, 0),
    "gelu_tanh": (X, 1, 0, 0),
    "hard_sigmoid": (1, 0, 0, 0),
    "identity": (X, 1, -X, 1),
    "leaky_relu": (X, 1, -0.01 * X, 0.01),
    "mish": (X, 1, 0, 0),
    "relu": (X, 1, 0, 0),
    "selu": (SELU[0] * X, SELU[0], -SELU[1], 0),
    "sigmoid": (1, 0, 0, 0),
    "silu": (X, 1, 0, 0),
    "softplus": (X, 1, 0, 0),
    "tanh": (1, 0, -1, 0),
}


def test_every_elementwise_op_has_its_limits():
    assert sorted(LIMITS) == ELEMENTWISE


@pytest.mark.parametrize(("name", "limits"), LIMITS.items(), ids=LIMITS.keys())
def test_saturated_values_and_slopes_are_their_limits(name, limits):
    x = np.array([X, -X], np.float32)
    y, dx = getattr(ops, name)(x), backward_at(name, np.ones_like(x), x)
    np.testing.assert_allclose([y[0], dx[0], y[1], dx[1]], limits, rtol=1e-6, atol=1e-30)
