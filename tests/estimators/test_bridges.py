"""To scikit-learn's networks and back: the same predictions, and training goes on."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])
CLASSIFICATIONS = {
    "two classes": (X_IRIS[:100], Y_IRIS[:100] + 5),
    "three classes": (X_IRIS, Y_IRIS),
    "strings": (X_IRIS, NAMES[Y_IRIS]),
    "two strings": (X_IRIS[50:], NAMES[Y_IRIS[50:]]),
    "labels": make_multilabel_classification(100, n_features=6, random_state=0),
}
REGRESSIONS = {
    "one target": (X_DIABETES, Y_DIABETES / 100),
    "two targets": (X_DIABETES, np.column_stack([Y_DIABETES / 100, X_DIABETES @ np.arange(10) + 3])),
}
PROBLEMS = CLASSIFICATIONS | REGRESSIONS
SETTINGS = dict(hidden_layer_sizes=(9, 5), max_iter=8, random_state=1)


def fitted(library, problem, dtype=np.float64, **settings):
    X, y = PROBLEMS[problem]
    X = X.astype(dtype)
    name = "MLPRegressor" if problem in REGRESSIONS else "MLPClassifier"
    return getattr(library, name)(**SETTINGS | settings).fit(X, y), X, y


def assert_same_predictions(one, other, X):
    tolerance = 1e-10 if X.dtype == np.float64 else 1e-5
    numbers = "predict_proba" if hasattr(one, "predict_proba") else "predict"
    expected = getattr(one, numbers)(X)
    found = getattr(other, numbers)(X)
    assert found.dtype == expected.dtype == X.dtype
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    if numbers == "predict_proba":
        np.testing.assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_predictions_stay_both_ways(problem, activation, dtype):
    network, X, _ = fitted(theirs, problem, dtype, activation=activation)
    ours = cr.convert.from_sklearn(network)
    assert type(ours).__name__ == type(network).__name__
    assert ours.coefs_[0].dtype == dtype
    assert_same_predictions(network, ours, X)
    assert_same_predictions(network, cr.convert.to_sklearn(ours), X)


@pytest.mark.parametrize(
    "settings",
    [
        dict(scale=True),
        dict(normalization="batch"),
        dict(dropout=0.2, input_dropout=0.1),
        dict(scale=True, normalization="batch", dropout=0.2, activation="tanh"),
        dict(activation=["tanh", cr.Tanh()], average=0.9, optimizer="adamw"),
        dict(activation="sigmoid", solver="lbfgs", tol=1e-2),
        dict(hidden_layer_sizes=(), activation="gelu", scale=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_scikit_learn_has_not_becomes_part_of_its_weights(problem, settings, dtype):
    ours, X, _ = fitted(cr, problem, dtype, **settings)
    network = cr.convert.to_sklearn(ours)
    assert_same_predictions(ours, network, X)
    assert_same_predictions(network, cr.convert.from_sklearn(network), X)


needs_poisson = pytest.mark.skipif(
    "loss" not in theirs.MLPRegressor().get_params(), reason="scikit-learn before 1.7 has no other loss"
)


@needs_poisson
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_poisson(dtype):
    network, X, _ = fitted(theirs, "one target", dtype, loss="poisson")
    ours = cr.convert.from_sklearn(network)
    assert (ours.loss, ours.out_activation_) == ("poisson", "exp")
    assert_same_predictions(network, ours, X)
    ours, X, _ = fitted(cr, "two targets", dtype, loss=cr.PoissonNLL(), scale=True)
    network = cr.convert.to_sklearn(ours)
    assert network.loss == "poisson"
    assert_same_predictions(ours, network, X)


def test_poisson_where_scikit_learn_has_it_not(monkeypatch):
    ours, _, _ = fitted(cr, "one target", loss="poisson")
    known = {name: value for name, value in theirs.MLPRegressor().get_params().items() if name != "loss"}
    monkeypatch.setattr(theirs.MLPRegressor, "get_params", lambda self, deep=True: known)
    with pytest.raises(ValueError, match=r"to_sklearn expects squared_error, .* got loss='poisson'"):
        cr.convert.to_sklearn(ours)
    plain, X, _ = fitted(cr, "one target", loss="huber")
    np.testing.assert_allclose(cr.convert.to_sklearn(plain).predict(X), plain.predict(X))


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "log_cosh", cr.Quantile([0.9]), "quantile"], ids=str)
def test_other_losses_predict_the_same(loss):
    ours, X, _ = fitted(cr, "one target", loss=loss, scale=True)
    network = cr.convert.to_sklearn(ours)
    assert_same_predictions(ours, network, X)
    if loss == "quantile":
        assert network.n_outputs_ == 3


def test_sparse_columns_that_were_scaled_without_their_mean():
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.csr_matrix(X_IRIS)
    ours = cr.MLPClassifier(**SETTINGS, scale=True).fit(X, Y_IRIS)
    np.testing.assert_allclose(cr.convert.to_sklearn(ours).predict_proba(X), ours.predict_proba(X))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("problem", ["three classes", "two targets"])
def test_the_records_come_along(problem, early_stopping):
    network, _, _ = fitted(theirs, problem, early_stopping=early_stopping)
    ours = cr.convert.from_sklearn(network)
    for target in (ours, cr.convert.to_sklearn(ours)):
        for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "n_features_in_", "out_activation_"):
            assert getattr(target, name) == getattr(network, name), name
        for name in ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
            assert getattr(target, name) == getattr(network, name), name
        known = network.get_params().keys() & target.get_params().keys()
        assert {name: target.get_params()[name] for name in known} == {
            name: network.get_params()[name] for name in known
        }
        assert target.loss_curve_ is not network.loss_curve_


def test_names_of_columns_come_along():
    pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    network = theirs.MLPClassifier(**SETTINGS).fit(X, y)
    ours = cr.convert.from_sklearn(network)
    assert list(ours.feature_names_in_) == list(X.columns)
    with pytest.raises(ValueError, match="feature names"):
        ours.predict(X.rename(columns={"sepal length (cm)": "length"}))
    assert list(cr.convert.to_sklearn(ours).feature_names_in_) == list(X.columns)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_both_go_on_alike(problem, solver):
    """From the same weights, with new optimizers: one epoch, the same on either side of the bridge."""
    ours, X, y = fitted(cr, problem, solver=solver)
    network, ours = cr.convert.to_sklearn(ours), cr.convert.from_sklearn(cr.convert.to_sklearn(ours))
    before = ours.coefs_[0].copy()
    for estimator in (network, ours):
        estimator.set_params(random_state=5).partial_fit(X, y)
    assert abs(ours.coefs_[0] - before).max() > 1e-5
    for mine, reference in zip(ours.coefs_, network.coefs_, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=0, atol=1e-12)
    assert len(ours.loss_curve_) == len(network.loss_curve_) == SETTINGS["max_iter"] + 1


@pytest.mark.parametrize("problem", ["three classes", "two targets"])
def test_warm_starts_go_on_with_early_stopping(problem):
    ours, X, y = fitted(cr, problem, early_stopping=True, warm_start=True)
    network, again = cr.convert.to_sklearn(ours), cr.convert.from_sklearn(cr.convert.to_sklearn(ours))
    for estimator in (network.set_params(tol=100.0), again.set_params(tol=100.0)):  # nothing improves so much
        before = estimator.best_validation_score_
        assert estimator.fit(X, y).best_validation_score_ >= before


def test_own_validation_rows_after_the_bridge():
    network, X, y = fitted(theirs, "three classes")
    ours = cr.convert.from_sklearn(network).partial_fit(X, y, X_val=X[::3], y_val=y[::3])
    assert len(ours.validation_loss_curve_) == 1


@pytest.mark.parametrize("problem", ["labels", "one target"])
@pytest.mark.parametrize("bridge", ["from_sklearn", "to_sklearn"])
def test_what_comes_over_the_bridge_pickles_and_clones(bridge, problem):
    source, X, y = fitted(theirs if bridge == "from_sklearn" else cr, problem)
    target = getattr(cr.convert, bridge)(source)
    copied = pickle.loads(pickle.dumps(target))
    assert_same_predictions(target, copied, X)
    fresh = clone(target)
    assert not hasattr(fresh, "n_features_in_")
    np.testing.assert_allclose(fresh.fit(X, y).predict(X), source.predict(X), rtol=1e-6)


@pytest.mark.parametrize("bridge", ["from_sklearn", "to_sklearn"])
def test_nothing_is_shared(bridge):
    source, X, _ = fitted(
        theirs if bridge == "from_sklearn" else cr, "three classes", random_state=np.random.RandomState(0)
    )
    before = source.predict_proba(X)
    target = getattr(cr.convert, bridge)(source)
    target.coefs_[0][:] = 0
    target.intercepts_[0][:] = 0
    np.testing.assert_array_equal(source.predict_proba(X), before)
    assert target.random_state is not source.random_state


def expect(error, says):
    return pytest.raises(error, match=says)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            dict(activation="gelu"),
            r"to_sklearn expects one activation among identity, logistic, tanh, relu, got 'gelu'; sc",
        ),
        (dict(activation=["relu", "tanh"]), r"one activation among .*, got \['relu', 'tanh'\]"),
        (dict(activation=cr.LeakyReLU(0.1)), r"one activation among .*, got LeakyReLU"),
        (dict(normalization="layer"), r"to_sklearn expects dense layers and batch normalisation, got LayerNorm"),
        (
            dict(loss="gaussian_nll"),
            r"to_sklearn expects a network that predicts only numbers, got a predicted spread",
        ),
        (dict(loss="quantile"), r"one number for each target, or quantiles of one, got 3 quantiles of 2 targets"),
    ],
    ids=str,
)
def test_what_scikit_learn_cannot_hold(settings, says):
    ours, _, _ = fitted(cr, "two targets", **settings)
    with expect(ValueError, says) as raised:
        cr.convert.to_sklearn(ours)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("bridge", "wrong", "error", "says"),
    [
        ("from_sklearn", LogisticRegression(), TypeError, "a fitted MLPClassifier .* of scikit-learn, got LogisticReg"),
        ("from_sklearn", cr.MLPClassifier(), TypeError, "of scikit-learn, got MLPClassifier"),
        ("to_sklearn", theirs.MLPRegressor(), TypeError, "a chainrule MLPClassifier or MLPRegressor, got MLPRegressor"),
        ("from_sklearn", theirs.MLPClassifier(), NotFittedError, "MLPClassifier instance is not fitted yet"),
        ("to_sklearn", cr.MLPRegressor(), NotFittedError, "MLPRegressor instance is not fitted yet"),
    ],
)
def test_what_is_no_fitted_network_of_the_other_side(bridge, wrong, error, says):
    with expect(error, says):
        getattr(cr.convert, bridge)(wrong)


def test_the_attributes_that_emlearn_reads():
    network, _, _ = fitted(theirs, "three classes")
    ours = cr.convert.from_sklearn(network)
    for name in ("activation", "n_layers_", "n_outputs_", "out_activation_"):
        assert type(getattr(ours, name)) is type(getattr(network, name)), name
        assert getattr(ours, name) == getattr(network, name), name
    for name in ("coefs_", "intercepts_"):
        assert isinstance(getattr(ours, name), list)
        for mine, reference in zip(getattr(ours, name), getattr(network, name), strict=True):
            assert type(mine) is type(reference) is np.ndarray
            assert mine.tolist() == reference.tolist()
