"""The steps of training, one operation after the other."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.batches import Batches
from chainrule.runtime.threads import blas_libraries
from chainrule.training.engine import Interpreted, Parts

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 3)), RNG.integers(0, 2, 50)


def engine_for(model: cr.Sequential, weight: np.ndarray | None = None, average_penalty: bool = False) -> Interpreted:
    rng = np.random.default_rng(1)
    batches = Batches(X, Y, weight, size=20, rng=rng, drop_last=False, sample="all")
    return Interpreted(Parts(model, cr.CrossEntropy(), cr.SGD(0.1), rng, average_penalty, ()), batches)


def take(engine: Interpreted, epochs: int = 1) -> list[tuple[float, float, float]]:
    """The records of some epochs."""
    return [step for _ in range(epochs) for some in engine.steps(engine.begin(1), False, True) for step in some]


def test_they_are_the_loop_written_by_hand():
    model, twin = (cr.MLP([3, 4, 2], rng=0, dtype="float64") for _ in range(2))
    told = [loss for loss, _, _ in take(engine_for(model), 2)]
    loss, optimizer, rng, losses = cr.CrossEntropy(), cr.SGD(0.1), np.random.default_rng(1), []
    for _ in range(2):
        for xb, yb in cr.batches(X, Y, size=20, rng=rng):
            value, dz = loss(twin.forward(xb, training=True), yb)
            twin.backward(dz)
            optimizer.step(twin.parameters.vector, twin.gradients.vector)
            losses.append(value)
    assert told == losses
    np.testing.assert_array_equal(model.parameters.vector, twin.parameters.vector)


def test_each_tells_its_weight_and_rate():
    weight = RNG.random(50)
    taken = take(engine_for(cr.MLP([3, 2], rng=0), weight))
    assert sum(weight for _, weight, _ in taken) == pytest.approx(weight.sum(), rel=1e-12)
    assert [weight for _, weight, _ in take(engine_for(cr.MLP([3, 2])))] == [20, 20, 10]
    assert {rate for _, _, rate in taken} == {0.1}


def test_a_batch_that_weighs_nothing_has_no_averaged_penalty():
    model = cr.MLP([3, 4, 2], l1=0.1, l2=0.1, rng=0)
    before = model.parameters.vector.copy()
    taken = take(engine_for(model, np.zeros(50), average_penalty=True))
    assert [loss for loss, _, _ in taken] == [0, 0, 0]
    np.testing.assert_array_equal(model.parameters.vector, before)


def test_what_was_seen_is_kept_though_the_next_batch_takes_its_place():
    engine = engine_for(cr.MLP([3, 2], rng=0))
    epoch = engine.begin(1)
    for _ in engine.steps(epoch, record_outputs=True, single_step=True):
        pass
    outputs, labels = epoch.outputs
    order = np.random.default_rng(1).permutation(50)
    np.testing.assert_array_equal(labels, Y[order])
    assert outputs.shape == (50, 2)
    assert outputs.any(axis=1).all()


@pytest.mark.skipif(not blas_libraries(), reason="threadpoolctl finds no BLAS")
def test_small_products_have_one_thread_of_the_blas_and_give_the_others_back():
    def most() -> int:
        return max(library.get_num_threads() for library in blas_libraries())

    before = most()
    engine = engine_for(cr.MLP([3, 4, 2], rng=0))
    inside = [most() for _ in engine.steps(engine.begin(1), False, True)]
    assert set(inside) == {1}
    assert most() == before
