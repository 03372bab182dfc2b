"""The compiled losses: value and gradient of the plain equations in higher precision, to a few ulp."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

from chainrule import losses
from chainrule.losses import CrossEntropy, GaussianNLL, Huber, Loss, Quantile, SquaredError
from chainrule.losses.base import loss_kernel
from chainrule.ops.fused import KERNELS
from parity import DTYPES, kernels, precise, unaligned

EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
ROWS = [1, 2, 16, 17, 33, 700]
WIDTHS = [1, 2, 3, 10, 32, 33, 64, 1030, 2100]
LOSSES = {
    "cross_entropy_labels": CrossEntropy(),
    "cross_entropy_labels, smoothed": CrossEntropy(label_smoothing=0.1),
    "cross_entropy_soft": CrossEntropy(),
    "cross_entropy_soft, smoothed": CrossEntropy(label_smoothing=0.1),
    "binary_cross_entropy": losses.BinaryCrossEntropy(),
    "squared_error": SquaredError(),
    "half_squared_error": losses.HalfSquaredError(),
    "absolute_error": losses.AbsoluteError(),
    "huber": Huber(0.7),
    "log_cosh": losses.LogCosh(),
    "poisson": losses.Poisson(),
    "quantile": Quantile((0.1, 0.5, 0.8)),
    "quantile, one": Quantile((0.3,)),
    "gaussian_nll": GaussianNLL(),
    "gaussian_nll, floor": GaussianNLL(0.5),
}
EACH_LOSS = pytest.mark.parametrize("name", LOSSES)


def target_for(name, z, rng):
    rows, width = z.shape
    if name.startswith("cross_entropy_labels"):
        return rng.integers(width, size=rows)
    if name.startswith("cross_entropy_soft"):
        return unaligned(rng.dirichlet(np.ones(width), size=rows), z.dtype)
    if name == "binary_cross_entropy":
        return unaligned(rng.uniform(size=z.shape), z.dtype)
    if name == "poisson":
        return unaligned(rng.poisson(2, size=z.shape), z.dtype)
    each = {"quantile": 3, "quantile, one": 1}.get(name, 2 if name.startswith("gaussian") else 1)
    return unaligned(rng.standard_normal((rows, width // each)), z.dtype)


def problem(name, rows, width, dtype, rng, size=2.0):
    """z and y of about this width: what the loss takes."""
    if name == "quantile":
        width = 3 * max(1, width // 3)
    if name.startswith("gaussian"):
        width = 2 * max(1, width // 2)
    if name.startswith("cross"):
        width = max(2, width)
    z = unaligned(size * rng.standard_normal((rows, width)), dtype)
    return z, target_for(name, z, rng)


def exactly(loss, z, y, weight=None):
    """The mean of the equations in the next precision, and the size of what is added up."""
    z = precise(z)
    terms, dz = loss.terms(z, precise(y) if y.dtype.kind == "f" else y)
    terms = terms.reshape(len(z), -1)
    share = np.full(len(z), 1 / z.dtype.type(len(z))) if weight is None else precise(weight) / precise(weight).sum()
    return terms.sum(axis=1) @ share, dz * share[:, None], np.abs(terms).sum(axis=1) @ share, share.max()


@EACH_DTYPE
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("size", [1e-3, 2, 300, 1e4])
@EACH_LOSS
def test_value_and_gradient(name, size, weighted, dtype, rng):
    loss = LOSSES[name]
    for rows, width in [(n, 10) for n in ROWS] + [(5, k) for k in WIDTHS]:
        z, y = problem(name, rows, width, dtype, rng, size)
        weight = rng.uniform(0.5, 2, rows) if weighted else None
        value, dz = kernels.compiled_loss(*loss.kernel(y), z, y, weight, None)
        with np.errstate(over="ignore"):
            expected, gradient, total, share = exactly(loss, z, y, weight)
        epsilon = np.finfo(dtype).eps
        largest = share * max(1.0, float(np.abs(z).max()) if "error" in name or name == "poisson" else 1.0)
        assert isinstance(value, float)
        roundings = 8 if dtype == "float32" else 40  # of a sum over the rows in double too
        assert abs(value - float(expected)) <= roundings * epsilon * max(float(total), float(share))
        assert dz.dtype == z.dtype
        # what is subtracted from what is 1 at most, or as large as the rate of a Poisson
        np.testing.assert_allclose(dz, gradient.astype(dtype), rtol=100 * epsilon, atol=4 * epsilon * largest)


@EACH_DTYPE
@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("name", ["cross_entropy_labels", "log_cosh"])
def test_a_loss_near_zero_keeps_its_digits(name, width, dtype):
    """Where the output is as good as right: an error of rounding beside 1 would be all that one sees."""
    loss, z = LOSSES[name], np.full((2, width), 1e-3, dtype)
    y = np.array([0, 1]) if name.startswith("cross") else np.zeros_like(z)
    if name.startswith("cross"):
        z[[0, 1], y] = 12
    value = kernels.compiled_loss(*loss.kernel(y), z, y, None, None)[0]
    assert value == pytest.approx(float(exactly(loss, z, y)[0]), rel=8 * float(np.finfo(dtype).eps))


SPECIAL = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e4, -1e4, 1e-30, 0.0, -0.0]


@EACH_DTYPE
@pytest.mark.parametrize("width", [6, 36])
@pytest.mark.parametrize("special", SPECIAL)
@EACH_LOSS
def test_special_outputs_come_out_as_from_the_plain_equations(name, special, width, dtype, rng):
    loss = LOSSES[name]
    z, y = problem(name, 1, width, dtype, rng)
    for column in (0, width // 2, width - 1):
        z[0, column] = special
        value, dz = kernels.compiled_loss(*loss.kernel(y), z, y, None, None)
        with np.errstate(all="ignore"):
            expected, gradient, _, _ = exactly(loss, z, y)
            plain = loss.terms(z, y)[0].sum(dtype=np.float64)
        if np.isfinite(plain):
            assert value == pytest.approx(float(expected), rel=1e-5, abs=1e-6)
            np.testing.assert_allclose(dz, gradient.astype(dtype), rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_equal(value, plain)


@EACH_LOSS
def test_weights_that_sum_to_zero_give_zeros(name, rng):
    z, y = problem(name, 7, 6, "float32", rng)
    value, dz = kernels.compiled_loss(*LOSSES[name].kernel(y), z, y, np.zeros(7), None)
    assert value == 0
    np.testing.assert_array_equal(dz, np.zeros_like(z))


@EACH_LOSS
def test_many_rows_are_taken_in_parts(name, rng):
    loss, rows = LOSSES[name], 5000
    z, y = problem(name, rows, 4, "float64", rng)
    weight = rng.uniform(size=rows)
    for w in (None, weight):
        value, dz = kernels.compiled_loss(*loss.kernel(y), z, y, w, None)
        expected, gradient, _, _ = exactly(loss, z, y, w)
        assert value == pytest.approx(float(expected), rel=1e-12)
        np.testing.assert_allclose(dz, gradient.astype(float), rtol=1e-12, atol=1e-18)


@EACH_DTYPE
@pytest.mark.parametrize("width", [6, 36])
@EACH_LOSS
def test_the_gradient_goes_where_it_is_wanted_and_that_may_be_the_output(name, width, dtype, rng):
    loss = LOSSES[name]
    z, y = problem(name, 20, width, dtype, rng)
    value, dz = kernels.compiled_loss(*loss.kernel(y), z, y, None, None)
    room = np.empty_like(z)
    for source, target in ((z, room), (z.copy(),) * 2):
        again, given = kernels.compiled_loss(*loss.kernel(y), source, y, None, target)
        assert given is target
        assert again == value
        np.testing.assert_array_equal(target, dz)


@pytest.mark.parametrize("label", [-1, 3, 2**40, -(2**63)])
def test_a_label_that_points_outside_is_never_followed(label):
    z, y = np.zeros((4, 3)), np.array([0, 1, 2, label])
    assert kernels.compiled_loss("cross_entropy_labels", (0.0,), z, y, None, None) is None
    with pytest.raises(ValueError, match=re.escape(f"labels from 0 to 2, got {label}; number the")):
        CrossEntropy()(z, y)


def test_what_the_kernel_cannot_take_is_left_to_the_plain_equations(rng):
    z, y = rng.standard_normal((2, 4, 6))
    args = ("squared_error", ())
    read_only = np.empty_like(z)
    read_only.flags.writeable = False
    refused = [
        (z.copy("F"), y, None, None),
        (z, y.copy("F"), None, None),
        (z.astype(np.float16), y.astype(np.float16), None, None),
        (z, y.astype(np.float32), None, None),
        (z, y[:3].copy(), None, None),
        (z, y[:, :3].copy(), None, None),
        (z, y, np.ones(3), None),
        (z, y, np.ones(4, np.float32), None),
        (z, y, None, np.empty((4, 5))),
        (z, y, None, read_only),
        (np.empty((0, 6)), np.empty((0, 6)), None, None),
    ]
    for given in refused:
        assert kernels.compiled_loss(*args, *given) is None
    labels = np.zeros(4, np.intp)
    for wrong in (labels.astype(np.int32), np.zeros(8, np.intp)[::2], labels[:3], labels[:, None]):
        assert kernels.compiled_loss("cross_entropy_labels", (0.0,), z, wrong, None, None) is None
    levels = tuple(np.linspace(0.01, 0.99, 70))
    assert kernels.compiled_loss("quantile", (70.0, *levels), np.ones((2, 70)), np.ones((2, 1)), None, None) is None
    expected = SquaredError()(z, y)
    for twisted in (z.copy("F"), z.astype(z.dtype.newbyteorder())):
        value, dz = SquaredError()(twisted, y)
        assert value == pytest.approx(expected[0], rel=1e-14)
        np.testing.assert_allclose(dz, expected[1], rtol=1e-14)


@EACH_LOSS
def test_each_loss_names_the_kernel_of_its_equations(name, rng):
    _, y = problem(name, 4, 6, "float64", rng)
    kind, parameters = LOSSES[name].kernel(y)
    assert kind == name.split(",")[0]
    assert kind in kernels.LOSSES
    assert all(isinstance(number, float) for number in parameters)


def test_every_kernel_belongs_to_a_loss():
    assert {name.split(",")[0] for name in LOSSES} == set(kernels.LOSSES)
    assert {type(loss) for loss in LOSSES.values()} == set(losses.LOSSES.values())


@pytest.mark.skipif(KERNELS != "fused", reason="CHAINRULE_KERNELS=numpy")
def test_a_loss_uses_its_kernel(rng):
    class Fused(SquaredError):
        kernel, terms = SquaredError.kernel, None

    z, y = rng.standard_normal((2, 4, 6))
    assert Fused()(z, y)[0] == pytest.approx(np.mean(np.sum((z - y) ** 2, axis=1)))


class Cubed(losses.LogCosh):
    def terms(self, z, y):
        r = np.abs(z - y)
        return r**3, 3 * r * (z - y)


@dataclass(frozen=True, repr=False)
class Steep(Huber):
    factor: float = 2.0

    def terms(self, z, y):
        value, dz = super().terms(z, y)
        return self.factor * value, self.factor * dz


class _CubedTerms:
    terms = Cubed.terms


class Mixed(_CubedTerms, losses.LogCosh):
    """Whose equations come before the parent's from beside it."""


