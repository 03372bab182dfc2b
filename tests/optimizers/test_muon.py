"""Muon: its matrices against the singular value decomposition, its vectors against AdamW."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.optimizers import AdamW, Muon
from chainrule.parameters import Parameters

SHAPES = {"0.W": (6, 4), "0.b": (4,), "0.gain": (1,), "1.W": (4, 9), "1.b": (9,), "2.W": (5, 5), "3.W": (1, 3)}
MATRICES = [name for name, shape in SHAPES.items() if len(shape) == 2]


def gradients(dtype: str = "float64", seed: int = 0) -> Parameters:
    made = Parameters(SHAPES, dtype)
    made.vector[:] = np.random.default_rng(seed).standard_normal(made.vector.size)
    return made


def updates(muon: Muon, *given: Parameters) -> Parameters:
    """How far the last step went, divided by the rate."""
    parameters = Parameters(SHAPES, given[0].vector.dtype)
    muon.setup(parameters)
    for g in given:
        parameters.vector[:] = 0.0
        muon.step(parameters.vector, g.vector)
    parameters.vector /= -muon.current_learning_rate
    return parameters


def quintic(sigma: np.ndarray) -> np.ndarray:
    """What five rounds of Newton and Schulz make of singular values: x ← 3.4445x − 4.775x³ + 2.0315x⁵."""
    for _ in range(5):
        sigma = np.polynomial.polynomial.polyval(sigma, [0, 3.4445, 0, -4.775, 0, 2.0315])
    return sigma


@pytest.mark.parametrize("name", MATRICES)
def test_the_update_has_the_gradients_singular_vectors_and_mapped_values(name: str) -> None:
    g = gradients()
    u, s, vt = np.linalg.svd(g[name], full_matrices=False)
    expected = 0.2 * max(SHAPES[name]) ** 0.5 * (u * quintic(s / np.sqrt((s**2).sum()))) @ vt
    np.testing.assert_allclose(updates(Muon(0.1, weight_decay=0.0), g)[name], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("dtype", "off"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize("name", MATRICES)
def test_the_update_is_nearly_orthogonal_and_moves_along_the_gradient(name: str, dtype: str, off: float) -> None:
    g = gradients(dtype)
    u, _, vt = np.linalg.svd(g[name], full_matrices=False)
    seen = u.T @ updates(Muon(0.1, weight_decay=0.0), g)[name] @ vt.T / (0.2 * max(SHAPES[name]) ** 0.5)
    values = np.diagonal(seen)
    np.testing.assert_allclose(seen - np.diag(values), 0, atol=off)
    assert 0.6 < values.min() <= values.max() < 1.25


@pytest.mark.parametrize("name", MATRICES)
def test_the_root_mean_square_of_an_update_is_about_a_fifth(name: str) -> None:
    update = updates(Muon(0.1, weight_decay=0.0), gradients())[name]
    assert 0.13 < np.sqrt((update**2).mean()) < 0.25


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_scale_of_the_gradient_does_not_matter_to_a_matrix(scale: float) -> None:
    g, scaled = gradients(), gradients()
    scaled.vector *= scale
    one, other = updates(Muon(0.1, weight_decay=0.0), g), updates(Muon(0.1, weight_decay=0.0), scaled)
    for name in MATRICES:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("nesterov", "weights"), [(False, (3 / 16, 3 / 4)), (True, (3 / 64, 15 / 16))])
def test_momentum_by_hand(nesterov: bool, weights: tuple[float, float]) -> None:
    """μ = ¼: M = ¼(¾ G₁) + ¾ G₂ = 3/16 G₁ + ¾ G₂;  Nesterov takes ¾ G₂ + ¼ M = 3/64 G₁ + 15/16 G₂."""
    first, second, mixed = gradients(seed=1), gradients(seed=2), gradients()
    mixed.vector[:] = weights[0] * first.vector + weights[1] * second.vector
    both = updates(Muon(0.1, momentum=0.25, nesterov=nesterov, weight_decay=0.0), first, second)
    once = updates(Muon(0.1, momentum=0.0, weight_decay=0.0), mixed)
    for name in MATRICES:
        np.testing.assert_allclose(both[name], once[name], rtol=1e-9, atol=1e-12)


def test_parameters_other_than_matrices_are_updated_by_adamw() -> None:
    options = {"betas": (0.8, 0.9), "epsilon": 1e-3, "weight_decay": 0.3}
    ours, theirs = gradients(seed=9), gradients(seed=9)
    muon, adamw = Muon(0.1, **options), AdamW(0.1, **options)
    muon.setup(ours)
    for seed in range(4):
        muon.step(ours.vector, gradients(seed=seed).vector)
        adamw.step(theirs.vector, gradients(seed=seed).vector)
    for name in SHAPES:
        same = np.allclose(ours[name], theirs[name], rtol=1e-12)
        assert same is (name not in MATRICES), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gradient_of_zeros_moves_nothing(dtype: str) -> None:
    zero = Parameters(SHAPES, dtype)
    np.testing.assert_array_equal(updates(Muon(0.1), zero).vector, 0)


def test_a_model_without_matrices_is_left_to_adamw() -> None:
    parameters, w = Parameters({"0.gain": (3,)}, "float64"), np.zeros(3)
    muon, adamw = Muon(0.1), AdamW(0.1)
    muon.setup(parameters)
    muon.step(parameters.vector, np.arange(3.0))
    adamw.step(w, np.arange(3.0))
    np.testing.assert_array_equal(parameters.vector, w)


def test_muon_needs_setup() -> None:
    muon = Muon()
    with pytest.raises(
        ValueError, match=r"Muon.step expects to know the shapes.*call optimizer.setup\(model.parameters\)"
    ):
        muon.step(np.ones(3), np.ones(3))
    assert muon.state == {}
