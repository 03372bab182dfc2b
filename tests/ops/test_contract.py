"""What every op promises, plain or compiled: ``out=``, dtype, any memory layout, inputs left alone, any magnitude."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from chainrule import ops
from losses.table import LOSS_CASES
from ops.table import ACTIVATIONS, CASES, Draw, run
from parity import EACH_DTYPE

ALL = CASES | LOSS_CASES
SHAPES = (4, 5), (20, 100)


def each(*left_out):
    """Every function of the table but some, plain and compiled."""
    pairs = [(name, which) for name, case in ALL.items() if name not in left_out for which in case.functions]
    return pytest.mark.parametrize(("name", "which"), pairs)


def test_every_public_op_is_in_the_table():
    assert {name.split(" (")[0].split(",")[0] for name in CASES} == set(ops.__all__)


@EACH_DTYPE
@each("logsumexp", "logsumexp_backward")
def test_out_is_what_is_returned(name, which, dtype, rng):
    case = ALL[name]
    for shape in SHAPES:
        arrays = case.make(Draw(rng, dtype), *shape)
        expected = run(case.functions[which], arrays)
        rooms = [np.full_like(result, np.nan) for result in expected[: case.outs]]
        found = run(case.functions[which], arrays, case.all_outs(rooms))
        assert all(result is room for result, room in zip(found, rooms, strict=False))
        assert_same(found, expected)


@EACH_DTYPE
@each("logsumexp", "logsumexp_backward", "gaussian_noise")
def test_the_output_may_take_the_place_of_an_input(name, which, dtype, rng):
    case = ALL[name]
    for shape in SHAPES:
        arrays = case.make(Draw(rng, dtype), *shape)
        expected = run(case.functions[which], arrays)
        for position in case.in_place[: None if which == "compiled" else 1]:
            given = [array.copy() for array in arrays]
            if given[position].shape == expected[0].shape:
                found = run(case.functions[which], given, case.all_outs([given[position]]))
                assert found[0] is given[position]
                assert_same(found, expected, 1e-4 if name.startswith("affine") else 0)  # by a product or by the BLAS


def assert_same(found, expected, tolerance=0.0, message=""):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=message)


@EACH_DTYPE
@each()
def test_dtype_and_inputs_stay_as_they_are(name, which, dtype, rng):
    """A read-only array would raise at an attempt; the copy shows that nothing went around that."""
    arrays = ALL[name].make(Draw(rng, dtype), 4, 5)
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    results = run(ALL[name].functions[which], arrays)
    assert {np.asarray(result).dtype for result in results if not isinstance(result, float)} == {np.dtype(dtype)}
    assert_same(arrays, before)


@each("dropout", "gaussian_noise")
def test_float32_agrees_with_float64(name, which, rng):
    arrays = ALL[name].make(Draw(rng, "float32"), 4, 5)
    wide = [array.astype(float) if array.dtype == np.float32 else array for array in arrays]
    function = ALL[name].functions[which]
    for narrow, exact in zip(run(function, arrays), run(function, wide), strict=True):
        np.testing.assert_allclose(narrow, exact, rtol=1e-4, atol=1e-5)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
}


@EACH_DTYPE
@pytest.mark.parametrize("name", ALL)
def test_the_layout_in_memory_does_not_matter(name, dtype, rng):
    """To the plain one, to which a compiled one leaves all layouts but one."""
    arrays, function = ALL[name].make(Draw(rng, dtype), 4, 5), ALL[name].plain
    for layout, change in LAYOUTS.items():
        twins = [change(array) if array.ndim == 2 else array for array in arrays]
        assert not all(twin.flags.c_contiguous for twin in twins)
        assert_same(run(function, twins), run(function, arrays), 1e-5 if dtype == "float32" else 1e-14, layout)


@each(*LOSS_CASES, "embedding_backward", "standardize (batch)", "standardize_backward (batch)")
def test_an_empty_batch_and_any_shape_keep_their_shape(name, which, rng):
    shapes = ((0, 5), (3,), (2, 3, 4), (2, 0)) if ALL[name].by_element else ((0, 5),)
    for shape in shapes:
        result = run(ALL[name].functions[which], ALL[name].make(Draw(rng, "float32"), *shape))[0]
        assert result.dtype == np.float32
        assert result.shape == shape or (not ALL[name].by_element and result.shape[0] == 0)


def at(x, name, which):
    """The value at x, and the slope, for which the backward wants the input, the output or nothing."""
    forward, backward = (WHICH[which](getattr(ops, each)) for each in (name, name + "_backward"))
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        y = forward(x)
        wanted = [parameter for parameter in inspect.signature(backward).parameters if parameter in ("x", "y")]
        return y, backward(np.ones_like(y), **{parameter: {"x": x, "y": y}[parameter] for parameter in wanted})


WHICH = {"plain": inspect.unwrap, "public": lambda op: op}
EACH_WHICH = pytest.mark.parametrize("which", WHICH)
FAR = np.array([300, 1e3, 1e4], np.float32)
NEAR = np.array([0.0, 1e-30, 1, 20, 88, 104], np.float32)  # about where exp over- or underflows in float32


@EACH_WHICH
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_saturated_values_and_gradients_are_finite(name, which):
    assert np.isfinite(at(np.concatenate([-FAR, -NEAR, NEAR, FAR]), name, which)).all()


@EACH_WHICH
@pytest.mark.parametrize("name", ["log_softmax", "softmax", "logsumexp"])
def test_saturated_rows_are_finite(name, which):
    rows = np.array([[1, 1, -1], [-1, -1, -1], [1, 0, -1], [1, 0.999, 0]], np.float32)
    for magnitude in FAR:
        y, dx = at(magnitude * rows, name, which)
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


@EACH_WHICH
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_saturated_values_and_slopes_are_their_limits(name, which):
    y, dx = at(np.array([X, -X], np.float32), name, which)
    np.testing.assert_allclose([y[0], dx[0], y[1], dx[1]], LIMITS[name], rtol=1e-6, atol=1e-30)
