"""Initializers: the distribution each states, by its range and a test of its whole shape."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.initializers import (
    INITIALIZERS,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeNormalWithBias,
    HeUniform,
    Initializer,
    LecunNormal,
    LecunUniform,
    Normal,
    Ones,
    Orthogonal,
    Uniform,
    Zeros,
    get_initializer,
)

SCALED = [GlorotUniform(), GlorotNormal(), HeUniform(), HeNormal(), HeNormalWithBias(), LecunUniform(), LecunNormal()]
ALL = [make() for make in INITIALIZERS.values()]


def stated_variance(initializer: Initializer, inputs: int, outputs: int) -> float:
    """As the papers have it."""
    return {
        GlorotUniform: 2 / (inputs + outputs),
        GlorotNormal: 2 / (inputs + outputs),
        HeUniform: 2 / inputs,
        HeNormal: 2 / inputs,
        HeNormalWithBias: 2 / (inputs + 1),
        LecunUniform: 1 / inputs,
        LecunNormal: 1 / inputs,
    }[type(initializer)]


@given(inputs=st.integers(1, 40), outputs=st.integers(1, 40))
@pytest.mark.parametrize("initializer", SCALED, ids=repr)
def test_the_shape_scales_the_numbers_and_nothing_else(initializer: Initializer, inputs: int, outputs: int) -> None:
    one = initializer((1, inputs * outputs), rng=3, dtype=np.float64).ravel()
    other = initializer((inputs, outputs), rng=3, dtype=np.float64).ravel()
    ratio = stated_variance(initializer, inputs, outputs) / stated_variance(initializer, 1, inputs * outputs)
    np.testing.assert_allclose(other, one * math.sqrt(ratio), rtol=1e-12)


@pytest.mark.parametrize("initializer", [GlorotUniform(), HeUniform(), LecunUniform()], ids=repr)
def test_uniform_rules_fill_their_interval_evenly(initializer: Initializer) -> None:
    stats = pytest.importorskip("scipy.stats")
    x = initializer((300, 100), rng=1, dtype=np.float64).ravel()
    edge = math.sqrt(3 * stated_variance(initializer, 300, 100))
    assert stats.kstest(x, stats.uniform(-edge, 2 * edge).cdf).pvalue > 1e-3
    assert 0.999 * edge < np.abs(x).max() <= edge


@pytest.mark.parametrize("initializer", [GlorotNormal(), HeNormal(), HeNormalWithBias(), LecunNormal()], ids=repr)
def test_normal_rules_follow_the_bell_curve(initializer: Initializer) -> None:
    stats = pytest.importorskip("scipy.stats")
    x = initializer((300, 100), rng=1, dtype=np.float64).ravel()
    sigma = math.sqrt(stated_variance(initializer, 300, 100))
    assert stats.kstest(x, stats.norm(0, sigma).cdf).pvalue > 1e-3


def test_uniform_and_normal_follow_their_parameters() -> None:
    stats = pytest.importorskip("scipy.stats")
    assert stats.kstest(Uniform(-1.0, 3.0)((20_000,), 1, "float64"), stats.uniform(-1, 4).cdf).pvalue > 1e-3
    assert stats.kstest(Normal(0.2)((20_000,), 1, "float64"), stats.norm(0, 0.2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5), (1, 4), (4, 1)])
@pytest.mark.parametrize("gain", [1.0, 1.7])
def test_orthogonal_changes_no_length_but_by_the_gain(shape: tuple[int, int], gain: float) -> None:
    w = Orthogonal(gain)(shape, rng=0, dtype=np.float64)
    assert w.flags.c_contiguous
    small = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(small, gain**2 * np.eye(min(shape)), atol=1e-14)


def test_orthogonal_prefers_no_direction(rng: np.random.Generator) -> None:
    corners = np.array([Orthogonal()((3, 3), rng, "float64")[2, 2] for _ in range(4000)])
    # a coordinate of a uniform point on the sphere in three dimensions is uniform on [-1, 1]
    assert abs(corners.mean()) < 5 * math.sqrt(1 / 3 / 4000)
    assert abs((corners**2).mean() - 1 / 3) < 5 * math.sqrt(4 / 45 / 4000)


def test_zeros_and_ones_leave_the_generator_alone(rng: np.random.Generator) -> None:
    before = rng.bit_generator.state
    assert (Zeros()((2, 3), rng) == 0).all()
    assert (Ones()((4,), rng) == 1).all()
    assert rng.bit_generator.state == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("initializer", ALL, ids=repr)
def test_same_seed_same_bits_and_the_dtype_asked_for(initializer: Initializer, dtype: str) -> None:
    once, again = initializer((6, 5), 7, dtype), initializer((6, 5), np.random.default_rng(7), dtype)
    assert once.dtype == dtype
    assert once.shape == (6, 5)
    assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("initializer", [i for i in ALL if not isinstance(i, (Zeros, Ones))], ids=repr)
def test_another_seed_or_a_used_generator_gives_other_numbers(initializer: Initializer) -> None:
    rng = np.random.default_rng(7)
    first, second = initializer((6, 5), rng), initializer((6, 5), rng)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, initializer((6, 5), 8))
    assert not np.array_equal(initializer((6, 5)), initializer((6, 5)))


@pytest.mark.parametrize("initializer", ALL, ids=repr)
def test_float32_is_float64_rounded(initializer: Initializer) -> None:
    wide = initializer((6, 5), 7, np.float64)
    np.testing.assert_array_equal(initializer((6, 5), 7), wide.astype(np.float32))


@pytest.mark.parametrize("initializer", [*SCALED, Orthogonal()], ids=repr)
def test_rules_with_fans_refuse_a_bias(initializer: Initializer) -> None:
    name = type(initializer).__name__
    with pytest.raises(ValueError, match=rf"{name} expects the shape \(I, O\).*got \(5,\); use Zeros\(\) for a bias"):
        initializer((5,), 0)


@pytest.mark.parametrize("shape", [(0, 3), (3, -1), (2.0, 3), ("3", 3)])
def test_a_length_is_a_positive_integer(shape: tuple[int, int]) -> None:
    with pytest.raises((ValueError, TypeError), match="HeNormal expects each length of the shape"):
        HeNormal()(shape, 0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Uniform(1.0, 0.0), "Uniform expects high >= 1, got 0.0"),
        (lambda: Uniform(math.nan, 0.0), "Uniform expects low"),
        (lambda: Normal(-0.1), "Normal expects sigma >= 0"),
        (lambda: Orthogonal(0.0), "Orthogonal expects gain > 0"),
        (lambda: get_initializer("he_norml"), "did you mean 'he_normal'"),
    ],
)
def test_a_wrong_value_is_named(make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_a_rule_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Normal().sigma = 3.0


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_each_name_gives_its_rule(name: str) -> None:
    assert type(get_initializer(name)).__name__.lower() == name.replace("_", "")


def test_callables_pass_and_all_else_is_refused() -> None:
    def sevens(shape: tuple[int, ...], rng: object, dtype: object) -> np.ndarray:
        return np.full(shape, 7.0)

    assert get_initializer(sevens) is sevens
    assert get_initializer(Normal(3.0)) == Normal(3.0)
    with pytest.raises(TypeError, match=r"write HeNormal\(\)"):
        get_initializer(HeNormal)
    with pytest.raises(TypeError, match="the name of an initializer or a callable, got 3"):
        get_initializer(3)


def test_a_custom_rule_says_what_is_missing() -> None:
    with pytest.raises(TypeError, match=r"abstract class Initializer .*draw"):
        Initializer()


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (Uniform(np.float64(-1.0), np.float64(1.0)), "Uniform(low=-1.0, high=1.0)"),
        (Normal(np.float64(0.5)), "Normal(sigma=0.5)"),
        (Orthogonal(np.float64(2.0)), "Orthogonal(gain=2.0)"),
    ],
)
def test_numbers_are_kept_as_plain_floats(made: Initializer, line: str) -> None:
    assert repr(made) == line
