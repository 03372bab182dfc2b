"""One fit at a time uses a trainer, a model, an optimizer; what another fit is using is refused in a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from gate import Gate

X, Y = np.random.default_rng(0).normal(size=(64, 4)), np.arange(64) % 2


def trainer(*callbacks: cr.Callback, model: cr.Sequential | None = None, **settings: Any) -> cr.Trainer:
    return cr.Trainer(
        cr.MLP([4, 8, 2], rng=0) if model is None else model, "cross_entropy", callbacks=callbacks, **settings
    )


def fit(one: cr.Trainer) -> cr.callbacks.History:
    return one.fit(X, Y, epochs=2, verbose=0)


SECOND: dict[str, Callable[[cr.Trainer], cr.Trainer]] = {
    "Trainer": lambda first: first,
    "Sequential": lambda first: trainer(model=first.model),
    "Adam": lambda first: trainer(optimizer=first.optimizer),
}


@pytest.mark.parametrize("what", SECOND)
def test_a_second_fit_at_the_same_time_is_refused_and_the_first_ends_as_ever(what: str) -> None:
    gate = Gate()
    first = trainer(gate)
    with gate.holding(lambda: fit(first)):
        second = SECOND[what](first)
        words = f"fit expects a trainer, model and optimizer of its own, got a {what} that"
        with pytest.raises(ValueError, match=words):
            fit(second)
    alone = trainer()
    fit(alone)
    np.testing.assert_array_equal(first.model.parameters.vector, alone.model.parameters.vector)
    fit(SECOND[what](first)) if what != "Adam" else None  # nobody holds it any longer


def test_a_fit_within_a_fit_of_the_same_trainer_is_refused() -> None:
    class Again(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            fit(trainer)

    with pytest.raises(ValueError, match="got a Trainer that another fit is using; wait for it to end, or train"):
        fit(trainer(Again()))


def test_an_optimizer_that_comes_later_is_held_too() -> None:
    gate, shared = Gate(), cr.Adam()

    class Replace(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            trainer.optimizer = shared

    refused = pytest.raises(ValueError, match="got a Adam that another fit is using")
    with gate.holding(lambda: fit(trainer(gate, optimizer=shared))), refused:
        fit(trainer(Replace()))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, cr.DivergenceError])
def test_after_a_fit_that_failed_another_may_begin(error: type[BaseException]) -> None:
    class Fail(cr.Callback):
        def on_epoch_end(self, trainer: Any, row: Any) -> None:
            raise error

    one = trainer(Fail())
    try:
        fit(one)
    except (RuntimeError, cr.DivergenceError):
        pass
    with pytest.raises(ValueError, match="expects"):
        one.fit(X[:3], Y, verbose=0)
    one.callbacks.clear()
    assert len(fit(one)) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_may_train_what_its_parent_was_training() -> None:
    gate = Gate()
    first = trainer(gate)
    with gate.holding(lambda: fit(first)):
        child = os.fork()
        if not child:
            first.callbacks.clear()
            os._exit(len(fit(first)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