class OfCubed(Cubed):
    """Which defines nothing of its own."""


@pytest.mark.parametrize("loss", [Cubed(), OfCubed(), Mixed(), Steep()], ids=lambda loss: type(loss).__name__)
def test_equations_of_ones_own_are_used_and_not_the_parents_kernel(loss, rng):
    z, y = rng.standard_normal((2, 4, 6))
    assert loss_kernel(loss, y) is None
    terms, dz = loss.terms(z, y)
    value, gradient = loss(z, y)
    assert value == pytest.approx(terms.sum() / 4, rel=1e-14)
    np.testing.assert_allclose(gradient, dz / 4, rtol=1e-14)


def test_a_reduction_of_ones_own_has_no_kernel():
    class Summed(Huber):
        def __call__(self, z, y, weight=None, out=None):
            value, dz = super().__call__(z, y, weight, out)
            return value * len(z), dz * len(z)

    assert loss_kernel(Summed(), np.ones((2, 2))) is None
    assert Summed()(np.ones((2, 2)), np.zeros((2, 2)))[0] == 2


def test_a_target_of_ones_own_has_no_kernel():
    """It may look at z, or at the batch: a kernel would be given it once, for all rows."""

    class Shifted(Huber):
        def target(self, z, y):
            return super().target(z, y) + 1

    assert loss_kernel(Shifted(), np.ones((2, 2))) is None
    assert Shifted()(np.ones((2, 2)), np.zeros((2, 2)))[0] == 0


