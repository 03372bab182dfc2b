"""Every op and every loss, with each of its arrays in every shape, layout, dtype and class that an array may have.

What the plain function computes of the same numbers is what comes out, or the call is refused; and no byte changes
that is not an output's.
"""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest

import hostile
from chainrule import losses
from chainrule.ops.fused import KERNELS, compiled
from losses.table import LOSS_CASES
from ops.table import CASES, Draw, run

pytestmark = pytest.mark.skipif(KERNELS != "fused", reason="there are no compiled kernels, or they are not in use")

KINDS = hostile.SAME | hostile.OTHER
ALL = {name: case for name, case in CASES.items() if "noise" not in name and "=" not in name} | LOSS_CASES


def outcome(function, arrays, out=None):
    """What a call returns, as arrays, or that it is refused."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = [np.array(part) for part in run(function, arrays, out)]
        except (ValueError, TypeError, IndexError):
            return "refused"
    return [array.astype("f8") if array.dtype == object else array for array in found]


def assert_as(actual, expected, message):
    if actual != "refused" and expected != "refused":
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(one.reshape(other.shape), other, rtol=2e-5, atol=2e-6, err_msg=message)


@pytest.mark.parametrize("name", ALL)
def test_an_input_of_any_kind(name, rng):
    case = ALL[name]
    arrays = case.make(Draw(rng, "float32"), 6, 5)
    for position, kind in product(range(len(arrays)), KINDS):
        guarded, given, known = hostile.Guarded(), list(arrays), list(arrays)
        given[position] = KINDS[kind](guarded, arrays[position])
        if kind in hostile.OTHER:
            known[position] = given[position]
        before = np.array(given[position])
        actual = outcome(case.compiled or case.plain, given)
        assert_as(actual, outcome(case.plain, known), f"{kind}, array {position}")
        assert guarded.intact()
        np.testing.assert_array_equal(np.array(given[position]), before)  # what is only read stays
        if name in LOSS_CASES and kind not in hostile.OTHER and kind not in ("masked", "a matrix"):
            assert actual != "refused", f"{kind}, array {position}"


@pytest.mark.parametrize("name", [name for name, case in ALL.items() if case.outs])
def test_an_output_of_any_kind(name, rng):
    case = ALL[name]
    arrays = case.make(Draw(rng, "float32"), 6, 5)
    expected = outcome(case.plain, arrays)
    shapes = [result.shape for result in expected[: case.outs]]
    for index, kind in product(range(len(shapes)), KINDS):
        guarded = hostile.Guarded()
        rooms = [guarded.place(shape, hostile.contiguous(shape, 4), np.dtype("f4")) for shape in shapes]
        rooms[index] = room = KINDS[kind](guarded, np.zeros(shapes[index], "f4"))
        before = np.array(room)
        actual = outcome(case.compiled or case.plain, arrays, case.all_outs(rooms))
        if kind in hostile.SAME:
            assert_as(actual, expected, f"{kind}, output {index}")
        assert guarded.intact()
        if not room.flags.writeable:
            np.testing.assert_array_equal(np.array(room), before)
            assert kind not in ("read-only", "mapped") or actual == "refused"


def numbers(*shape):
    return np.random.default_rng(3).normal(size=shape).astype("f4")


@pytest.mark.parametrize("label", [-1, 100, 2**62, -(2**62)])
@pytest.mark.parametrize("width", [4, 100])
def test_labels_outside_the_classes_are_refused(width, label):
    with pytest.raises(ValueError, match="labels"):
        losses.CrossEntropy()(numbers(6, width), np.full(6, label))


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
def test_a_kernel_reads_no_missing_parameter(name, parameters):
    """A custom loss may name any kernel and any parameters."""
    assert compiled.compiled_loss(name, parameters, numbers(6, 4), numbers(6, 4), None, None) is None


@pytest.mark.parametrize("rate", [-1.0, 1.0, 2.0, 1e300, -1e300, np.nan, np.inf])
def test_an_invalid_dropout_rate_gives_finite_numbers(rate):
    y, mask = compiled.dropout_by_key(numbers(6, 5), rate, 1)
    assert np.isfinite(y).all()
    assert (mask >= 0).all()
