"""Every op and every loss, with each of its arrays in every shape, layout, dtype and class that an array may have.

What the plain op computes of the same numbers is what comes out, or the call is refused; and no byte changes that is
not an output's.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import chainrule as cr
import hostile
from chainrule import losses, ops
from chainrule.losses import base
from chainrule.ops.fused import KERNELS, compiled

pytestmark = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")

ROWS, WIDTH, OUTPUTS = 6, 5, 4
RNG = np.random.default_rng(3)


def numbers(*shape):
    return RNG.normal(size=shape).astype("f4")


X, DY, SLOPE = numbers(ROWS, WIDTH), numbers(ROWS, WIDTH), numbers(WIDTH)
W, B, D_OUT = numbers(WIDTH, OUTPUTS), numbers(OUTPUTS), numbers(ROWS, OUTPUTS)
#: The arrays and numbers of each op, and the shapes of what it returns.
CALLS = {
    "affine": ((X, W, B), [(ROWS, OUTPUTS)]),
    "affine_backward": ((D_OUT, X, W), [(ROWS, WIDTH), (WIDTH, OUTPUTS), (OUTPUTS,)]),
    "dropout_backward": ((DY, X), [X.shape]),
    "log_softmax": ((X,), [X.shape]),
    "log_softmax_backward": ((DY, X), [X.shape]),
    "logsumexp": ((X,), [(ROWS,)]),
    "logsumexp_backward": ((numbers(ROWS), X), [X.shape]),
    "prelu": ((X, SLOPE), [X.shape]),
    "prelu_backward": ((DY, X, SLOPE), [X.shape, SLOPE.shape]),
    "scale": ((X, SLOPE, SLOPE + 1), [X.shape]),
    "scale_backward": ((DY, X, SLOPE), [X.shape, SLOPE.shape, SLOPE.shape]),
    "softmax": ((X,), [X.shape]),
    "softmax_backward": ((DY, X), [X.shape]),
    "standardize": ((X, 0), [X.shape]),
    "standardize_backward": ((DY, X, numbers(1, WIDTH), 0), [X.shape]),
}
OWN = {"dropout", "gaussian_noise"}  # they draw: tests/ops/test_noise.py
for name in ops.__all__:
    if name not in CALLS and name not in OWN:
        CALLS[name] = ((DY, X) if name.endswith("_backward") and name != "identity_backward" else (X,), [X.shape])

LOSSES = {
    "CrossEntropy": (np.arange(ROWS) % OUTPUTS, OUTPUTS),
    "BinaryCrossEntropy": ((numbers(ROWS, OUTPUTS) > 0).astype("f4"), OUTPUTS),
    "Poisson": (np.abs(numbers(ROWS, OUTPUTS)), OUTPUTS),
    "Quantile": (numbers(ROWS, 1), 3),
    "GaussianNLL": (numbers(ROWS, 2), OUTPUTS),
}
LOSS_CLASSES = [name for name in losses.__all__ if isinstance(getattr(losses, name), type) and name != "Loss"]


def outcome(call):
    """What a call returns, as arrays, or that it is refused."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = call()
        except (ValueError, TypeError, IndexError):
            return "refused"
    found = result if isinstance(result, tuple) else (result,)
    arrays = [None if part is None else np.array(part) for part in found]
    return [array.astype("f8") if array is not None and array.dtype == object else array for array in arrays]


def assert_as(actual, expected):
    if actual == "refused" or expected == "refused":
        return
    for one, other in zip(actual, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one.reshape(other.shape), other, rtol=2e-5, atol=2e-6)


def check(op, plain, arguments, position, kind, outs=()):
    """One argument becomes hostile; or, from ``len(arguments)`` on, one of the arrays to write to."""
    guarded, call, known = hostile.Guarded(), list(arguments), list(arguments)
    out = [guarded.place(shape, hostile.contiguous(shape, 4), np.dtype("f4")) for shape in outs]
    make = (hostile.SAME | hostile.OTHER)[kind]
    if position < len(arguments):
        call[position] = make(guarded, arguments[position])
        if kind in hostile.OTHER:
            known[position] = call[position]
        before = np.array(call[position])
    else:
        index = position - len(arguments)
        out[index] = make(guarded, np.zeros(outs[index], "f4"))
        before = np.array(out[index])
    expected = outcome(lambda: plain(*known))
    given = {} if not outs else {"out": out[0] if len(outs) == 1 else tuple(out)}
    actual = outcome(lambda: op(*call, **given))
    if position < len(arguments) or kind in hostile.SAME:
        assert_as(actual, expected)
    assert guarded.intact()
    if position < len(arguments):
        np.testing.assert_array_equal(np.array(call[position]), before)  # what is only read stays
    elif not out[index].flags.writeable:
        np.testing.assert_array_equal(np.array(out[index]), before)
        assert kind not in ("read-only", "mapped") or actual == "refused"
    return actual


