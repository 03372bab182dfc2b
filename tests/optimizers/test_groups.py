"""Parameter groups: which parameter gets which factor, and the error where a pattern matches none."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.optimizers import LAMB, LARS, SGD, Adam, Muon, Optimizer
from chainrule.parameters import Parameters

SHAPES = {"0.W": (2, 3), "0.b": (3,), "1.0.W": (3, 2), "1.0.b": (2,)}


def one_step(optimizer: Optimizer) -> Parameters:
    """Weights of 1 after a step along gradients of 1."""
    parameters = Parameters(SHAPES, "float64")
    parameters.vector[:] = 1.0
    optimizer.setup(parameters)
    optimizer.step(parameters.vector, np.ones_like(parameters.vector))
    return parameters


@pytest.mark.parametrize(
    ("groups", "moves"),
    [
        ({}, {"0.W": 0.5, "0.b": 0.5, "1.0.W": 0.5, "1.0.b": 0.5}),
        ({"*.b": {"learning_rate_factor": 0.1}}, {"0.W": 0.5, "0.b": 0.05, "1.0.W": 0.5, "1.0.b": 0.05}),
        ({"0.*": {"learning_rate_factor": 0.0}}, {"0.W": 0.0, "0.b": 0.0, "1.0.W": 0.5, "1.0.b": 0.5}),
        (
            {"*.b": {"learning_rate_factor": 0.1}, "1.*": {"learning_rate_factor": 4.0}},
            {"0.W": 0.5, "0.b": 0.05, "1.0.W": 2.0, "1.0.b": 0.2},
        ),
        ({"?.W": {}}, {"0.W": 0.5, "0.b": 0.5, "1.0.W": 0.5, "1.0.b": 0.5}),
    ],
)
def test_factors_of_all_matching_patterns_multiply(groups, moves: dict[str, float]) -> None:
    after = one_step(SGD(0.5, groups=groups))
    for name, move in moves.items():
        np.testing.assert_allclose(1 - after[name], move, rtol=1e-12, atol=1e-15, err_msg=name)


def test_decay_is_scaled_by_its_factor_and_by_the_rate() -> None:
    groups = {"*.b": {"weight_decay_factor": 0.0}, "1.*": {"weight_decay_factor": 3.0, "learning_rate_factor": 0.5}}
    parameters = Parameters(SHAPES, "float64")
    parameters.vector[:] = 1.0
    sgd = SGD(0.1, weight_decay=0.2, groups=groups)
    sgd.setup(parameters)
    sgd.step(parameters.vector, np.zeros_like(parameters.vector))
    np.testing.assert_allclose(parameters["0.W"], 1 - 0.1 * 0.2, rtol=1e-15)
    np.testing.assert_allclose(parameters["1.0.W"], 1 - 0.5 * 0.1 * 3 * 0.2, rtol=1e-15)
    np.testing.assert_array_equal(parameters["0.b"], 1)
    np.testing.assert_array_equal(parameters["1.0.b"], 1)


@pytest.mark.parametrize("make", [Adam, LAMB, LARS, Muon])
def test_a_rate_factor_scales_the_whole_update_of_any_optimizer(make: type[Optimizer]) -> None:
    plain, halved = one_step(make(0.5)), one_step(make(0.5, groups={"0.?": {"learning_rate_factor": 0.5}}))
    for name in SHAPES:
        share = 0.5 if name.startswith("0.") else 1.0
        np.testing.assert_allclose(1 - halved[name], share * (1 - plain[name]), rtol=1e-9, err_msg=name)


def test_factors_of_one_divide_nothing() -> None:
    sgd, parameters = SGD(groups={"*": {"learning_rate_factor": 1.0, "weight_decay_factor": 1.0}}), Parameters(SHAPES)
    sgd.setup(parameters)
    assert sgd.prepare(parameters.vector)[1] == [(0, parameters.vector.size, 1.0, 1.0)]


def test_groups_need_setup() -> None:
    with pytest.raises(
        ValueError, match=r"SGD.step expects to know the names.*optimizer.setup\(model.parameters\) first"
    ):
        SGD(groups={"*.b": {}}).step(np.ones(2), np.ones(2))


def test_groups_given_later_need_setup_too() -> None:
    w, sgd = np.ones(2), SGD()
    sgd.step(w, w.copy())
    sgd.groups = {"*.b": {}}
    with pytest.raises(ValueError, match=r"SGD.step expects to know the names"):
        sgd.step(w, w.copy())


def test_a_pattern_that_matches_nothing_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got '1\.b'; did you mean '1\.0\.b'\? names: 0\.W, 0\.b, 1\.0\.W, 1\.0\.b"):
        one_step(SGD(groups={"1.b": {"learning_rate_factor": 0.1}}))


def test_case_counts() -> None:
    with pytest.raises(ValueError, match="a pattern that matches"):
        one_step(SGD(groups={"*.w": {}}))


def test_a_model_without_parameters_has_no_near_name() -> None:
    with pytest.raises(ValueError, match=r"got '\*'; names: "):
        SGD(groups={"*": {}}).setup(Parameters({}))
