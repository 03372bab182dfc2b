"""What a user may want to catch."""

from __future__ import annotations

import pickle

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
