"""The same numbers as scikit-learn's estimators: same seed, so same first weights and order of rows, then 20 epochs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import sklearn
import sklearn.neural_network as theirs
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_multilabel_classification
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

import chainrule as cr

X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
X_CANCER, Y_CANCER = load_breast_cancer(return_X_y=True)
X_DIGITS, Y_DIGITS = load_digits(return_X_y=True)
PROBLEMS = {
    "digits": (X_DIGITS[:500] / 16, Y_DIGITS[:500]),  # columns that are 0 throughout: their weights feel alpha alone
    "two classes": (scale(X_CANCER), Y_CANCER),
    "labels": make_multilabel_classification(300, random_state=0),
    "regression": (X_DIABETES, Y_DIABETES / 100),
}
SETTINGS = {
    "adam": dict(),
    "adam, tanh": dict(activation="tanh", alpha=0.1, batch_size=64, beta_1=0.8, epsilon=1e-4),
    "sgd": dict(solver="sgd", learning_rate_init=0.02),
    "sgd, plain": dict(solver="sgd", momentum=0.0, shuffle=False, activation="identity"),
    "sgd, momentum": dict(solver="sgd", nesterovs_momentum=False, activation="logistic"),
    "sgd, invscaling": dict(solver="sgd", learning_rate="invscaling", learning_rate_init=0.1, power_t=0.3),
    "sgd, adaptive": dict(solver="sgd", learning_rate="adaptive", tol=0.01, n_iter_no_change=2),
    "lbfgs": dict(solver="lbfgs"),
    "early stopping": dict(early_stopping=True, validation_fraction=0.2),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """For scikit-learn, whose small products a second thread of the BLAS only slows, most where the machine is busy."""
    with threadpool_limits(1):
        yield


def both(problem, sample_weight=None, **settings):
    X, y = PROBLEMS[problem]
    settings = dict(hidden_layer_sizes=(30, 20), max_iter=20, random_state=3) | settings
    name = "MLPRegressor" if problem == "regression" else "MLPClassifier"
    given = () if sample_weight is None else (sample_weight,)
    return [getattr(library, name)(**settings).fit(X, y, *given) for library in (theirs, cr)]


def assert_same_weights(expected, fitted, tolerance=1e-6):
    for ours, reference in zip(fitted.coefs_ + fitted.intercepts_, expected.coefs_ + expected.intercepts_, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=0, atol=tolerance)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_weights_and_records_are_those_of_scikit_learn(problem, settings):
    expected, fitted = both(problem, **settings)
    assert_same_weights(expected, fitted)
    X = PROBLEMS[problem][0]
    np.testing.assert_array_equal(fitted.predict(X).shape, expected.predict(X).shape)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(fitted, name) == getattr(expected, name), name
    for name in ("loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_"):
        if getattr(expected, name, None) is not None:
            np.testing.assert_allclose(getattr(fitted, name), getattr(expected, name), rtol=1e-6, err_msg=name)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.skipif(sklearn.__version__.startswith("1.6"), reason="its MLP takes no weights")
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_sample_weights_act_as_in_scikit_learn(problem, solver):
    weight = np.random.default_rng(0).uniform(0, 3, len(PROBLEMS[problem][0]))
    expected, fitted = both(problem, weight, solver=solver, tol=0.0, alpha=0.1)
    assert_same_weights(expected, fitted)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_float32_stays_and_predicts_the_same_to_rounding(problem):
    X, y = PROBLEMS[problem]
    X = X.astype(np.float32)
    name = "MLPRegressor" if problem == "regression" else "MLPClassifier"
    settings = dict(max_iter=3, tol=1.0, n_iter_no_change=1, random_state=0)
    expected, fitted = (getattr(library, name)(**settings).fit(X, y) for library in (theirs, cr))
    assert {array.dtype for array in fitted.coefs_ + fitted.intercepts_} == {np.dtype(np.float32)}
    method = "predict" if problem == "regression" else "predict_proba"
    ours, reference = getattr(fitted, method)(X), getattr(expected, method)(X)
    assert ours.dtype == reference.dtype == np.float32
    np.testing.assert_allclose(ours, reference, rtol=1e-3, atol=1e-3)
