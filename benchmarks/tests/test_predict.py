"""Prediction: the probabilities must be ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks import predict
from benchmarks.grid import NotOffered, Problem, make_problem
from benchmarks.peers import FLOOR, PEERS, Peer, Predictor, admit, ours
from benchmarks.timing import Pace


@pytest.fixture(scope="module")
def problem() -> Problem:
    return make_problem(replace(predict.NETWORK, batch=32, steps=1))


@pytest.mark.parametrize("key", [key for key in PEERS if key != "pytorch_compile"])
def test_each_peer_predicts_what_we_predict(key: str, problem: Problem) -> None:
    if not PEERS[key].installed:
        pytest.skip(f"{PEERS[key].name} is not installed")
    x = problem.x[:5]
    expected = predict.probabilities(ours.predictor(problem, x))
    assert admit([PEERS[key]], lambda peer: predict.checked(peer, problem, x, expected))[1] == {}


def test_who_predicts_something_else_is_left_out(problem: Problem) -> None:
    class Constant(Peer):
        def predictor(self, problem: Problem, x: np.ndarray) -> Predictor:
            return Predictor(lambda: np.full((len(x), 10), 0.1), probabilities=True)

    expected = np.eye(10)[:3]
    with pytest.raises(NotOffered, match=r"differ by up to 0\.9"):
        predict.checked(Constant("constant", "constant", ("numpy",)), problem, problem.x[:3], expected)


def test_one_row_and_its_figures() -> None:
    found = predict.measure(1, [FLOOR], Pace(2, 1e-3))
    assert found["row"] == "1 row"
    assert found["peers"]["floor"]["seconds"] > 0
