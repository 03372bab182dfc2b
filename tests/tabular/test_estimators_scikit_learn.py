"""scikit-learn's own checks of an estimator, over those for tables."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

import chainrule as cr


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """For hundreds of small trainings, in which a second thread would only wait, long where the machine is busy."""
    with threadpool_limits(1):
        yield


ESTIMATORS = [cr.TabularClassifier(max_epochs=20), cr.TabularRegressor(max_epochs=40, n_ensemble=1)]
STOCHASTIC = "which rows are set aside, and which units are dropped, depends on how many rows there are"


def stochastic(estimator):
    return {"check_sample_weight_equivalence_on_dense_data": STOCHASTIC}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=stochastic)
def test_estimator(estimator, check):
    check(estimator)
