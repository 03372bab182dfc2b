"""How training goes: validation sets, early stopping, warm starts, means of weights, what it prints and remembers."""

from __future__ import annotations

import pickle
import re
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import scipy.sparse as sp
import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss, make_scorer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler, scale

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X_CANCER, Y_CANCER = load_breast_cancer(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
X_FIT, X_VAL, Y_FIT, Y_VAL = train_test_split(scale(X_CANCER) + 1, Y_CANCER, test_size=0.3, random_state=0)
SETTINGS = dict(hidden_layer_sizes=(8,), max_iter=10, random_state=0)
CLASSES = np.unique(Y)


def classifier(**settings):
    return cr.MLPClassifier(**SETTINGS | settings)


def regressor(**settings):
    return cr.MLPRegressor(**SETTINGS | settings)


def weights(model):
    return [array.copy() for array in model.coefs_ + model.intercepts_]


def assert_same(first, second, tolerance=0.0):
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


class Diary(cr.Callback):
    """Keeps what the network's parameters were after each step."""

    def __init__(self, stop_at=None, interrupt_at=None):
        self.steps, self.epochs, self.stop_at, self.interrupt_at = [], 0, stop_at, interrupt_at

    def on_batch_end(self, trainer, loss):
        self.steps.append(trainer.model.parameters.vector.copy())

    def on_epoch_end(self, trainer, row):
        self.epochs += 1
        if self.epochs == self.interrupt_at:
            raise KeyboardInterrupt
        trainer.stop = self.epochs == self.stop_at


# ---- a validation set of one's own


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
    assert found[:-1] == pytest.approx(scores[:-1], rel=1e-12)  # until then it went on with the last weights
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


def test_early_stopping_may_begin_and_end_between_warm_starts():
    model = classifier(warm_start=True).fit(X, Y)
    model.set_params(early_stopping=True).fit(X, Y)
    assert len(model.validation_scores_) == 10
    assert model.best_loss_ is None
    model.set_params(early_stopping=False).fit(X, Y)
    assert np.isfinite(model.best_loss_)
    assert model.validation_scores_ is None
    assert len(model.loss_curve_) == 30


# ---- warm starts


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
def test_a_warm_start_goes_on_as_if_it_had_not_stopped(settings):
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


def test_without_warm_start_a_fit_begins_anew():
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
        (dict(activation="tanh"), "activation='relu' as in the fit that it continues, got activation='tanh'"),
        (dict(dropout=0.5), "dropout=0.0 as in the fit that it continues, got dropout=0.5"),
        (dict(normalization="layer"), "normalization=None as in the fit that it continues"),
        (dict(scale=True), "scale=False as in the fit that it continues, got scale=True"),
        (dict(average=0.5), "average=None as in the fit that it continues, got average=0.5"),
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


# ---- the mean of the weights


def test_the_average_is_the_mean_computed_by_hand():
    diary = Diary()
    settings = dict(batch_size=50, average=0.9, callbacks=[diary])
    model = classifier(**settings | dict(max_iter=4)).fit(X, Y)
    start = classifier(max_iter=1, learning_rate_init=1e-300).fit(X, Y).model_.parameters.vector
    mean = start.copy()
    for step, vector in enumerate(diary.steps, start=1):
        decay = min(0.9, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * vector
    assert len(diary.steps) == 12
    np.testing.assert_allclose(model.model_.parameters.vector, mean, rtol=0, atol=1e-12)


def test_training_itself_does_not_feel_the_average():
    diaries = Diary(), Diary()
    for diary, average in zip(diaries, (None, 0.9), strict=True):
        model = classifier(average=average, callbacks=[diary], max_iter=3)
        model.partial_fit(X, Y, classes=CLASSES).partial_fit(X, Y).set_params(warm_start=True).fit(X, Y)
    np.testing.assert_array_equal(*[diary.steps for diary in diaries])
    assert len(diaries[0].steps) == 5


# ---- limits


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", [dict(), dict(average=0.9), dict(solver="sgd", learning_rate_init=1.0)], ids=str)
def test_no_column_is_longer_than_max_norm(settings, dtype):
    model = classifier(max_norm=0.7, **settings).fit(scale(X).astype(dtype), Y)
    longest = [np.linalg.norm(W, axis=0).max() for W in model.coefs_]
    assert max(longest) < 0.7 * (1 + 1e-5)
    assert max(longest) > 0.69
    free = classifier(**settings).fit(scale(X).astype(dtype), Y)
    assert max(np.linalg.norm(W, axis=0).max() for W in free.coefs_) > 0.8


@pytest.mark.parametrize("settings", [dict(), dict(optimizer="adamw"), dict(solver="sgd")], ids=str)
def test_weight_decay_shrinks_the_weights(settings):
    def length(**more):
        return np.linalg.norm(classifier(**settings, **more).fit(scale(X), Y).coefs_[0])

    assert length(weight_decay=5.0) < 0.98 * length()


# ---- dropout and normalisation


@pytest.mark.parametrize("settings", [dict(dropout=0.3), dict(input_dropout=0.3)], ids=str)
def test_dropout_is_seeded_and_only_for_training(settings):
    model = classifier(**settings).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    assert_same(model, classifier(**settings).fit(X, Y))
    other = classifier(**settings | dict(random_state=1)).fit(X, Y)
    assert np.abs(other.coefs_[0] - model.coefs_[0]).max() > 1e-3
    without = classifier().fit(X, Y)
    assert np.abs(without.coefs_[0] - model.coefs_[0]).max() > 1e-4


def test_dropout_and_normalisation_are_layers():
    model = classifier(hidden_layer_sizes=(8, 7), dropout=0.3, input_dropout=0.1, normalization="batch").fit(X, Y)
    block = ["Linear", "BatchNorm", "ReLU", "Dropout"]
    assert [type(layer).__name__ for layer in model.model_.layers] == ["Dropout", *block, *block, "Linear"]
    rates = [layer.rate for layer in model.model_.layers if isinstance(layer, cr.Dropout)]
    assert rates == [0.1, 0.3, 0.3]
    assert [W.shape for W in model.coefs_] == [(4, 8), (8, 7), (7, 3)]


@pytest.mark.parametrize("normalization", ["batch", "layer"])
@pytest.mark.parametrize("batch_size", [149, 50, "auto"])
def test_normalised_networks_learn_whatever_the_last_batch(normalization, batch_size):
    settings = dict(hidden_layer_sizes=(32,), learning_rate_init=0.02, max_iter=100)
    model = classifier(normalization=normalization, batch_size=batch_size, **settings)
    assert model.fit(scale(X), Y).score(scale(X), Y) > 0.85


@pytest.mark.parametrize("change", [dict(batch_size=1), dict()], ids=["batches of 1", "one row"])
def test_a_batch_of_one_row_says_nothing_of_its_spread(change):
    rows = slice(None) if change else slice(1)
    with pytest.raises(ValueError, match="batches of at least two rows, got one row; use normalization='layer'"):
        regressor(normalization="batch", **change).fit(X[rows], Y[rows])


# ---- optimizers, schedules, callbacks


@pytest.mark.parametrize("name", sorted(cr.optimizers.OPTIMIZERS))
def test_every_optimizer_learns_by_name(name):
    rate = {"adadelta": 1.0, "lion": 0.01, "sgd": 0.1}.get(name, 0.02)
    model = classifier(optimizer=name, learning_rate_init=rate, max_iter=100, scale=True).fit(X, Y)
    assert type(model._optimizer) is cr.optimizers.OPTIMIZERS[name]
    assert model.score(X, Y) > 0.9


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "flat_cosine", "cos_log4", "reduce_on_plateau"])
@pytest.mark.parametrize("settings", [dict(), dict(solver="sgd"), dict(optimizer="muon")], ids=str)
def test_every_schedule_goes_by_name(name, settings):
    model = classifier(schedule=name, learning_rate_init=0.05, max_iter=100, scale=True, **settings).fit(X, Y)
    assert callable(model._optimizer.learning_rate)
    assert model.score(X, Y) > 0.9


