"""Fitted estimators in files: the network, and what stands around it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

import pandas as pd
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.estimators.regressor import LOSSES

pytestmark = [
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

X = np.random.default_rng(0).normal(3, 2, size=(60, 2))
SPARSE = csr_array(X)


CLASSES = {
    "two": np.arange(60) % 2,
    "three": np.arange(60) % 3,
    "text": np.where(X[:, 0] > X[:, 1], "tall", "heavy"),
    "together": np.stack([X[:, 0] > 3, X[:, 1] > 3], axis=1).astype(int),
}
CLASSIFIERS = [
    {},
    {"solver": "lbfgs"},
    {"average": 0.9},
    {"dropout": 0.2, "input_dropout": 0.1},
    {"normalization": "batch"},
    {"normalization": "layer", "activation": "gelu"},
    {"class_weight": "balanced", "label_smoothing": 0.1},
    {"early_stopping": True},
]


def saved_and_loaded(fitted, folder: Path):
    """What comes back; saved once more it gives the same file."""
    cr.save(fitted, folder / "fitted")
    again = cr.load(folder / "fitted")
    cr.save(again, folder / "again")
    assert (folder / "again").read_bytes() == (folder / "fitted").read_bytes()
    assert type(again) is type(fitted)
    assert repr(again.get_params()) == repr(fitted.get_params())
    return again


@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("settings", [*CLASSIFIERS, {"scale": True}, {"activation": cr.LeakyReLU(0.2)}], ids=str)
def test_a_saved_classifier_comes_back_and_predicts_the_same_bits(y, settings, tmp_path: Path) -> None:
    fitted = cr.MLPClassifier((8,), random_state=0, max_iter=3, **settings).fit(X, y)
    again = saved_and_loaded(fitted, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert again.classes_.dtype == fitted.classes_.dtype
    assert again.loss_ == fitted.loss_


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("loss", [*LOSSES, cr.Quantile([0.25]), cr.Huber(2.0)], ids=repr)
@pytest.mark.parametrize("scale", [False, True])
def test_a_saved_regressor_comes_back_and_predicts_the_same_bits(loss, targets, scale, tmp_path: Path) -> None:
    y = np.abs(X[:, 0]) if targets == 1 else np.abs(X)
    fitted = cr.MLPRegressor(loss, (8,), random_state=0, max_iter=3, scale=scale).fit(X, y)
    np.testing.assert_array_equal(saved_and_loaded(fitted, tmp_path).predict(X), fitted.predict(X))


def test_targets_far_from_zero_come_back(tmp_path: Path) -> None:
    fitted = regressor(scale=True).fit(X, 2e9 + X[:, 0])
    np.testing.assert_array_equal(saved_and_loaded(fitted, tmp_path).predict(X), fitted.predict(X))


def test_an_estimator_of_sparse_rows_comes_back(tmp_path: Path) -> None:
    fitted = cr.MLPClassifier((4,), scale=True, max_iter=2).fit(SPARSE, CLASSES["two"])
    again = saved_and_loaded(fitted, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(SPARSE), fitted.predict_proba(SPARSE))


def test_training_continues_from_what_was_saved(tmp_path: Path) -> None:
    fitted = cr.MLPClassifier((8,), random_state=0, max_iter=3, scale=True, warm_start=True).fit(X, CLASSES["three"])
    again = saved_and_loaded(fitted, tmp_path)
    before = again.model_.parameters.vector.copy()
    assert again.partial_fit(X, CLASSES["three"]).n_iter_ == 4
    assert len(again.fit(X, CLASSES["three"]).loss_curve_) == 7
    assert 0 < np.abs(again.model_.parameters.vector - before).max() < 0.1


def test_what_matters_to_training_alone_is_left_out(tmp_path: Path) -> None:
    settings = {"callbacks": [cr.callbacks.History()], "random_state": np.random.RandomState(0)}
    fitted = cr.MLPClassifier((4,), max_iter=2, optimizer=cr.AdamW(0.01), **settings).fit(X, CLASSES["two"])
    cr.save(fitted, tmp_path / "fitted")
    again = cr.load(tmp_path / "fitted")
    assert (again.callbacks, again.random_state, repr(again.optimizer)) == (None, None, repr(fitted.optimizer))


class Own(cr.Huber):
    pass


def test_a_loss_of_the_users_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="save expects an estimator whose loss and activations are chainrule's, got lo"):
        cr.save(regressor(loss=Own()), tmp_path / "fitted")
    assert list(tmp_path.iterdir()) == []


def regressor(**settings):
    return cr.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0, **settings).fit(X, np.abs(X[:, 0]))


def test_the_names_of_the_columns_are_saved(tmp_path: Path) -> None:
    table = pd.DataFrame(X, columns=["height", "weight"])
    fitted = cr.MLPClassifier((4,), max_iter=2).fit(table, CLASSES["text"])
    again = saved_and_loaded(fitted, tmp_path)
    facts = again.model_.metadata
    assert facts["feature_names"] == again.feature_names_in_.tolist() == ["height", "weight"]
    assert facts["class_names"] == ["heavy", "tall"]
    assert (facts["estimator"], facts["task"]) == ("MLPClassifier", "classification")
    assert "classes" not in facts
    facts = saved_and_loaded(regressor(), tmp_path).model_.metadata
    assert (facts["task"], facts["feature_names"]) == ("regression", None)
    json.dumps(facts, allow_nan=False)


def test_labels_that_are_numbers_are_saved_as_such(tmp_path: Path) -> None:
    fitted = cr.MLPClassifier((4,), random_state=0, solver="lbfgs", max_iter=2).fit(X, np.arange(60) % 3)
    fitted.model_.metadata["mine"] = 7
    facts = saved_and_loaded(fitted, tmp_path).model_.metadata
    assert facts["classes"] == [0, 1, 2]
    assert facts["class_names"] == ["0", "1", "2"]
    assert facts["mine"] == 7


def test_what_is_not_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        cr.save(cr.MLPRegressor(), tmp_path / "fitted")
    assert list(tmp_path.iterdir()) == []


def in_a_pipeline() -> Pipeline:
    return make_pipeline(StandardScaler(), cr.MLPClassifier((4,), max_iter=2, random_state=0)).fit(X, np.arange(60) % 3)


def in_a_search() -> GridSearchCV:
    network = cr.MLPClassifier((4,), max_iter=2, random_state=0)
    return GridSearchCV(make_pipeline(network), {"mlpclassifier__alpha": [0.1]}, cv=2).fit(X, np.arange(60) % 3)


ONNX = "write a file for ONNX, with the suffix .onnx."
OTHERS = {  # a model, what save says, what export to C says, what state_dict says
    "a pipeline": (
        in_a_pipeline,
        "got Pipeline; write the Pipeline with joblib.dump, or save pipeline[-1].",
        f"got Pipeline; export pipeline[-1] and prepare its rows in C, or {ONNX}",
        "got Pipeline; pass pipeline[-1].model_.",
    ),
    "a search": (
        in_a_search,
        "got GridSearchCV; write the GridSearchCV with joblib.dump, or save search.best_estimator_[-1].",
        f"got GridSearchCV; export search.best_estimator_[-1] and prepare its rows in C, or {ONNX}",
        "got GridSearchCV; pass search.best_estimator_[-1].model_.",
    ),
    "an estimator of another library": (
        lambda: LogisticRegression().fit(X, np.arange(60) % 3),
        "got LogisticRegression; write the LogisticRegression with joblib.dump.",
        f"got LogisticRegression; {ONNX}",
        "got LogisticRegression.",
    ),
    "a trainer": (
        lambda: cr.Trainer(cr.MLP([2, 1]), "squared_error"),
        "got Trainer; save trainer.model.",
        None,
        "got Trainer; pass trainer.model.",
    ),
}


@pytest.mark.parametrize(("make", "save", "export", "state_dict"), OTHERS.values(), ids=OTHERS)
def test_other_models_are_refused_with_the_way_to_their_network(make, save, export, state_dict, tmp_path) -> None:
    model = make()
    with pytest.raises(TypeError, match=re.escape(save)):
        cr.save(model, tmp_path / "model.safetensors")
    with pytest.raises(TypeError, match=re.escape(state_dict)):
        cr.convert.state_dict(model)
    if export is not None:
        with pytest.raises(TypeError, match=re.escape(export)):
            cr.export(model, tmp_path / "model.h")
    assert list(tmp_path.iterdir()) == []


def test_the_network_of_an_estimator_is_named_for_other_libraries() -> None:
    fitted = in_a_pipeline()[-1]
    with pytest.raises(TypeError, match=r"got MLPClassifier; pass estimator\.model_\."):
        cr.convert.state_dict(fitted)
    assert cr.convert.state_dict(fitted.model_)


class Doubtful(cr.MLPClassifier):
    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.9).astype(int)]


class Squared(cr.MLPClassifier):
    def predict_proba(self, X):
        return super().predict_proba(X) ** 2


class Rounded(cr.MLPRegressor):
    def predict(self, X, return_std=False):
        return super().predict(X).round()


class Tuned(cr.MLPClassifier):
    """With other defaults, and the answers of ours."""

    def __init__(self, hidden_layer_sizes=(4,), max_iter=2):
        super().__init__(hidden_layer_sizes, max_iter=max_iter)


@pytest.mark.parametrize("make", [Doubtful, Squared, Rounded])
def test_an_estimator_with_answers_of_its_own_is_not_taken_for_ours(make, tmp_path: Path) -> None:
    fitted = make(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(X, np.arange(60) % 2)
    name = "predict_proba" if make is Squared else "predict"
    says = (
        f"expects an estimator that predicts as ours do, got {make.__name__}, which overrides {name}; pass the network"
    )
    for act in (
        lambda: cr.save(fitted, tmp_path / "fitted"),
        lambda: cr.export(fitted, tmp_path / "fitted.h"),
        lambda: cr.export(fitted, tmp_path / "fitted.onnx"),
        lambda: cr.convert.to_sklearn(fitted),
    ):
        with pytest.raises(TypeError, match=says):
            act()
    assert list(tmp_path.iterdir()) == []


def test_a_class_with_other_defaults_is_taken_for_ours(tmp_path: Path) -> None:
    fitted = Tuned().fit(X, np.arange(60) % 2)
    cr.save(fitted, tmp_path / "fitted")
    again = cr.load(tmp_path / "fitted")
    assert type(again) is cr.MLPClassifier
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(cr.convert.to_sklearn(fitted).predict(X), fitted.predict(X))
