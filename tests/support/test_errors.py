"""What a user may want to catch."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import chainrule as cr


def test_divergence_is_caught_as_a_value_error_and_says_where_it_was():
    x = np.linspace(-1, 1, 100)[:, None]
    trainer = cr.Trainer(cr.MLP([1, 8, 1], rng=0), "squared_error", cr.SGD(1e12), batch_size=10)
    with pytest.raises(ValueError, match="finite numbers") as caught:
        trainer.fit(x, x, verbose=0)
    error = caught.value
    assert isinstance(error, cr.DivergenceError)
    assert f"in epoch {error.epoch}, step {error.step}," in str(error)
    assert error.layer in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_one_that_nobody_explained_knows_no_place():
    error = cr.DivergenceError("lost")
    assert (error.epoch, error.step, error.layer) == (None, None, None)


MODEL = cr.MLP([2, 1], rng=0)
ELSEWHERE = [
    (MODEL, "fit", "write Trainer(model, loss).fit(x, y)"),
    (cr.Trainer(MODEL, "squared_error"), "predict", "write trainer.model.predict(x)"),
    (cr.Trainer(MODEL, "squared_error"), "save", "write save(trainer.model, path)"),
]


@pytest.mark.parametrize(("thing", "name", "says"), ELSEWHERE)
def test_a_method_of_other_libraries_says_what_to_write_here(thing, name, says):
    with pytest.raises(
        AttributeError, match=re.escape(f"{type(thing).__name__!r} object has no attribute '{name}'; {says}")
    ):
        getattr(thing, name)
    assert not hasattr(thing, name)


def test_a_model_of_ones_own_may_have_the_method():
    class Fitted(cr.Sequential):
        def fit(self):
            return "fitted"

    assert Fitted([cr.Linear(2, 1)], rng=0).fit() == "fitted"
    assert copy.deepcopy(MODEL).predict([[1, 2]]) == MODEL.predict([[1, 2]])
