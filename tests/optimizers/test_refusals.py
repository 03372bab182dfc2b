"""What a step and a state refuse, in a sentence, before anything changes; test_settings.py has the options."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.optimizers import SGD, Adam
from optimizers.rows import parameters


@pytest.mark.parametrize(
    ("vector", "gradient", "error", "says"),
    [
        ([1.0], np.ones(1), TypeError, "vector as a NumPy array, got list"),
        (np.ones(1), [1.0], TypeError, "gradient as a NumPy array, got list"),
        (np.ones(2, int), np.ones(2, int), TypeError, "float32 or float64, got int64"),
        (np.ones(2, np.float16), np.ones(2, np.float16), TypeError, "float32 or float64, got float16"),
        (np.ones((2, 2)), np.ones((2, 2)), ValueError, r"flat vector that can be written, got shape \(2, 2\)"),
        (np.ones(2), np.ones(3), ValueError, r"gradient of shape \(2,\) and dtype float64.*got \(3,\)"),
        (np.ones(2), np.ones((2, 1)), ValueError, r"gradient of shape \(2,\).*got \(2, 1\)"),
        (np.ones(2), np.ones(2, np.float32), ValueError, "dtype float64, as the vector has, got .* float32"),
        (np.broadcast_to(1.0, 2), np.ones(2), ValueError, "can be written, got a read-only one"),
    ],
)
def test_a_wrong_array_is_named(vector, gradient, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=rf"SGD\.step expects .*{says}"):
        SGD().step(vector, gradient)


def test_another_vector_than_before_is_refused() -> None:
    adam = Adam()
    adam.step(np.ones(3), np.ones(3))
    with pytest.raises(
        ValueError, match=r"Adam.step expects a vector of shape \(3,\).*as state\['mean'\] has.*a new opt"
    ):
        adam.step(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match=r"float64, as state.*float32"):
        adam.step(np.ones(3, np.float32), np.ones(3, np.float32))
    with pytest.raises(ValueError, match=r"Adam.setup expects a vector of shape"):
        adam.setup(parameters())


def test_a_stateless_rule_may_change_vectors() -> None:
    sgd, short, long = SGD(1.0), np.zeros(2, np.float32), np.zeros(70_000)
    sgd.step(short, np.ones(2, np.float32))
    sgd.step(long, np.ones(70_000))
    sgd.step(short, np.ones(2, np.float32))
    assert (short == -2).all()
    assert (long == -1).all()


def test_a_stateless_rule_may_change_precision() -> None:
    sgd, fine = SGD(1.0), np.zeros(3)
    sgd.step(np.zeros(3, np.float32), np.ones(3, np.float32))
    sgd.step(fine, np.full(3, 1 / 3))
    np.testing.assert_array_equal(fine, -1 / 3)


def test_another_vector_than_at_setup_is_refused() -> None:
    sgd = SGD()
    sgd.setup(parameters())
    with pytest.raises(ValueError, match=r"SGD.step expects the vector of the 35 parameters given to setup, got 4"):
        sgd.step(np.ones(4), np.ones(4))


def test_setup_wants_parameters() -> None:
    with pytest.raises(TypeError, match=r"SGD.setup expects a model's parameters, got ndarray; pass model.parameters"):
        SGD().setup(np.ones(3))
    with pytest.raises(ValueError, match=r"SGD.setup expects total_steps >= 0"):
        SGD().setup(parameters(), total_steps=-1)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"mean": np.ones(3)}, "expects the arrays mean, square, step, got mean"),
        ({"step": np.array(1), "mean": np.ones(3), "square": np.ones(2)}, "flat arrays of one size and dtype"),
        (
            {"step": np.array(1), "mean": np.ones(3), "square": np.ones(3, np.float32)},
            "flat arrays of one size and dtype",
        ),
        ({"step": np.array(1), "mean": np.ones((3, 1)), "square": np.ones((3, 1))}, "flat arrays of one size"),
        ({"step": np.array(-1), "mean": np.ones(3), "square": np.ones(3)}, "step >= 0"),
        ({"step": np.array([1]), "mean": np.ones(3), "square": np.ones(3)}, r"step as a 0-d array.*\(1,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: dict[str, np.ndarray], says: str) -> None:
    adam = Adam()
    with pytest.raises(ValueError, match=rf"Adam.state expects .*{says}|{says}"):
        adam.state = state
    assert adam.state == {}


def test_a_rule_changed_midway_does_not_fit_its_state() -> None:
    sgd = SGD()
    sgd.step(np.ones(2), np.ones(2))
    sgd.momentum = 0.9
    with pytest.raises(
        ValueError, match=r"present parameters: step, velocity, got step; assign optimizer.state = \{\}"
    ):
        sgd.step(np.ones(2), np.ones(2))
