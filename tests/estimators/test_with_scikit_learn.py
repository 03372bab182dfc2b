"""Our estimators inside scikit-learn's own: searches, ensembles, pipelines, inspection, frames and routing."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import joblib
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, StackingRegressor, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, cross_validate, learning_curve
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

import chainrule as cr
from chainrule.runtime.threads import available_threads

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:joblib"),  # on the newest Python
]

X, Y = load_iris(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)


def classifier(**settings):
    return cr.MLPClassifier(
        **dict(hidden_layer_sizes=(8,), max_iter=40, learning_rate_init=0.02, random_state=0, scale=True) | settings
    )


def regressor(**settings):
    return cr.MLPRegressor(
        **dict(hidden_layer_sizes=(8,), max_iter=40, learning_rate_init=0.02, random_state=0, scale=True) | settings
    )


def assert_same_weights(one, other, tolerance=0.0):
    for mine, reference in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=0, atol=tolerance)


# Inspection.


def test_permutation_importance_finds_the_column_that_matters(rng):
    x = rng.normal(size=(200, 3))
    model = regressor().fit(x, 3 * x[:, 1])
    found = permutation_importance(model, x, 3 * x[:, 1], n_repeats=2, random_state=0).importances_mean
    assert found[1] > 1
    assert max(found[0], found[2]) < 0.1


def test_partial_dependence_rises_where_the_target_does(rng):
    x = rng.normal(size=(200, 2))
    found = partial_dependence(regressor().fit(x, x[:, 0]), x, [0], grid_resolution=5)["average"][0]
    assert (np.diff(found) > 0.1).all()
    chances = partial_dependence(classifier().fit(X, Y), X, [2], grid_resolution=5)["average"]
    assert chances.shape == (3, 5)
    assert chances[0, 0] > chances[0, -1]  # short petals are setosa's


# Ensembles and searches.


def test_calibration():
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(X, Y)
    assert log_loss(Y, calibrated.predict_proba(X)) < 0.5


def test_bagging():
    assert BaggingClassifier(classifier(), n_estimators=3, random_state=0).fit(X, Y).score(X, Y) > 0.9
    assert BaggingRegressor(regressor(), n_estimators=3, random_state=0).fit(X, X[:, 0]).score(X, X[:, 0]) > 0.8


def test_voting_and_stacking():
    vote = VotingClassifier([("ours", classifier()), ("theirs", LogisticRegression())], voting="soft").fit(X, Y)
    both = (vote.named_estimators_["ours"].predict_proba(X) + vote.named_estimators_["theirs"].predict_proba(X)) / 2
    np.testing.assert_allclose(vote.predict_proba(X), both)
    stack = StackingRegressor([("ours", regressor())], Ridge(), cv=2).fit(X, X[:, 0])
    assert stack.score(X, X[:, 0]) > 0.8


def test_chain_of_classifiers():
    labels = np.column_stack([Y == 0, Y == 1]).astype(int)
    assert ClassifierChain(classifier(), random_state=0).fit(X, labels).score(X, labels) > 0.8


def test_grid_search_over_parameters_of_ours():
    grid = {"activation": ["tanh", "gelu"], "normalization": [None, "layer"], "hidden_layer_sizes": [(4,), (8, 8)]}
    search = GridSearchCV(classifier(max_iter=5), grid, cv=2, scoring="neg_log_loss").fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) == 8
    assert search.best_estimator_.get_params()["activation"] == search.best_params_["activation"]


def test_halving_random_search():
    grid = {"alpha": [1e-5, 1e-3, 1e-1], "optimizer": [None, "adamw", cr.SGD(0.1)]}
    search = HalvingRandomSearchCV(
        classifier(max_iter=1), grid, resource="max_iter", max_resources=9, random_state=0, cv=2
    )
    search.fit(X, Y)
    assert search.n_resources_[-1] > search.n_resources_[0]
    assert search.best_estimator_.n_iter_ == search.n_resources_[-1]


def test_transformed_target(rng):
    x = rng.uniform(0, 1, size=(200, 1))
    model = TransformedTargetRegressor(regressor(max_iter=100), func=np.log, inverse_func=np.exp).fit(
        x, np.exp(8 * x[:, 0])
    )
    assert model.score(x, np.exp(8 * x[:, 0])) > 0.9


def test_learning_curve_by_parts():
    sizes, _, scores = learning_curve(
        classifier(), X, Y, train_sizes=[30, 60], cv=2, exploit_incremental_learning=True, shuffle=True, random_state=0
    )
    assert sizes.tolist() == [30, 60]
    assert np.isfinite(scores).all()


def test_workers_agree_with_one_process_and_share_the_processors():
    def scores(model, x, y):
        return {"accuracy": model.score(x, y), "threads": available_threads()}

    alone = cross_validate(classifier(), X, Y, cv=2, scoring=scores, return_estimator=True)
    together = cross_validate(classifier(), X, Y, cv=2, scoring=scores, return_estimator=True, n_jobs=2)
    np.testing.assert_array_equal(alone["test_accuracy"], together["test_accuracy"])
    for one, other in zip(alone["estimator"], together["estimator"], strict=True):
        assert_same_weights(one, other)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        limited = cross_validate(classifier(), X, Y, cv=2, scoring=scores, n_jobs=2)
    assert limited["test_threads"].tolist() == [1, 1]


# Copies.


@pytest.mark.parametrize(
    "settings", [dict(), dict(dropout=0.2), dict(solver="sgd", normalization="batch"), dict(average=0.9)], ids=str
)
@pytest.mark.parametrize("way", ["pickle", "joblib"])
def test_a_copy_by_file_predicts_the_same_and_goes_on_the_same(way, settings):
    model = classifier(max_iter=3, **settings).fit(X, Y)
    file = io.BytesIO()
    (pickle if way == "pickle" else joblib).dump(model, file)
    file.seek(0)
    copied = (pickle if way == "pickle" else joblib).load(file)
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))
    for estimator in (model, copied):
        estimator.partial_fit(X, Y).partial_fit(X, Y)
    assert_same_weights(model, copied)
    assert copied.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize(
    "model",
    [classifier(activation=cr.LeakyReLU(0.2)), regressor(loss=cr.Quantile([0.1, 0.9]))],
    ids=["classifier", "regressor"],
)
def test_a_clone_is_new_and_trains_to_the_same(model):
    fitted = model.fit(X, X[:, 0] if is_regressor(model) else Y)
    fresh = clone(fitted)
    assert not hasattr(fresh, "model_")
    assert_same_weights(fresh.fit(X, X[:, 0] if is_regressor(model) else Y), fitted)


# Frames.


def frame(library):
    return library.DataFrame({f"c{index}": column for index, column in enumerate(X.T)})


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_their_numbers_with_names(library):
    x = frame(pytest.importorskip(library))
    model, plain = classifier().fit(x, Y), classifier().fit(X, Y)
    assert model.feature_names_in_.tolist() == ["c0", "c1", "c2", "c3"]
    assert_same_weights(model, plain, 1e-12)  # a frame lies in memory by columns
    np.testing.assert_array_equal(model.predict(x), plain.predict(X))
    with pytest.raises(ValueError, match=r"feature names should match[\s\S]*other"):
        model.predict(x.rename({"c0": "other"}) if library == "polars" else x.rename(columns={"c0": "other"}))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(x[["c1", "c0", "c2", "c3"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)


def test_names_of_columns_in_the_validation_rows():
    x = frame(pytest.importorskip("pandas"))
    assert len(classifier(max_iter=2).fit(x, Y, X_val=x[:30], y_val=Y[:30]).validation_loss_curve_) == 2
    with pytest.raises(ValueError, match="feature names should match"):
        classifier().fit(x, Y, X_val=x.rename(columns={"c0": "other"}), y_val=Y)


def test_a_series_as_target():
    pandas = pytest.importorskip("pandas")
    names = pandas.Series(np.array(["a", "b", "c"])[Y], dtype="category")
    model = classifier().fit(frame(pandas), names)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert set(model.predict(frame(pandas))) == {"a", "b", "c"}


def test_pandas_out_of_the_steps_in_front():
    x = frame(pytest.importorskip("pandas"))
    columns = make_column_transformer(
        (StandardScaler(), ["c1", "c2", "c3"]), (OneHotEncoder(sparse_output=False), ["c0"])
    )
    model = make_pipeline(columns, classifier()).set_output(transform="pandas").fit(x, Y)
    assert model[-1].feature_names_in_[0] == "standardscaler__c1"
    assert model.score(x, Y) > 0.9


# Routing of metadata.


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def test_weights_reach_us_through_a_pipeline(routing):
    weight = np.where(Y == 2, 0.0, 1.0)
    ours = classifier().set_fit_request(sample_weight=True)
    model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), ours).fit(X, Y, sample_weight=weight)
    assert model.predict_proba(X[Y == 2])[:, 2].mean() < 0.2
    expected = classifier().fit(StandardScaler().fit_transform(X), Y, sample_weight=weight)
    np.testing.assert_array_equal(model[-1].coefs_[0], expected.coefs_[0])


def test_validation_rows_reach_us_through_a_pipeline_that_scales_them(routing):
    ours = classifier(max_iter=3, scale=False).set_fit_request(X_val=True, y_val=True)
    model = Pipeline([("scaler", StandardScaler()), ("model", ours)], transform_input=["X_val"])
    model.fit(X, Y, X_val=X[::3], y_val=Y[::3])
    scaler = StandardScaler().fit(X)
    expected = classifier(max_iter=3, scale=False)
    expected.fit(scaler.transform(X), Y, X_val=scaler.transform(X[::3]), y_val=Y[::3])
    assert model["model"].validation_loss_curve_ == expected.validation_loss_curve_
    assert len(expected.validation_loss_curve_) == 3


def test_weights_and_validation_rows_reach_us_through_cross_validation(routing):
    weight = np.where(Y == 2, 0.0, 1.0)
    ours = classifier(max_iter=3).set_fit_request(sample_weight=True, X_val=True, y_val=True)
    ours.set_score_request(sample_weight=True)
    given = {"sample_weight": weight, "X_val": X[:20], "y_val": Y[:20]}
    found = cross_validate(ours, X, Y, cv=2, params=given, return_estimator=True)
    assert [len(model.validation_loss_curve_) for model in found["estimator"]] == [3, 3]
    plain = cross_validate(classifier(max_iter=3), X, Y, cv=2, return_estimator=True)
    assert abs(found["estimator"][0].coefs_[0] - plain["estimator"][0].coefs_[0]).max() > 1e-3


def test_what_was_not_asked_for_is_refused(routing):
    with pytest.raises(ValueError, match="sample_weight"):
        make_pipeline(StandardScaler(), classifier()).fit(X, Y, sample_weight=np.ones(len(X)))


# What they say of themselves.


@pytest.mark.parametrize(
    "model", [cr.MLPClassifier(dropout=0.25), cr.MLPRegressor("huber", scale=True)], ids=["classifier", "regressor"]
)
def test_representations_name_the_class_and_what_was_changed(model):
    page = model._repr_html_()
    assert type(model).__name__ in page
    changed = repr(model)
    assert changed in ("MLPClassifier(dropout=0.25)", "MLPRegressor(loss='huber', scale=True)")
    assert "Fitted" in model.set_params(max_iter=1).fit(X, Y)._repr_html_()


def test_tags():
    ours, numbers = get_tags(cr.MLPClassifier()), get_tags(cr.MLPRegressor())
    assert is_classifier(cr.MLPClassifier())
    assert is_regressor(cr.MLPRegressor())
    assert ours.classifier_tags.multi_label
    assert ours.input_tags.sparse
    assert numbers.input_tags.sparse
    assert not ours.input_tags.allow_nan
    assert numbers.target_tags.required