@pytest.mark.parametrize("kind", [*hostile.SAME, *hostile.OTHER])
@pytest.mark.parametrize("name", CALLS)
def test_ops(name, kind):
    op = getattr(ops, name)
    arguments, shapes = CALLS[name]
    plain = getattr(op, "__wrapped__", op)
    for position, argument in enumerate(arguments):
        if isinstance(argument, np.ndarray):
            check(op, plain, arguments, position, kind)
    for index in range(len(shapes)):
        check(op, plain, arguments, len(arguments) + index, kind, shapes)


@pytest.mark.parametrize("kind", [*hostile.SAME, *hostile.OTHER])
@pytest.mark.parametrize("name", LOSS_CLASSES)
def test_losses(name, kind, monkeypatch):
    y, width = LOSSES.get(name, (numbers(ROWS, OUTPUTS), OUTPUTS))
    loss = cr.Quantile((0.1, 0.5, 0.9)) if name == "Quantile" else getattr(losses, name)()
    arguments = numbers(ROWS, width), y, RNG.random(ROWS)

    def plain(*given):
        with monkeypatch.context() as context:
            context.setattr(base, "compiled", None)
            return loss(*given)

    for position in range(3):
        actual = check(loss, plain, arguments, position, kind)
        assert actual != "refused" or kind in hostile.OTHER or kind in ("masked", "a matrix"), position
    check(lambda *given, out: loss(*given, out=out), plain, arguments, 3, kind, [(ROWS, width)])


@pytest.mark.parametrize("label", [-1, 100, 2**62, -(2**62)])
@pytest.mark.parametrize("width", [OUTPUTS, 100])
def test_labels_outside_the_classes_are_refused(width, label):
    y = np.full(ROWS, label)
    with pytest.raises(ValueError, match="labels"):
        losses.CrossEntropy()(numbers(ROWS, width), y)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("nonsense", ()),
        ("huber", ()),
        ("cross_entropy_soft", ()),
        ("gaussian_nll", (1e-6, 1.0)),
        ("quantile", ()),
        ("quantile", (1000.0, 0.5)),
        ("quantile", (0.0,)),
        ("quantile", (-1.0, 0.5)),
        ("quantile", (np.nan, 0.5)),
        ("quantile", (100.0, *[0.5] * 100)),
        ("squared_error", (1.0,)),
    ],
)
def test_a_kernel_reads_no_parameter_that_is_not_there(name, parameters):
    """A loss of one's own may name a kernel, and its parameters, as it likes."""
    z = numbers(ROWS, OUTPUTS)
    assert compiled.compiled_loss(name, parameters, z, z.copy(), None, None) is None


@pytest.mark.parametrize("rate", [-1.0, 1.0, 2.0, 1e300, -1e300, np.nan, np.inf])
def test_a_rate_of_dropout_that_is_none(rate):
    y, mask = compiled.dropout_by_key(X, rate, 1)
    assert np.isfinite(y).all()
    assert (mask >= 0).all()


OVERLAPS = {
    "standardize_backward": (1, 2),
    "scale": (1, 2),
    "scale_backward": (1, 2),
    "softmax_backward": (1,),
    "log_softmax_backward": (1,),
    "dropout_backward": (1,),
    "prelu": (1,),
    "prelu_backward": (1, 2),
    "relu_backward": (1,),
    "affine": (0, 1, 2),
    "affine_backward": (0, 1, 2),
}


@pytest.mark.parametrize("shift", [1, 3])
@pytest.mark.parametrize("name", OVERLAPS)
def test_an_output_that_overlaps_an_input(name, shift):
    """Each output begins within an input, some numbers further on: the result is as good as the plain op's."""
    op, (arguments, shapes) = getattr(ops, name), CALLS[name]
    for position in OVERLAPS[name]:
        for index, shape in enumerate(shapes):
            source, need = arguments[position], int(np.prod(shape))
            apart = op.__wrapped__(*arguments)
            found = [apart[index] if isinstance(apart, tuple) else apart]
            for one in (op, op.__wrapped__):
                room = np.zeros(max(source.size, need) + shift, "f4")
                call = list(arguments)
                call[position] = room[: source.size].reshape(source.shape)
                call[position][...] = source
                out = [np.zeros(other, "f4") for other in shapes]
                out[index] = room[shift : shift + need].reshape(shape)
                one(*call, out=out[0] if len(shapes) == 1 else tuple(out))
                found.append(out[index])
            apart, actual, plain = found
            same = [np.allclose(actual, expected, rtol=2e-5, atol=2e-6) for expected in (apart, plain)]
            assert any(same), (position, index)
