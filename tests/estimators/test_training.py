"""How training goes: means of weights, limits, dropout, optimizers and schedules by name, what is printed."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import chainrule as cr
from estimators.small import CLASSES, SETTINGS, Diary, X, Y, assert_same, classifier, regressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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
    rate = {"lars": 2.0, "lion": 0.01, "sgd": 0.1}.get(name, 0.02)
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


@pytest.mark.parametrize(
    "settings",
    [
        dict(tol=1e-2),
        dict(tol=1.0, n_iter_no_change=3),
        dict(n_iter_no_change=np.inf),
        dict(solver="sgd", learning_rate="adaptive", tol=1e-2, n_iter_no_change=2),
        dict(solver="sgd", learning_rate="invscaling", tol=1e-2),
        dict(dropout=0.2, batch_size=64, tol=1e-2),
        dict(early_stopping=True, tol=1e-2),
    ],
    ids=str,
)
def test_a_fit_ends_with_the_same_numbers_if_nobody_watches_each_epoch(settings):
    alone = classifier(**dict(max_iter=120) | settings).fit(X, Y)
    watched = classifier(**dict(max_iter=120, callbacks=[cr.Callback()]) | settings).fit(X, Y)
    assert_same(alone, watched)
    assert alone.loss_curve_ == watched.loss_curve_
    assert (alone.n_iter_, alone.t_) == (watched.n_iter_, watched.t_)


def test_no_order_is_drawn_for_an_epoch_that_is_not_taken():
    random = np.random.RandomState(0)
    model = classifier(random_state=random, tol=1.0, max_iter=100).fit(X, Y)
    fresh = np.random.RandomState(0)
    classifier(random_state=fresh, max_iter=model.n_iter_, n_iter_no_change=np.inf).fit(X, Y)
    assert model.n_iter_ < 100
    assert random.randint(2**31) == fresh.randint(2**31)
