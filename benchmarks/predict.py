"""Prediction: one row, where all is overhead, and ten thousand."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule import ops
from chainrule._support.checks import Array

from .grid import ROWS, NotOffered, Problem, make_problem
from .peers import FLOOR, Peer, Predictor, admit, ours
from .timing import Pace, Run, figures, interleave

NETWORK = ROWS["784-512-256-10x128"]
COUNTS = (1, 10_000)
TOLERANCE = 1e-4  # of a probability


def measure(count: int, peers: Iterable[Peer], pace: Pace) -> dict[str, Any]:
    """The time to predict so many rows, ours and each peer's whose probabilities are ours."""
    problem = make_problem(replace(NETWORK, batch=32, steps=1))
    x = np.random.default_rng(1).random((count, NETWORK.sizes[0]), np.float32)
    mine = ours.predictor(problem, x)
    expected = probabilities(mine)
    ready, left_out = admit(peers, lambda peer: checked(peer, problem, x, expected))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries, about themselves
        runs: dict[str, Run] = {key: predictor.run for key, predictor in ready.items()}
        pairs = interleave(mine.run, runs, pace)
    return figures(f"{count:,} row{'s' * (count > 1)}", pairs, left_out)


def checked(peer: Peer, problem: Problem, x: Array, expected: Array) -> Predictor:
    """The peer's predictor, warm; NotOffered if it predicts something else."""
    predictor = peer.predictor(problem, x)
    found = probabilities(predictor)
    if peer is not FLOOR and not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        raise NotOffered(f"not comparable: its probabilities differ by up to {np.abs(found - expected).max():.2g}")
    return predictor


def probabilities(predictor: Predictor) -> Array:
    """The probabilities of the classes, whatever it gives."""
    outputs = np.asarray(predictor.call())
    return outputs if predictor.probabilities else ops.softmax(outputs)
