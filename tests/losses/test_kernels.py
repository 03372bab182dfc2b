"""Compiled losses: special outputs, labels out of range, and which loss has a kernel; the contract has the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

from chainrule import losses
from chainrule._support import checks
from chainrule.losses import CrossEntropy, Huber, Loss, SquaredError
from chainrule.losses.base import loss_kernel
from chainrule.ops.fused import KERNELS
from losses.table import LOSSES, problem, without_kernel
from ops.table import Draw
from parity import EACH_DTYPE, kernels, needs_kernels, precise, unaligned

EACH_LOSS = pytest.mark.parametrize("name", [name for name in LOSSES if not name.endswith("bits")])


def compiled(name, z, y, weight=None, out=None):
    return kernels.compiled_loss(*LOSSES[name][0].kernel(y), z, y, weight, out)


@needs_kernels
@EACH_DTYPE
@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("name", ["cross_entropy_labels", "log_cosh"])
def test_a_loss_near_zero_keeps_its_digits(name, width, dtype):
    """Where the output is as good as right: an error of rounding beside 1 would be all that one sees."""
    z = np.full((2, width), 1e-3, dtype)
    y = np.array([0, 1]) if name.startswith("cross") else np.zeros_like(z)
    if name.startswith("cross"):
        z[[0, 1], y] = 12
    exact = LOSSES[name][0].terms(precise(z), precise(y))[0].sum() / 2
    assert compiled(name, z, y)[0] == pytest.approx(float(exact), rel=8 * float(np.finfo(dtype).eps))


SPECIAL = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e4, -1e4, 1e-30, 0.0, -0.0]


@needs_kernels
@EACH_DTYPE
@pytest.mark.parametrize("width", [6, 36])
@EACH_LOSS
def test_special_outputs_come_out_as_from_the_plain_equations(name, width, dtype, rng):
    for special in SPECIAL:
        z, y = problem(name, Draw(rng, dtype, 2.0), 1, width)
        for column in (0, width // 2, width - 1):
            z[0, column] = special
            value, dz = compiled(name, z, y)
            with np.errstate(all="ignore"):
                plain = LOSSES[name][0].terms(z, y)[0].sum(dtype=np.float64)
                terms, gradient = LOSSES[name][0].terms(precise(z), precise(y))
            if np.isfinite(plain):
                assert value == pytest.approx(float(terms.sum()), rel=1e-5, abs=1e-6), special
                np.testing.assert_allclose(dz, gradient.astype(dtype), rtol=1e-5, atol=1e-5)
            else:
                np.testing.assert_equal(value, plain)


@pytest.mark.parametrize("name", LOSSES)
def test_weights_that_sum_to_zero_give_zeros(name, rng):
    z, y = problem(name, Draw(rng, "float32"), 7, 6)
    for loss in (LOSSES[name][0], without_kernel(LOSSES[name][0])):
        value, dz = loss(z, y, np.zeros(7))
        assert value == 0
        assert dz.dtype == np.float32
        np.testing.assert_array_equal(dz, np.zeros_like(z))


@needs_kernels
@pytest.mark.parametrize("label", [-1, 3, 2**40, -(2**63)])
def test_a_label_that_points_outside_is_never_followed(label):
    z, y = np.zeros((4, 3)), np.array([0, 1, 2, label])
    assert kernels.compiled_loss("cross_entropy_labels", (0.0,), z, y, None, None) is None
    with pytest.raises(ValueError, match=re.escape(f"labels from 0 to 2, got {label}; number the")):
        CrossEntropy()(z, y)


@needs_kernels
@EACH_LOSS
def test_each_loss_names_the_kernel_of_its_equations_which_takes_its_arrays(name, rng):
    for dtype, width in (("float32", 6), ("float64", 36)):
        z, y = problem(name, Draw(rng, dtype), 4, width)
        kind, parameters = LOSSES[name][0].kernel(y)
        assert kind == name.split(",")[0]
        assert kind in kernels.LOSSES
        assert all(isinstance(number, float) for number in parameters)
        assert compiled(name, z, y) is not None
        assert compiled(name, z, y, np.ones(4), z) is not None


@needs_kernels
def test_every_kernel_belongs_to_a_loss():
    assert {name.split(",")[0] for name in LOSSES} == set(kernels.LOSSES)


@pytest.mark.skipif(KERNELS != "fused", reason="CHAINRULE_KERNELS=numpy")
def test_a_loss_uses_its_kernel(rng):
    loss = type("WithoutTerms", (SquaredError,), {"kernel": SquaredError.kernel, "terms": None})()
    z, y = rng.standard_normal((2, 4, 6))
    assert loss(z, y)[0] == pytest.approx(np.mean(np.sum((z - y) ** 2, axis=1)))


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
    """Its equations come from a mixin, before the parent's."""


class OfCubed(Cubed):
    """It defines nothing itself."""


@pytest.mark.parametrize("loss", [Cubed(), OfCubed(), Mixed(), Steep()], ids=lambda loss: type(loss).__name__)
def test_custom_equations_are_used_and_not_the_parents_kernel(loss, rng):
    z, y = rng.standard_normal((2, 4, 6))
    assert loss_kernel(loss, y) is None
    terms, dz = loss.terms(z, y)
    value, gradient = loss(z, y)
    assert value == pytest.approx(terms.sum() / 4, rel=1e-14)
    np.testing.assert_allclose(gradient, dz / 4, rtol=1e-14)


class Summed(Huber):
    """A reduction of its own."""

    def __call__(self, z, y, weight=None, out=None):
        value, dz = super().__call__(z, y, weight, out)
        return value * len(z), dz * len(z)


class Shifted(Huber):
    """A target of its own, which may look at z or at the batch: a kernel would be given it once, for all rows."""

    def target(self, z, y):
        return super().target(z, y) + 1


@pytest.mark.parametrize(("loss", "value"), [(Summed(), 2), (Shifted(), 0)])
def test_a_custom_reduction_or_target_has_no_kernel(loss, value):
    assert loss_kernel(loss, np.ones((2, 2))) is None
    assert loss(np.ones((2, 2)), np.zeros((2, 2)))[0] == value


class OwnKernel(Cubed):
    """It says that a kernel computes the same."""

    def kernel(self, y):
        return "absolute_error", ()

    def terms(self, z, y):
        return np.abs(z - y), np.sign(z - y)


def test_a_class_may_name_a_kernel_beside_its_equations():
    assert loss_kernel(OwnKernel(), np.ones((2, 2))) == ("absolute_error", ())


def test_by_default_there_is_no_kernel():
    assert Loss.kernel(SquaredError(), np.zeros((2, 1))) is None


@needs_kernels
@EACH_DTYPE
@pytest.mark.parametrize("n", [1, 5, 100])
def test_within(n, dtype, rng):
    for values in (unaligned(rng.uniform(-1, 1, n), dtype), rng.integers(-5, 5, n), rng.integers(0, 5, n).astype("u1")):
        low, high = float(values.min()), float(values.max())
        for bounds in ((low, high), (low + 1e-3, high), (low, high - 1e-3), (low - 1, np.inf)):
            assert kernels.within(values, *bounds) == checks.within(values, *bounds)
    assert not kernels.within(np.array([0.0, np.nan, 0.0], dtype), -1, 1)
    assert kernels.within(np.array([0.0, np.inf], dtype), 0, np.inf)
