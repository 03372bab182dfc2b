"""The compiled activations: the numbers of the plain ops in higher precision, to a few ulp."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from chainrule.ops import activations
from parity import DTYPES, SHAPES, distance, kernels, precise, unaligned

EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
EACH = pytest.mark.parametrize("name", kernels.ACTIVATIONS)
WITH_PARAMETER = {"leaky_relu": (0.0, 0.2, 1.0, 1), "elu": (0.3, 1.0, 2)}
CASES = [(name, a) for name in kernels.ACTIVATIONS for a in WITH_PARAMETER.get(name, (None,))]
EACH_CASE = pytest.mark.parametrize(("name", "a"), CASES)
LARGE = [300.0, 1e4, 1e30]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 1e-30, -1e-30, *LARGE, *np.negative(LARGE), np.inf, -np.inf, np.nan]
ULP = 4


def pair(name):
    """The compiled op beside the plain one."""
    return getattr(kernels, name), getattr(activations, name)


def parameters(a):
    return () if a is None else (a,)


def point(name, x, *a):
    """What the backward takes beside dy: the input, the output or nothing."""
    kept = list(inspect.signature(getattr(activations, name + "_backward")).parameters)[1]
    return {"x": (x,), "y": (getattr(activations, name)(x, *a),), "out": ()}[kept]


def check_forward(name, x, *a):
    compiled, plain = pair(name)
    before = x.copy()
    y = compiled(x, *a)
    assert y.dtype == x.dtype
    assert y.shape == x.shape
    np.testing.assert_array_equal(x, before)
    gate = np.abs(precise(x)) if name in ("gelu", "gelu_tanh", "silu", "mish") else 0.0  # 1 + tanh has lost its tail
    offset = 0.5 if name == "hard_sigmoid" else gate
    assert distance(y, plain(precise(x), *a), offset) <= ULP


def check_backward(name, dy, x, *a):
    compiled, plain = pair(name + "_backward")
    kept = point(name, x, *a)
    dx = compiled(dy, *kept, *a)
    assert dx.dtype == x.dtype
    assert dx.shape == x.shape
    assert distance(dx, plain(precise(dy), *map(precise, kept), *a), np.abs(precise(dy))) <= ULP


@EACH_DTYPE
@pytest.mark.parametrize("shape", [*SHAPES, (0, 5), (4, 0), (3,), (2, 3, 4)], ids=str)
@EACH_CASE
def test_shapes(name, a, shape, dtype, rng):
    x, dy = (unaligned(rng.normal(0, 3, shape), dtype) for _ in range(2))
    check_forward(name, x, *parameters(a))
    check_backward(name, dy, x, *parameters(a))


@EACH_DTYPE
@EACH_CASE
def test_magnitudes(name, a, dtype, rng):
    wide = np.concatenate([np.linspace(-120, 120, 20001), np.linspace(-800, 800, 4001), np.linspace(-1e4, 1e4, 999)])
    small = rng.choice([-1, 1], 20000) * 10.0 ** rng.uniform(-38, 1, 20000)
    x = np.concatenate([wide, small]).astype(dtype)
    check_forward(name, x, *parameters(a))
    check_backward(name, rng.uniform(0.5, 2, x.size).astype(dtype), x, *parameters(a))


@EACH_DTYPE
@EACH_CASE
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the plain op warns of the NaN that it makes
def test_special_values_come_out_as_from_the_plain_op(name, a, dtype):
    x = np.repeat(np.array(SPECIAL, dtype), 23)  # long enough for vectors, and what is left over
    compiled, plain = pair(name)
    same_special(compiled(x, *parameters(a)), plain(x, *parameters(a)))

    dy, x = (np.repeat(v, 23).astype(dtype) for v in np.meshgrid(SPECIAL, SPECIAL))
    kept = point(name, x, *parameters(a))
    compiled, plain = pair(name + "_backward")
    same_special(compiled(dy, *kept, *parameters(a)), plain(dy, *kept, *parameters(a)))


def same_special(actual, expected):
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(actual), np.isinf(expected))
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual[number]), np.signbit(expected[number]))


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "silu", "gelu"])
@pytest.mark.parametrize(("dtype", "last", "last_of_gelu"), [("float32", 103, 13.5), ("float64", 744, 38)])
def test_underflow_is_gradual(name, dtype, last, last_of_gelu):
    special = pytest.importorskip("scipy.special")
    x = np.linspace(*((-8, -last_of_gelu) if name == "gelu" else (-20, -last)), 5001)
    x = x.astype(dtype).astype(np.longdouble)
    tail = (
        np.exp(special.log_ndtr(x.astype(float))) if name == "gelu" else np.exp(x)
    )  # of sigmoid and softplus too, to 2e-9 of it
    exact = tail if name in ("sigmoid", "softplus") else x * tail
    y = getattr(kernels, name)(x.astype(dtype))
    relative = 3e-9 + (10 + np.square(x) / 2 * (name == "gelu")) * np.finfo(dtype).eps
    assert np.all(np.abs(y - exact) <= relative * np.abs(exact) + np.abs(x) * np.finfo(dtype).smallest_subnormal)
    assert np.all(y != 0)


@EACH_DTYPE
@EACH
def test_results_go_where_they_are_wanted(name, dtype, rng):
    x, dy, room = (rng.standard_normal(101).astype(dtype) for _ in range(3))
    for f, *inputs in ((pair(name)[0], x), (pair(name + "_backward")[0], dy, *point(name, x))):
        expected = f(*inputs)
        assert f(*inputs, out=room) is room
        np.testing.assert_array_equal(room, expected)
        for which in range(len(inputs)):
            copies = [v.copy() for v in inputs]
            assert f(*copies, out=copies[which]) is copies[which]
            np.testing.assert_array_equal(copies[which], expected)


@EACH_DTYPE
@EACH
def test_memory_that_overlaps_in_part_or_lies_beside_is_left_alone(name, dtype, rng):
    values = rng.standard_normal((2, 203)).astype(dtype)
    compiled, plain = pair(name)
    shifted, kept = values.copy()[0], point(name, values[1, :200])
    expected = plain(shifted[:200])
    np.testing.assert_array_equal(compiled(shifted[:200], out=shifted[2:202]), expected)
    np.testing.assert_array_equal(shifted[[0, 1, 202]], values[0, [0, 1, 202]])

    compiled, plain = pair(name + "_backward")
    for which in range(1 + len(kept)):  # dy, then what was kept
        shifted = values.copy()[0]
        arguments = [values[1, :200], *kept]
        arguments[which] = shifted[:200]
        expected = plain(*(v.copy() for v in arguments))
        np.testing.assert_array_equal(compiled(*arguments, out=shifted[2:202]), expected)


@EACH_DTYPE
@EACH_CASE
def test_a_batch_in_parts_gives_the_same_bits(name, a, dtype, rng):
    x, dy = rng.normal(0, 3, (2, 1003)).astype(dtype)
    for f, *inputs in ((pair(name)[0], x), (pair(name + "_backward")[0], dy, *point(name, x, *parameters(a)))):
        whole = f(*inputs, *parameters(a))
        for cut in (1, 5, 17, 500):
            parts = [f(*(v[part] for v in inputs), *parameters(a)) for part in (np.s_[:cut], np.s_[cut:])]
            np.testing.assert_array_equal(np.concatenate(parts), whole)


def swapped(x):
    return x.astype(x.dtype.newbyteorder())


def misaligned(x):
    raw = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    raw[...] = x
    return raw


OTHERS = {
    "every second column": lambda x: x[:, ::2],
    "transposed": lambda x: x.T,
    "backwards": lambda x: x[::-1],
    "byte order": swapped,
    "misaligned": misaligned,
    "long double": lambda x: x.astype(np.longdouble),
}


@pytest.mark.parametrize("kind", OTHERS)
@EACH
def test_other_arrays_are_left_to_the_plain_op(name, kind, rng):
    x = OTHERS[kind](rng.standard_normal((6, 8)))
    for (compiled, plain), arguments in ((pair(name), (x,)), (pair(name + "_backward"), (x, *point(name, x)))):
        mine, reference = compiled(*arguments), plain(*arguments)
        np.testing.assert_array_equal(mine, reference)
        assert mine.dtype == reference.dtype
        assert type(mine) is type(reference)


@EACH
def test_errors_are_those_of_the_plain_op(name):
    x, fixed = np.ones(5), np.ones(5)
    fixed.flags.writeable = False
    calls = [((x,), {"out": fixed}), ((x,), {"out": np.ones(4)}), ((None,), {}), ((), {})]
    for arguments, keywords in calls:
        errors = []
        for f in pair(name):
            with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
                f(*arguments, **keywords)
            errors.append(caught.type)
        assert errors[0] is errors[1]


def test_a_parameter_in_a_dtype_of_its_own_makes_the_result_the_plain_one():
    x = np.linspace(-2, 2, 40, dtype=np.float32)
    for a in (np.float64(0.3), np.full(40, 0.3)):
        mine, plain = kernels.leaky_relu(x, a), activations.leaky_relu(x, a)
        assert mine.dtype == plain.dtype == np.result_type(x, a)
        np.testing.assert_array_equal(mine, plain)
    a = np.float64(0.3)
    for f, arguments in (("leaky_relu_backward", (x, x, a)), ("elu", (x, a)), ("elu_backward", (x, x, a))):
        mine, plain = (g(*arguments) for g in pair(f))
        assert mine.dtype == plain.dtype
        np.testing.assert_array_equal(mine, plain)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu_tanh"])
def test_an_array_without_dimensions_gives_a_number(name):
    compiled, plain = pair(name)
    assert type(compiled(np.array(0.5))) is type(plain(np.array(0.5)))
    assert compiled(np.array(0.5)) == plain(np.array(0.5))


@pytest.mark.parametrize("name", activations.__all__)
def test_signatures_are_the_plain_ones(name):
    def told(f):
        return [(p.name, p.default, p.kind) for p in inspect.signature(f).parameters.values()]

    compiled, plain = pair(name)
    assert told(compiled) == told(plain)


@EACH_DTYPE
@pytest.mark.parametrize("shape", [*SHAPES, (0, 5), (4, 0)], ids=str)
def test_prelu(shape, dtype, rng):
    x, dy = (unaligned(rng.normal(0, 3, shape), dtype) for _ in range(2))
    slope = unaligned(rng.uniform(-0.5, 1.5, shape[1]), dtype)
    y = kernels.prelu(x, slope)
    assert y.dtype == x.dtype
    assert distance(y, activations.prelu(precise(x), precise(slope))) <= ULP

    mine = kernels.prelu_backward(dy, x, slope)
    exact = activations.prelu_backward(*map(precise, (dy, x, slope)))
    assert distance(mine[0], exact[0]) <= ULP
    assert distance(mine[1], exact[1], np.abs(precise(dy * x)).sum(axis=0)) <= 2 + shape[0] / 20
    assert mine[1].shape == slope.shape


@EACH_DTYPE
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_prelu_of_special_values(dtype):
    x, slope = (v.astype(dtype) for v in np.meshgrid(SPECIAL, SPECIAL, indexing="ij"))
    slope = np.delete(slope[0], [6, 7])  # not ±1e-30, where two products underflow and only one rounding shows
    x = x[:, :-2]
    same_special(kernels.prelu(x, slope), activations.prelu(x, slope))
    for dy in (np.ones_like(x), -x):
        for mine, plain in zip(
            kernels.prelu_backward(dy, x, slope), activations.prelu_backward(dy, x, slope), strict=True
        ):
            same_special(mine, plain)


def test_prelu_writes_where_it_is_told(rng):
    x, dy, room = rng.standard_normal((3, 9, 21))
    slope, total = rng.standard_normal((2, 21))
    y, (dx, dslope) = activations.prelu(x, slope), activations.prelu_backward(dy, x, slope)
    assert kernels.prelu(x, slope, room) is room
    np.testing.assert_allclose(room, y, rtol=1e-15)
    for target in (room, dy.copy(), x.copy()):
        pull = target if np.array_equal(target, dy) else dy
        at = target if np.array_equal(target, x) else x
        mine = kernels.prelu_backward(pull, at, slope, out=(target, total))
        assert mine[0] is target
        assert mine[1] is total
        np.testing.assert_allclose(target, dx, rtol=1e-14)
        np.testing.assert_allclose(total, dslope, rtol=1e-12)
    assert kernels.prelu(x, slope, out=x) is x
    np.testing.assert_allclose(x, y, rtol=1e-15)


def test_prelu_leaves_other_arrays_to_the_plain_op(rng):
    x, dy = rng.standard_normal((2, 6, 6))
    slope = rng.standard_normal(6)
    for at, pull, a in ((x.T, dy.T, slope), (x, dy, slope[0:1]), (x[::2], dy[::2], slope), (x, dy, slope[::-1])):
        np.testing.assert_array_equal(kernels.prelu(at, a), activations.prelu(at, a))
        if a.size == 6:
            for mine, plain in zip(
                kernels.prelu_backward(pull, at, a), activations.prelu_backward(pull, at, a), strict=True
            ):
                np.testing.assert_array_equal(mine, plain)
    with pytest.raises(ValueError, match="broadcast"):
        kernels.prelu(x, rng.standard_normal(5))
