"""A warm start continues as if training had not stopped, and refuses another network."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
import chainrule as cr
from estimators.small import CLASSES, X_DIABETES, Y_DIABETES, X, Y, assert_same, classifier, regressor, weights

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_early_stopping_may_begin_and_end_between_warm_starts():
    model = classifier(warm_start=True).fit(X, Y)
    model.set_params(early_stopping=True).fit(X, Y)
    assert len(model.validation_scores_) == 10
    assert model.best_loss_ is None
    model.set_params(early_stopping=False).fit(X, Y)
    assert np.isfinite(model.best_loss_)
    assert model.validation_scores_ is None
    assert len(model.loss_curve_) == 30


@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(solver="sgd"),
        dict(optimizer="adamw"),
        dict(average=0.9),
        dict(normalization="batch"),
        dict(dropout=0.2),
    ],
    ids=str,
)
def test_a_warm_start_continues_as_if_it_had_not_stopped(settings):
    settings |= dict(shuffle=False, tol=0.0, scale=True)
    once = classifier(max_iter=20, **settings).fit(X, Y)
    twice = classifier(max_iter=10, warm_start=True, **settings).fit(X, Y)
    halfway = weights(twice)
    twice.fit(X, Y)
    assert_same(once, twice)
    assert not np.array_equal(halfway[0], twice.coefs_[0])
    assert twice.loss_curve_ == once.loss_curve_
    assert (twice.n_iter_, once.n_iter_) == (10, 20)
    parts = classifier(**settings)
    for _ in range(20):
        parts.partial_fit(X, Y, classes=CLASSES)
    assert_same(once, parts)


def test_a_warm_start_survives_pickling():
    model = classifier(warm_start=True, dropout=0.3, average=0.9).fit(X, Y)
    twin = pickle.loads(pickle.dumps(model))
    assert_same(model.fit(X, Y), twin.fit(X, Y))


def test_without_warm_start_a_fit_starts_from_scratch():
    model = classifier(dropout=0.3, average=0.9, early_stopping=True).fit(X, Y)
    again = pickle.loads(pickle.dumps(model)).fit(X, Y)
    assert_same(model, again)
    assert again.loss_curve_ == model.loss_curve_
    lbfgs = again.set_params(solver="lbfgs", dropout=0.0, average=None).fit(X, Y)
    assert not hasattr(lbfgs, "loss_curve_")  # as in scikit-learn


CHANGES = [
    dict(alpha=10.0),
    dict(learning_rate_init=0.1),
    dict(beta_1=0.1),
    dict(weight_decay=10.0),
    dict(optimizer="lion"),
    dict(solver="sgd"),
    dict(schedule="one_cycle"),
    dict(max_norm=0.1),
    dict(label_smoothing=0.5),
    dict(class_weight={0: 9.0}),
    dict(batch_size=20),
]


@pytest.mark.parametrize("incremental", [False, True], ids=["fit", "partial_fit"])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_is_changed_takes_effect_on_a_warm_start(change, incremental):
    def go_on(**change):
        model = classifier(warm_start=True, shuffle=False).fit(X, Y).set_params(**change)
        return model.partial_fit(X, Y) if incremental else model.fit(X, Y)

    assert np.abs(go_on(**change).coefs_[0] - go_on().coefs_[0]).max() > 1e-6


def test_a_new_learning_rate_keeps_the_moments():
    model = classifier(warm_start=True, batch_size=50, tol=0.0).fit(X, Y)
    assert int(model._optimizer.state["step"]) == 30
    model.set_params(learning_rate_init=0.05).fit(X, Y)
    assert int(model._optimizer.state["step"]) == 60
    assert model._optimizer.learning_rate == 0.05


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(hidden_layer_sizes=(9,)), r"the hidden layers \[8\] that were trained, got hidden_layer_sizes=\[9\]"),
        (dict(activation="tanh"), "activation='relu' as in the fit that it goes on from, got activation='tanh'"),
        (dict(dropout=0.5), "dropout=0.0 as in the fit that it goes on from, got dropout=0.5"),
        (dict(normalization="layer"), "normalization=None as in the fit that it goes on from"),
        (dict(scale=True), "scale=False as in the fit that it goes on from, got scale=True"),
        (dict(average=0.5), "average=None as in the fit that it goes on from, got average=0.5"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_another_network_is_refused_on_a_warm_start(change, words, method):
    model = classifier(warm_start=True).fit(X, Y).set_params(**change)
    with pytest.raises(ValueError, match=words + r".*set warm_start=False, or call clone\(\)"):
        getattr(model, method)(X, Y)


@pytest.mark.parametrize("loss", ["gaussian_nll", "quantile", "poisson"])
def test_a_loss_for_other_outputs_is_refused_on_a_warm_start(loss):
    model = regressor(warm_start=True).fit(X_DIABETES, Y_DIABETES)
    with pytest.raises(
        ValueError, match=r"MLPRegressor expects a loss for the 1 outputs \(identity\) that were trained"
    ):
        model.set_params(loss=loss).fit(X_DIABETES, Y_DIABETES)
    assert model.set_params(loss="huber").fit(X_DIABETES, Y_DIABETES)._loss == cr.Huber()


def test_solvers_may_take_turns():
    model = classifier(warm_start=True, solver="lbfgs", max_iter=1000).fit(X, Y)
    good = model.loss_
    model.set_params(solver="adam", max_iter=5).fit(X, Y)
    assert len(model.loss_curve_) == 5
    assert model.loss_ < 2 * good + 0.01
    assert model.set_params(solver="lbfgs", max_iter=1000).fit(X, Y).loss_ < good + 1e-3