def test_an_object_is_not_changed_by_fit():
    optimizer, plateau = cr.AdamW(cr.schedules.WarmupCosine(0.01)), cr.schedules.ReduceOnPlateau(0.01, patience=1)
    written = repr(optimizer), repr(plateau), dict(vars(plateau))
    first = classifier(optimizer=optimizer).fit(X, Y)
    second = classifier(schedule=plateau).fit(X, Y)
    assert (repr(optimizer), repr(plateau), dict(vars(plateau))) == written
    assert optimizer.state == {}
    assert first.get_params()["optimizer"] is optimizer
    for model in (first, second):
        assert_same(model, clone(model).fit(X, Y))
        assert_same(model, pickle.loads(pickle.dumps(model)))
    assert_same(first, first.fit(X, Y))


def test_a_schedule_spans_all_epochs_of_fit_and_all_calls_of_partial_fit():
    class Rates(cr.Callback):
        def __init__(self):
            self.seen = []

        def on_epoch_end(self, trainer, row):
            self.seen.append(row["learning_rate"])

    whole, parts = Rates(), Rates()
    classifier(schedule="cosine", tol=0.0, callbacks=[whole]).fit(X, Y)
    model = classifier(schedule="cosine", callbacks=[parts])
    for _ in range(10):
        model.partial_fit(X, Y, classes=CLASSES)
    assert whole.seen == pytest.approx(parts.seen)
    assert whole.seen[0] > whole.seen[4] > whole.seen[9] > 0


def test_callbacks_are_called_and_may_end_the_training(recwarn):
    diary = Diary(stop_at=3)
    model = classifier(callbacks=[diary]).fit(X, Y)
    assert diary.epochs == model.n_iter_ == len(model.loss_curve_) == 3
    assert len(diary.steps) == 3
    assert not [one for one in recwarn if issubclass(one.category, ConvergenceWarning)]


def test_ctrl_c_keeps_what_was_learned():
    diary = Diary(interrupt_at=4)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = classifier(callbacks=[diary], early_stopping=True).fit(X, Y)
    assert model.n_iter_ == 3
    assert model.predict(X).shape == Y.shape
    score = model.best_validation_score_
    assert score == max(model.validation_scores_)


