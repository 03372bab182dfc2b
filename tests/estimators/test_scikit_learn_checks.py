"""scikit-learn's own checks of an estimator, over ours in their variants."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule as cr

CLASSIFIERS = [
    cr.MLPClassifier(max_iter=100),
    cr.MLPClassifier(solver="lbfgs"),
    cr.MLPClassifier(max_iter=100, class_weight="balanced"),
    cr.MLPClassifier(max_iter=100, early_stopping=True),
    cr.MLPClassifier(max_iter=100, dropout=0.1),
    cr.MLPClassifier(max_iter=100, normalization="layer", activation="gelu", scale=True, average=0.9),
]
REGRESSORS = [
    cr.MLPRegressor(max_iter=100),
    cr.MLPRegressor(solver="lbfgs"),
    cr.MLPRegressor(max_iter=100, early_stopping=True),
    cr.MLPRegressor(max_iter=100, dropout=0.1),
    cr.MLPRegressor(max_iter=100, loss="huber", scale=True),
]


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
