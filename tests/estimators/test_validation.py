"""A validation set of one's own, and training that ends early by its score."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.base import clone
from sklearn.metrics import get_scorer, log_loss, make_scorer
from sklearn.model_selection import train_test_split

from estimators.small import (
    CLASSES,
    X_DIABETES,
    X_FIT,
    X_VAL,
    Y_DIABETES,
    Y_FIT,
    Y_VAL,
    X,
    Y,
    assert_same,
    classifier,
    regressor,
    weights,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("scaled", [False, True], ids=["", "scale"])
def test_the_validation_loss_is_that_of_the_given_rows(scaled):
    model = classifier(scale=scaled, alpha=0.0).fit(X_FIT, Y_FIT, X_val=X_VAL, y_val=Y_VAL)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_ == 10
    assert model.validation_loss_curve_[-1] == pytest.approx(log_loss(Y_VAL, model.predict_proba(X_VAL)), rel=1e-6)


def test_the_validation_rows_have_weights():
    weight = np.random.default_rng(0).uniform(0, 2, len(Y_VAL))
    model = classifier(scale=True, alpha=0.0)
    model.fit(X_FIT, Y_FIT, X_val=X_VAL, y_val=Y_VAL, sample_weight_val=weight)
    expected = log_loss(Y_VAL, model.predict_proba(X_VAL), sample_weight=weight)
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-6)


def test_looking_at_validation_rows_changes_nothing():
    watched = classifier(scale=True).fit(X_FIT, Y_FIT, X_val=X_VAL, y_val=Y_VAL)
    assert_same(watched, classifier(scale=True).fit(X_FIT, Y_FIT))


def test_without_validation_rows_there_is_no_curve():
    assert classifier().fit(X, Y).validation_loss_curve_ == []


def test_partial_fit_takes_validation_rows():
    model = regressor(scale=True, alpha=0.0)
    for _ in range(3):
        model.partial_fit(X_DIABETES, Y_DIABETES, X_val=X_DIABETES[:50], y_val=Y_DIABETES[:50])
    error = (model.predict(X_DIABETES[:50]) - Y_DIABETES[:50]) / model.target_scaler_.scale_
    assert len(model.validation_loss_curve_) == 3
    assert model.validation_loss_curve_[-1] == pytest.approx(np.mean(error**2) / 2, rel=1e-9)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_frames_give_no_warning(early_stopping):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    names = [f"column {i}" for i in range(X_FIT.shape[1])]
    frame, held_out = pd.DataFrame(X_FIT, columns=names), pd.DataFrame(X_VAL, columns=names)
    model = classifier(scale=True, early_stopping=early_stopping, scoring="roc_auc")
    model.fit(frame, Y_FIT, X_val=held_out, y_val=Y_VAL)
    assert model.fit(frame, Y_FIT).predict(held_out).shape == Y_VAL.shape  # a warning would be an error here
    assert list(model.feature_names_in_) == names


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(X_val=X), "expects X_val and y_val together, got one of them"),
        (dict(y_val=Y), "expects X_val and y_val together, got one of them"),
        (dict(sample_weight_val=np.ones(150)), "expects X_val and y_val, got sample_weight_val alone"),
        (dict(X_val=X[:, :2], y_val=Y), "X has 2 features, but MLPClassifier is expecting 4 features"),
        (dict(X_val=X[:9], y_val=Y), "inconsistent numbers of samples"),
        (dict(X_val=X, y_val=Y, sample_weight_val=np.ones(3)), "sample_weight.shape == "),
        (dict(X_val=np.full_like(X, np.nan), y_val=Y), "Input X contains NaN"),
    ],
)
def test_validation_rows_that_do_not_fit_are_refused(given, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        classifier().fit(X, Y, **given)


# ---- early stopping
SCORES = [
    *[("classifier", name) for name in (None, "accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss", "f1")],
    *[("regressor", name) for name in (None, "r2", "neg_mean_absolute_error", "neg_root_mean_squared_error")],
]


def problem(kind, **settings):
    """An estimator that stops early, and rows to train and to validate with."""
    settings = (
        dict(early_stopping=True, scale=True, learning_rate_init=0.05, max_iter=40, n_iter_no_change=5) | settings
    )
    if kind == "classifier":
        return classifier(**settings), X_FIT, Y_FIT, X_VAL, Y_VAL
    x, x_val, y, y_val = train_test_split(X_DIABETES, Y_DIABETES, random_state=0)
    return regressor(**settings), x, y, x_val, y_val


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("normalization", [None, "batch"])
@pytest.mark.parametrize(("kind", "scoring"), SCORES)
def test_the_best_score_is_that_of_the_weights_that_stay(kind, scoring, normalization, average):
    model, x, y, x_val, y_val = problem(kind, scoring=scoring, normalization=normalization, average=average)
    model.fit(x, y, X_val=x_val, y_val=y_val)
    score = model.score if scoring is None else lambda *rows: get_scorer(scoring)(model, *rows)
    assert score(x_val, y_val) == pytest.approx(model.best_validation_score_, rel=1e-9)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert model.best_loss_ is None


def test_it_stops_when_the_score_no_longer_improves():
    model, x, y, x_val, y_val = problem("classifier", max_iter=200, tol=1e-4)
    model.fit(x, y, X_val=x_val, y_val=y_val)
    assert model.n_iter_ < 200
    best, since = -np.inf, 0
    for score in model.validation_scores_:
        since = 0 if score >= best + 1e-4 else since + 1
        best = max(best, score)
    assert since == 6  # one more than n_iter_no_change, as in scikit-learn


def test_of_equal_scores_the_first_counts():
    snapshots = []

    def score(model, x, y):
        snapshots.append(weights(model))
        return [0.1, 0.5, 0.5, 0.2, 0.5][len(snapshots) - 1]

    model, x, y, x_val, y_val = problem("classifier", max_iter=5, scoring=score)
    model.fit(x, y, X_val=x_val, y_val=y_val)
    for found, second in zip(weights(model), snapshots[1], strict=True):
        np.testing.assert_array_equal(found, second)


def test_scorers_see_the_weights_of_the_rows_and_not_of_the_classes():
    seen = []

    def share(y, predicted, sample_weight=None):
        seen.append(sample_weight)
        return float(np.average(y == predicted, weights=sample_weight))

    model, x, y, x_val, y_val = problem("classifier", class_weight="balanced", scoring=make_scorer(share), max_iter=3)
    model.fit(x, y, X_val=x_val, y_val=y_val)
    assert seen == [None] * 3
    own = np.linspace(0, 1, len(y_val))
    model.fit(x, y, X_val=x_val, y_val=y_val, sample_weight_val=own)
    np.testing.assert_array_equal(seen[-1], own)
    assert model.best_validation_score_ == pytest.approx(model.score(x_val, y_val, own), rel=1e-12)


@pytest.mark.parametrize(
    "scoring",
    [lambda model, x, y: model.score(x, y), make_scorer(lambda y, found: np.mean(y == found)), "neg_max_error"],
    ids=["function", "scorer", "name"],
)
def test_a_scorer_that_takes_no_weights_gets_none(scoring):
    kind = "regressor" if isinstance(scoring, str) else "classifier"
    model, x, y, *_ = problem(kind, scoring=scoring, max_iter=3)
    if isinstance(scoring, str):
        pytest.importorskip("sklearn", minversion="1.8", reason="it has another name")
    assert len(model.fit(x, y, np.ones(len(y))).validation_scores_) == 3


def test_rows_of_weight_0_are_not_scored():
    model, x, y, x_val, y_val = problem("classifier")
    once = model.fit(x, y, X_val=x_val, y_val=y_val)
    both = clone(model).fit(
        x,
        y,
        X_val=np.vstack([x_val, x_val]),
        y_val=np.r_[y_val, 1 - y_val],
        sample_weight_val=np.r_[np.ones(len(y_val)), np.zeros(len(y_val))],
    )
    np.testing.assert_allclose(both.validation_scores_, once.validation_scores_, rtol=1e-12)
    np.testing.assert_allclose(both.validation_loss_curve_, once.validation_loss_curve_, rtol=1e-6)


@pytest.mark.parametrize("average", [None, 0.9])
def test_partial_fit_returns_to_the_best_weights_when_patience_ends(average):
    model, x, y, x_val, y_val = problem("classifier", learning_rate_init=0.2, n_iter_no_change=3, average=average)
    held_out = dict(X_val=x_val, y_val=y_val)
    found = []
    for _ in range(40):
        model.partial_fit(x, y, classes=[0, 1], **held_out)
        found.append(model.score(x_val, y_val))
        scores = model.validation_scores_
        if max(scores) > scores[-1] and found[-1] == max(scores):
            break
    else:
        pytest.fail("it never returned")
    assert found[:-1] == pytest.approx(scores[:-1], rel=1e-12)  # until then it continued with the last weights
    assert len(scores) - 1 - int(np.argmax(scores)) >= 4
    model.partial_fit(x, y, **held_out)
    assert len(model.validation_scores_) == len(scores)  # one list, which grows


def test_partial_fit_sets_rows_aside_of_its_own():
    model = classifier(early_stopping=True, validation_fraction=0.2)
    model.partial_fit(X, Y, classes=CLASSES).partial_fit(X, Y)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 2
    assert model.t_ == 2 * 120
    with pytest.raises(ValueError, match=r"The validation set is too small.*\(n_samples=2\)"):
        model.partial_fit(X[:2], Y[:2])
