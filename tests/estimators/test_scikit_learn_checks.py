"""scikit-learn's own checks of an estimator, over ours in their variants."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

import chainrule as cr

SMALL = {"hidden_layer_sizes": (16,), "max_iter": 40, "learning_rate_init": 0.03}  # and as able as the checks ask
EXACT = {"solver": "lbfgs", "hidden_layer_sizes": (8,), "max_iter": 50}
CLASSIFIERS = [
    cr.MLPClassifier(max_iter=40, learning_rate_init=0.01),
    cr.MLPClassifier(**EXACT),
    cr.MLPClassifier(**SMALL, class_weight="balanced"),
    cr.MLPClassifier(**SMALL, early_stopping=True),
    cr.MLPClassifier(**SMALL, dropout=0.1),
    cr.MLPClassifier(**SMALL, normalization="layer", activation="gelu", scale=True, average=0.9),
]
REGRESSORS = [
    cr.MLPRegressor(max_iter=40, learning_rate_init=0.01),
    cr.MLPRegressor(**EXACT),
    cr.MLPRegressor(**SMALL, early_stopping=True),
    cr.MLPRegressor(**SMALL, dropout=0.1),
    cr.MLPRegressor(**SMALL, loss="huber", scale=True),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """For hundreds of small trainings, in which a second thread would only wait, long where the machine is busy."""
    with threadpool_limits(1):
        yield


def contradicted(estimator):
    """A weight of 2 is two rows, but not where a part of the rows is set aside, or units are dropped, at random."""
    if not (estimator.early_stopping or estimator.dropout):
        return {}
    reason = "which rows are set aside, or which units dropped, depends on how many rows there are"
    return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in ("dense", "sparse")}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([*CLASSIFIERS, *REGRESSORS], expected_failed_checks=contradicted)
def test_estimator(estimator, check):
    check(estimator)
