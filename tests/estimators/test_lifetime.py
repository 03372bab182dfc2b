"""Nothing of a fit outlives it but the estimator: rows, targets and networks go with the last reference to them."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict

import chainrule as cr
from chainrule.training.callbacks import EarlyStopping, MaxNorm, WeightAverage

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SETTINGS = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
FITS = {
    "adam": {},
    "sgd": {"solver": "sgd"},
    "lbfgs": {"solver": "lbfgs"},
    "scale": {"scale": True},
    "early stopping": {"early_stopping": True},
    "a scorer": {"early_stopping": True, "scoring": "r2"},
    "an average": {"average": 0.9},
    "dropout and norms": {"dropout": 0.1, "input_dropout": 0.1, "normalization": "batch", "max_norm": 1.0},
    "callbacks": {"callbacks": [MaxNorm(1.0), WeightAverage(0.9)]},
    "a schedule": {"schedule": "cosine", "optimizer": "adamw"},
    "warm start": {"warm_start": True},
}


@pytest.fixture
def no_collector():
    """Only reference counts free anything."""
    gc.disable()
    yield
    gc.enable()


class Rows:
    """Data of which one can ask whether they are still in memory."""

    def __init__(self, make=np.asarray):
        rng = np.random.default_rng(0)
        self.x, self.y, self.weight = make(rng.normal(size=(60, 3))), rng.normal(size=60), rng.uniform(size=60)
        self.known = [weakref.ref(array) for array in (self.x, self.y, self.weight)]

    def are_gone(self):
        del self.x, self.y, self.weight
        return [known() is None for known in self.known] == [True] * 3


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.usefixtures("no_collector")
def test_the_rows_of_a_fit_go_with_their_last_reference(kind):
    model, rows, val = cr.MLPRegressor(**SETTINGS, **FITS[kind]), Rows(), Rows()
    model.fit(rows.x, rows.y, rows.weight)
    model.fit(rows.x, rows.y, rows.weight)
    if kind != "lbfgs":
        model.partial_fit(rows.x, rows.y, rows.weight)
        model.fit(rows.x, rows.y, rows.weight, X_val=val.x, y_val=val.y, sample_weight_val=val.weight)
    model.predict(rows.x)
    model.score(rows.x, rows.y, rows.weight)
    assert rows.are_gone()
    assert val.are_gone()


@pytest.mark.usefixtures("no_collector")
def test_the_rows_of_a_classification_go_too():
    model, rows = cr.MLPClassifier(**SETTINGS, early_stopping=True), Rows()
    labels = (rows.y > 0).astype(int)
    known = weakref.ref(labels)
    model.fit(rows.x, labels, rows.weight)
    model.partial_fit(rows.x, labels, rows.weight)
    for ask in (model.predict, model.predict_proba, model.predict_log_proba):
        ask(rows.x)
    model.score(rows.x, labels)
    cr.report(model, rows.x, labels)
    del labels
    assert rows.are_gone()
    assert known() is None


@pytest.mark.usefixtures("no_collector")
def test_sparse_rows_go_too():
    model, rows = cr.MLPRegressor(**SETTINGS, scale=True), Rows(sparse.csr_array)
    model.fit(rows.x, rows.y, rows.weight).predict(rows.x)
    assert rows.are_gone()


@pytest.mark.usefixtures("no_collector")
def test_the_rows_of_a_fit_that_fails_go_too():
    rows = Rows()
    model = cr.MLPRegressor(**SETTINGS | {"max_iter": 50}, learning_rate_init=1e30, solver="sgd")
    try:
        with np.errstate(all="ignore"):
            model.fit(rows.x, rows.y, rows.weight)
    except ValueError:
        failed = True
    assert failed
    assert rows.are_gone()


@pytest.mark.parametrize("kind", [kind for kind in FITS if kind != "warm start"])
@pytest.mark.usefixtures("no_collector")
def test_a_network_goes_with_its_estimator_or_with_the_next_fit(kind):
    model, rows = cr.MLPRegressor(**SETTINGS, **FITS[kind]), Rows()
    model.fit(rows.x, rows.y)
    first = weakref.ref(model.model_)
    model.fit(rows.x, rows.y)
    assert first() is None
    second = weakref.ref(model.model_)
    del model
    assert second() is None


@pytest.mark.usefixtures("no_collector")
def test_what_a_trainer_is_asked_for_holds_no_rows():
    rows = Rows()
    y = rows.y[:, None].copy()
    trainer = cr.Trainer(cr.MLP([3, 4, 1], rng=0, dtype="float64"), "squared_error")
    cr.diagnose(trainer.model, rows.x, y)
    cr.gradcheck(trainer.model, rows.x[:8], y[:8], loss="squared_error")
    cr.learning_rate_range_test(trainer, rows.x, y, rows.weight, steps=10)
    cr.report(trainer, rows.x, y)
    list(cr.batches(rows.x, y, rows.weight, size=7))
    assert rows.are_gone()


# ---- copies

CALLBACKS = {
    "Progress": lambda: cr.callbacks.Progress(every=100),
    "EarlyStopping": lambda: EarlyStopping(patience=1, monitor="loss"),
    "WeightAverage": lambda: WeightAverage(0.9),
    "MaxNorm": lambda: MaxNorm(1.0),
}


@pytest.mark.parametrize("kind", CALLBACKS)
def test_an_estimator_with_callbacks_is_copied_cloned_and_searched(kind, capsys):
    rows = Rows()
    model = cr.MLPRegressor(**SETTINGS, callbacks=[CALLBACKS[kind]()]).fit(rows.x, rows.y)
    expected = model.predict(rows.x)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        np.testing.assert_array_equal(again.predict(rows.x), expected)
        again.partial_fit(rows.x, rows.y)
    np.testing.assert_array_equal(clone(model).fit(rows.x, rows.y).predict(rows.x), expected)
    search = GridSearchCV(model, {"alpha": [1e-4, 1e-2]}, cv=2, n_jobs=2, error_score="raise").fit(rows.x, rows.y)
    np.testing.assert_array_equal(search.best_estimator_.predict(rows.x).shape, expected.shape)


def test_workers_that_map_the_rows_read_only_train_on_them():
    """joblib hands arrays above a megabyte to its workers as read-only memory maps."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3000, 60)), rng.normal(size=3000)
    model = cr.MLPRegressor(**SETTINGS | {"max_iter": 1}, scale=True)
    alone, together = (cross_val_predict(model, x, y, cv=2, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_allclose(together, alone)
