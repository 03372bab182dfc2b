"""One fit at a time trains an estimator; a second is refused in a sentence, and the first ends as ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import chainrule as cr
from gate import Gate

X, Y = np.random.default_rng(0).normal(size=(64, 4)), np.arange(64) % 2


SECOND: dict[str, Callable[[Any], Any]] = {
    "fit": lambda one: one.fit(X, Y),
    "partial_fit": lambda one: one.partial_fit(X, Y),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("kind", [cr.MLPClassifier, cr.MLPRegressor])
def test_a_second_fit_of_an_estimator_at_the_same_time_is_refused(kind: Any, second: str) -> None:
    one = kind(hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    alone = clone(one).fit(X, Y)
    gate = Gate()
    one.set_params(callbacks=[gate])
    with gate.holding(lambda: one.fit(X, Y)):
        words = f"{kind.__name__} expects an estimator of its own for each fit, got a {kind.__name__} that another fit"
        with pytest.raises(ValueError, match=words):
            SECOND[second](one)
    np.testing.assert_array_equal(one.coefs_[0], alone.coefs_[0])
    SECOND[second](one)  # nobody holds it any longer


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_after_a_fit_that_was_refused_another_may_begin() -> None:
    one = cr.MLPClassifier((8,), max_iter=2)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        one.fit(X[:3], Y)
    assert one.fit(X, Y).n_iter_ == 2
