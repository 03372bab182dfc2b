"""scikit-learn's callbacks on our estimators, where the installed version has them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")

from sklearn import callback
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
SETTINGS = dict(hidden_layer_sizes=(5,), max_iter=4, random_state=0)


class Recorder:
    """What it was told, and an answer of True after ``stop_after`` epochs."""

    def __init__(self, stop_after=None):
        self.told, self.states, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"{context.task_name} begins")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.told.append(f"{context.task_name} ends")
        self.states.append((X, y, metadata, fitted_estimator))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


@pytest.mark.parametrize(("settings", "name"), [(dict(), "epoch"), (dict(solver="lbfgs"), "iteration")])
def test_they_are_told_of_the_fit_and_of_each_part_of_it(settings, name):
    recorder = Recorder()
    model = cr.MLPClassifier(**SETTINGS | settings).set_callbacks(recorder).fit(X, Y)
    each = [f"{name} begins", f"{name} ends"]
    assert recorder.told == ["setup", "fit begins", *each * model.n_iter_, "fit ends", "teardown"]
    assert model.n_iter_ == SETTINGS["max_iter"]


def test_without_callbacks_nothing_is_kept_and_weights_are_the_same():
    plain = cr.MLPClassifier(**SETTINGS).fit(X, Y)
    told = cr.MLPClassifier(**SETTINGS).set_callbacks(Recorder()).fit(X, Y)
    np.testing.assert_array_equal(plain.coefs_[0], told.coefs_[0])
    assert not any("callback" in name and "skl" in name for name in vars(plain))
    assert not hasattr(told.set_callbacks(), "_skl_callbacks")


@pytest.mark.parametrize("settings", [dict(), dict(solver="lbfgs"), dict(average=0.9), dict(scale=True)], ids=str)
def test_the_fitted_estimator_is_the_one_that_stopped_there(settings):
    recorder = Recorder()
    weight = np.linspace(0.5, 1.5, len(X))
    cr.MLPClassifier(**SETTINGS | settings).set_callbacks(recorder).fit(X, Y, sample_weight=weight)
    for iterations, (given, y, metadata, found) in enumerate(recorder.states[:-1], 1):
        assert given is X
        assert y is Y
        assert metadata["sample_weight"] is weight
        shorter = cr.MLPClassifier(**SETTINGS | settings | dict(max_iter=iterations)).fit(X, Y, sample_weight=weight)
        np.testing.assert_allclose(found.predict_proba(X), shorter.predict_proba(X), rtol=1e-6)


def test_an_answer_of_true_ends_the_training():
    recorder = Recorder(stop_after=2)
    model = cr.MLPClassifier(**SETTINGS).set_callbacks(recorder).fit(X, Y)
    assert model.n_iter_ == 2
    assert recorder.told[-2:] == ["fit ends", "teardown"]


def test_partial_fit_is_a_fit_of_one_epoch():
    recorder = Recorder()
    cr.MLPClassifier(**SETTINGS).set_callbacks(recorder).partial_fit(X, Y, classes=[0, 1, 2])
    assert recorder.told == ["setup", "fit begins", "epoch begins", "epoch ends", "fit ends", "teardown"]


def test_a_fit_that_fails_is_torn_down():
    recorder = Recorder()
    with pytest.raises(ValueError, match="non-finite"):
        cr.MLPRegressor(**SETTINGS, solver="sgd", learning_rate_init=1e300).set_callbacks(recorder).fit(1e6 * X, Y)
    assert recorder.told[-1] == "teardown"


class Spoil(cr.Callback):
    """Makes the third epoch diverge."""

    def on_epoch_begin(self, trainer):
        if trainer.epoch == 3:
            trainer.model.parameters.vector[:] = np.nan


def test_an_epoch_that_is_broken_off_ends_too():
    recorder = Recorder()
    model = cr.MLPClassifier(**SETTINGS, early_stopping=True, callbacks=[Spoil()]).set_callbacks(recorder)
    assert model.fit(X, Y).n_iter_ == 2
    assert recorder.told == ["setup", "fit begins", *["epoch begins", "epoch ends"] * 3, "fit ends", "teardown"]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_scoring_monitor(early_stopping):
    monitor = callback.ScoringMonitor(scoring="r2")
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    settings = SETTINGS | dict(scale=True, early_stopping=early_stopping, solver="sgd", learning_rate_init=0.05)
    model = cr.MLPRegressor(**settings).set_callbacks(monitor).fit(x, y)
    rows = monitor.get_logs().data
    scores = [row["r2"] for row in rows if row["task_name"] == "epoch"]
    assert len(scores) == model.n_iter_
    assert scores[-1] > scores[0]
    (final,) = (row["r2"] for row in rows if row["task_name"] == "fit")
    assert final == pytest.approx(model.score(x, y))


def test_progress_bars_and_monitors_reach_us_from_outside():
    recorder = Recorder()
    recorder.max_propagation_depth = None
    search = GridSearchCV(cr.MLPClassifier(**SETTINGS), {"alpha": [0.1, 0.2]}, cv=2).set_callbacks(recorder)
    search.fit(X, Y)
    assert recorder.told.count("epoch ends") == 5 * SETTINGS["max_iter"]
    assert recorder.told.count("setup") == recorder.told.count("teardown") == 1
    assert not hasattr(search.best_estimator_, "_skl_callbacks")


def test_progress_bar(capsys):
    pytest.importorskip("rich")
    bar = callback.ProgressBar()
    make_pipeline(StandardScaler(), cr.MLPClassifier(**SETTINGS)).set_callbacks(bar).fit(X, Y)
    assert "MLPClassifier - fit" in capsys.readouterr().out


def test_clone_and_pickle_keep_them():
    model = cr.MLPClassifier(**SETTINGS).set_callbacks(Recorder()).fit(X, Y)
    assert clone(model)._skl_callbacks == model._skl_callbacks
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))
    assert copied._skl_callbacks[0].told == model._skl_callbacks[0].told


def test_what_is_no_callback_of_scikit_learn_is_refused():
    with pytest.raises(TypeError, match="FitCallback protocol"):
        cr.MLPClassifier().set_callbacks(cr.callbacks.Progress())