# ---- what is printed


@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(early_stopping=True, max_iter=30, n_iter_no_change=3),
        dict(max_iter=40, tol=0.1, n_iter_no_change=2),
        dict(solver="sgd", learning_rate="adaptive", tol=0.5, n_iter_no_change=2, max_iter=60),
    ],
    ids=str,
)
def test_verbose_prints_the_lines_of_scikit_learn(settings, capsys):
    settings = SETTINGS | settings | dict(verbose=True)
    theirs.MLPClassifier(**settings).fit(X, Y)
    expected = capsys.readouterr().out
    cr.MLPClassifier(**settings).fit(X, Y)
    assert capsys.readouterr().out == expected
    assert "Iteration 1, loss = " in expected


def test_fit_is_silent(capsys):
    classifier(early_stopping=True).fit(X, Y)
    assert capsys.readouterr() == ("", "")


# ---- sparse and memory-mapped rows


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.csr_array], ids=lambda form: form.__name__)
@pytest.mark.parametrize(
    "settings", [dict(), dict(solver="lbfgs"), dict(early_stopping=True), dict(dropout=0.2)], ids=str
)
def test_sparse_rows_give_the_weights_of_dense_ones(settings, form):
    dense = np.where(X > 2, X, 0)
    first, second = classifier(**settings).fit(dense, Y), classifier(**settings).fit(form(dense), Y)
    assert_same(first, second, 1e-6)
    np.testing.assert_allclose(second.predict_proba(form(dense)), first.predict_proba(dense), atol=1e-6)
    held_out = classifier(**settings | dict(solver="adam")).fit(form(dense), Y, X_val=form(dense), y_val=Y)
    assert np.isfinite(held_out.validation_loss_curve_).all()


def test_sparse_rows_are_scaled_but_not_shifted():
    sparse = sp.csr_matrix(np.where(X > 2, X, 0))
    scaler = StandardScaler(with_mean=False).fit(sparse)
    inside = classifier(scale=True).fit(sparse, Y)
    assert_same(inside, classifier().fit(scaler.transform(sparse), Y))
    np.testing.assert_allclose(inside.predict_proba(sparse.toarray()), inside.predict_proba(sparse), rtol=1e-9)


def test_sparse_rows_where_dense_ones_are_needed():
    sparse = sp.csr_matrix(X)
    with pytest.raises(TypeError, match=r"MLPClassifier\(input_dropout=0.1\) expects dense X, got a sparse one"):
        classifier(input_dropout=0.1).fit(sparse, Y)
    model = classifier(scale=True).fit(X, Y)
    with pytest.raises(
        TypeError, match=r"MLPClassifier\(scale=True\) expects dense X, as it was fitted on, got a sparse"
    ):
        model.predict(sparse)
    with pytest.raises(TypeError, match=r"expects dense X, as it was fitted on"):
        classifier(scale=True).fit(X, Y, X_val=sparse, y_val=Y)


def peak_of(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_sparse_rows_are_never_made_dense():
    rng = np.random.default_rng(0)
    rows, columns, each = 20_000, 50_000, 10
    places = rng.integers(0, columns, rows * each)
    values = rng.normal(size=rows * each).astype(np.float32)
    sparse = sp.csr_matrix((values, places, np.arange(0, rows * each + 1, each)), (rows, columns))
    labels = (np.asarray(sparse.sum(axis=1)).ravel() > 0).astype(int)
    model = classifier(hidden_layer_sizes=(4,), max_iter=1)
    assert peak_of(lambda: model.fit(sparse, labels)) < 40  # MB; dense they are 3,800, a batch of 200 is 38
    assert peak_of(lambda: model.predict(sparse)) < 20


def test_memory_mapped_rows_are_not_copied(tmp_path):
    shape = 52_000, 1_000  # 200 MB
    mapped = np.memmap(tmp_path / "rows.f32", np.float32, "w+", shape=shape)
    for start in range(0, shape[0], 4_000):
        mapped[start : start + 4_000] = np.random.default_rng(start).random((4_000, 1_000), np.float32)[
            : shape[0] - start
        ]
    labels = (mapped[:, 0] > 0.5).astype(int)
    model = classifier(hidden_layer_sizes=(4,), max_iter=1)
    assert peak_of(lambda: model.fit(mapped, labels)) < 60
    assert peak_of(lambda: model.predict(mapped)) < 60
    assert peak_of(lambda: regressor(hidden_layer_sizes=(4,), max_iter=1).fit(mapped, labels)) < 60
    scaled = classifier(hidden_layer_sizes=(4,), max_iter=1, scale=True).fit(mapped[:3_000], labels[:3_000])
    assert peak_of(lambda: scaled.predict(mapped)) < 60
    ends = np.r_[0:5, len(mapped) - 5 : len(mapped)]
    np.testing.assert_allclose(scaled.predict_proba(mapped)[ends], scaled.predict_proba(mapped[ends]), rtol=1e-5)
