"""Losses of a distribution: against SciPy's densities, and minima where the distribution says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.losses import GaussianNLL, PoissonNLL, Quantile
from losses.table import without_kernel


def test_poisson_is_the_likelihood_less_a_constant() -> None:
    stats = pytest.importorskip("scipy.stats")
    special = pytest.importorskip("scipy.special")
    z, y = np.random.default_rng(0).normal(size=(50, 1)), np.arange(50)[:, None]
    expected = -stats.poisson.logpmf(y, np.exp(z)) - special.gammaln(y + 1)
    assert PoissonNLL()(z, y)[0] == pytest.approx(expected.mean(), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("z", [69.5, 70.0, 70.5, 80.0, 1e4])
def test_poisson_continues_along_its_tangent(z: float, dtype: type) -> None:
    value, dz = PoissonNLL()(np.array([[z]], dtype), np.array([[2.0]]))
    steepest = math.exp(min(z, 70))
    assert value == pytest.approx(steepest * (1 + max(z - 70, 0)), rel=1e-6)
    assert dz[0, 0] == pytest.approx(steepest, rel=1e-5)
    assert np.isfinite(np.float32(value))


def test_poisson_beyond_the_tangent_point_differentiates_what_it_returns() -> None:
    z, y = np.array([[69.9, 71.0, 300.0]]), np.array([[1.0, 0.0, 5.0]])
    h = 1e-4
    numeric = [(PoissonNLL()(z + h * v, y)[0] - PoissonNLL()(z - h * v, y)[0]) / (2 * h) for v in np.eye(3)]
    np.testing.assert_allclose(PoissonNLL()(z, y)[1][0], numeric, rtol=1e-7)


@pytest.mark.parametrize("y", [-1.0, np.nan])
def test_counts_below_zero_are_refused(y: float) -> None:
    with pytest.raises(ValueError, match="PoissonNLL expects counts y that are not negative, got"):
        PoissonNLL()(np.zeros((1, 1)), np.array([[y]]))


def test_quantiles_of_a_target_stand_side_by_side() -> None:
    """Two targets, levels ¼ and ½: too low by r costs τ r, too high by r costs (1 − τ) r."""
    z = np.array([[0.0, 3.0, 10.0, 10.0]])
    value, dz = Quantile(levels=(0.25, 0.5))(z, np.array([[2.0, 8.0]]))
    assert value == 0.25 * 2 + 0.5 * 1 + 0.75 * 2 + 0.5 * 2
    np.testing.assert_array_equal(dz, [[-0.25, 0.5, 0.75, 0.5]])


def test_at_the_target_itself_the_slope_is_that_from_below() -> None:
    for loss in (Quantile(levels=(0.25,)), without_kernel(Quantile(levels=(0.25,)))):
        np.testing.assert_array_equal(loss(np.array([[1.0]]), np.array([[1.0]]))[1], [[-0.25]])


def test_the_least_pinball_loss_is_at_the_quantiles() -> None:
    levels = (0.1, 0.5, 0.9)
    y = np.random.default_rng(0).normal(size=(101, 1))  # 101 and these levels: the quantiles are data points
    best = np.quantile(y[:, 0], levels, method="inverted_cdf")
    loss = Quantile(levels)
    least = loss(np.tile(best, (101, 1)), y)[0]
    others = [loss(np.tile(best + shift * v, (101, 1)), y)[0] for shift in (-0.1, 0.1) for v in np.eye(3)]
    assert least < min(others)


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        ((0.5, 0.1), r"levels in increasing order, got \(0.5, 0.1\)"),
        ((0.5, 0.5), "levels in increasing order"),
        ((0.0, 0.5), "each level > 0 and < 1, got 0.0"),
        ((0.5, 1.0), "each level > 0 and < 1, got 1.0"),
        ((), r"a sequence of levels, got \(\); pass levels=\(0.5,\)"),
        (0.5, "a sequence of levels, got 0.5"),
    ],
)
def test_bad_levels_are_refused(levels: object, says: str) -> None:
    with pytest.raises(ValueError, match=f"Quantile expects {says}"):
        Quantile(levels)


@pytest.mark.parametrize("floor", [1e-6, 0.5])
def test_gaussian_nll_is_the_negative_log_density(floor: float, rng: np.random.Generator) -> None:
    stats = pytest.importorskip("scipy.stats")
    z, y = rng.normal(size=(20, 6)), rng.normal(size=(20, 3))
    density = stats.norm.logpdf(y, loc=z[:, :3], scale=np.sqrt(np.exp(z[:, 3:]) + floor))
    assert GaussianNLL(floor)(z, y)[0] == pytest.approx(-density.sum(axis=1).mean(), rel=1e-12)


def test_gaussian_nll_is_least_at_the_moments() -> None:
    y = np.array([[1.0], [2.0], [6.0]])
    at_moments = np.tile([[3.0, math.log(14 / 3 - 1e-6)]], (3, 1))
    np.testing.assert_allclose(GaussianNLL()(at_moments, y)[1].sum(axis=0), 0, atol=1e-15)


@pytest.mark.parametrize("s", [-1e4, -50.0, -14.0, 50.0, 1e4])
def test_gaussian_nll_differentiates_what_it_returns_at_any_variance(s: float) -> None:
    z, y, h = np.array([[0.3, s]]), np.array([[0.301]]), 1e-5
    loss = GaussianNLL()
    numeric = [(loss(z + h * v, y)[0] - loss(z - h * v, y)[0]) / (2 * h) for v in np.eye(2)]
    np.testing.assert_allclose(loss(z, y)[1][0], numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("floor", [0, -1.0, np.inf])
def test_gaussian_nll_wants_a_positive_floor(floor: float) -> None:
    with pytest.raises(ValueError, match="GaussianNLL expects floor"):
        GaussianNLL(floor)
