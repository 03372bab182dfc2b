"""The time to a target, on images of which a few epochs make sense of."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from benchmarks import mnist

from chainrule.data.named import NamedData


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> NamedData:
    """Ten patterns with noise, in MNIST's place."""
    patterns = rng.random((10, 784))
    y = rng.integers(0, 10, 700)
    x = (patterns[y] + 0.3 * rng.random((700, 784))).astype(np.float32)
    data = NamedData(x[:600], y[:600], x[600:], y[600:], tuple("0123456789"), (28, 28), "ten patterns")
    monkeypatch.setattr(mnist, "load_named", lambda name: data)
    return data


def test_each_stops_at_the_target(images: NamedData) -> None:
    found = mnist.measure([0, 1], epochs=15, target=0.9)
    assert set(found["sides"]) <= {"ours", "pytorch"}
    for side in found["sides"].values():
        assert side["median"] > 0
        assert len(side["reached"]) == 2
        for curve in side["curves"]:
            *before, last = [accuracy for _, accuracy in curve]
            assert last >= 0.9 > max(before, default=0)
            assert all(a < b for (a, _), (b, _) in itertools.pairwise(curve))


def test_a_target_out_of_reach_is_no_figure() -> None:
    summary = mnist.summary([[(1.0, 0.5), (2.0, 0.6)], [(1.0, 0.4), (3.0, 0.9)]], 0.9)
    assert (summary["median"], summary["reached"]) == (3.0, [None, 3.0])
    assert mnist.summary([[(1.0, 0.5)]], 0.9)["median"] is None