class OwnKernel(Cubed):
    """Which says that a kernel does what it does."""

    def kernel(self, y):
        return "absolute_error", ()

    def terms(self, z, y):
        return np.abs(z - y), np.sign(z - y)


def test_a_class_may_name_a_kernel_beside_its_equations():
    assert loss_kernel(OwnKernel(), np.ones((2, 2))) == ("absolute_error", ())


def test_from_probabilities_there_is_no_kernel():
    assert CrossEntropy(from_logits=False).kernel(np.zeros(2, np.intp)) is None
    assert losses.BinaryCrossEntropy(from_logits=False).kernel(np.zeros((2, 1))) is None
    assert Loss.kernel(SquaredError(), np.zeros((2, 1))) is None


@EACH_DTYPE
@pytest.mark.parametrize("n", [1, 5, 100])
def test_within(n, dtype, rng):
    from chainrule._support.checks import within

    for values in (unaligned(rng.uniform(-1, 1, n), dtype), rng.integers(-5, 5, n), rng.integers(0, 5, n).astype("u1")):
        low, high = float(values.min()), float(values.max())
        for bounds in ((low, high), (low + 1e-3, high), (low, high - 1e-3), (low - 1, np.inf)):
            assert kernels.within(values, *bounds) == within(values, *bounds)
    assert not kernels.within(np.array([0.0, np.nan, 0.0], dtype), -1, 1)
    assert kernels.within(np.array([0.0, np.inf], dtype), 0, np.inf)
