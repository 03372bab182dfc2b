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


@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("settings", CLASSIFIERS, ids=str)
def test_the_logits_of_a_saved_classifier_are_those_of_its_probabilities(y, settings, tmp_path: Path) -> None:
    fitted = cr.MLPClassifier((8,), random_state=0, max_iter=3, **settings).fit(X, y)
    cr.save(fitted, tmp_path / "fitted")
    model = cr.load(tmp_path / "fitted")
    z = model.predict(X).astype(np.float64)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) if z.shape[1] == 3 else 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(p, fitted.predict_proba(X)[:, -z.shape[1] :], rtol=1e-4)
    assert model.metadata["class_names"] == [str(label) for label in fitted.classes_]
    assert model.metadata["output_activation"] == fitted.out_activation_


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("loss", [*LOSSES, cr.Quantile([0.25]), cr.Huber(2.0)], ids=repr)
@pytest.mark.parametrize("scale", [False, True])
def test_a_saved_regressor_predicts_the_same_or_is_refused(loss, targets, scale, tmp_path: Path) -> None:
    y = np.abs(X[:, 0]) if targets == 1 else np.abs(X)
    fitted = cr.MLPRegressor(loss, (8,), random_state=0, max_iter=3, scale=scale).fit(X, y)
    try:
        cr.save(fitted, tmp_path / "fitted")
    except ValueError as error:
        said = str(error)
        assert said.startswith(
            "save expects an estimator whose network alone predicts what it does, got MLPRegressor, "
        )
        assert said.endswith(
            "write the estimator with joblib.dump, or with export for others to run, or save estimator.model_."
        )
        assert scale or loss in ("poisson", "gaussian_nll")
        assert list(tmp_path.iterdir()) == []
        return
    expected = fitted.predict(X)
    np.testing.assert_array_equal(cr.load(tmp_path / "fitted").predict(X).reshape(expected.shape), expected)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: cr.MLPClassifier((4,), scale=True, max_iter=2).fit(X, np.arange(60) % 2), "takes X standardised"),
        (lambda: regressor(scale=True), "takes X standardised and gives y standardised"),
        (lambda: regressor(scale=True, loss="poisson"), "takes X standardised and gives the logarithm of y"),
        (lambda: regressor(loss="poisson"), "gives the logarithm of y"),
        (lambda: regressor(loss=cr.PoissonNLL()), "gives the logarithm of y"),
        (lambda: regressor(loss="gaussian_nll"), "gives the logarithm of the variance beside y"),
        (lambda: cr.MLPClassifier((4,), scale=True, max_iter=2).fit(SPARSE, np.arange(60) % 2), "takes X standardised"),
    ],
)
def test_what_an_estimator_does_outside_its_network_is_named(make, says, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f", whose network {says}; write .* joblib.dump, or with export .*, or save"):
        cr.save(make(), tmp_path / "fitted")
    assert list(tmp_path.iterdir()) == []


def regressor(**settings):
    return cr.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0, **settings).fit(X, np.abs(X[:, 0]))


def test_the_network_of_a_scaling_estimator_can_be_saved_by_itself(tmp_path: Path) -> None:
    fitted = regressor(scale=True)
    cr.save(fitted.model_, tmp_path / "network")
    z = cr.load(tmp_path / "network").predict(fitted.scaler_.transform(X))
    np.testing.assert_allclose(fitted.target_scaler_.inverse_transform(z)[:, 0], fitted.predict(X), rtol=1e-5)


def test_the_names_of_the_columns_are_saved(tmp_path: Path) -> None:
    table = pd.DataFrame(X, columns=["height", "weight"])
    cr.save(cr.MLPClassifier((4,), max_iter=2).fit(table, CLASSES["text"]), tmp_path / "fitted")
    facts = cr.load(tmp_path / "fitted").metadata
    assert facts["feature_names"] == ["height", "weight"]
    assert facts["class_names"] == ["heavy", "tall"]
    assert (facts["estimator"], facts["task"]) == ("MLPClassifier", "classification")
    assert "classes" not in facts
    cr.save(regressor(), tmp_path / "fitted")
    facts = cr.load(tmp_path / "fitted").metadata
    assert (facts["task"], facts["feature_names"]) == ("regression", None)
    json.dumps(facts, allow_nan=False)


def test_labels_that_are_numbers_are_saved_as_such(tmp_path: Path) -> None:
    fitted = cr.MLPClassifier((4,), random_state=0, solver="lbfgs", max_iter=2).fit(X, np.arange(60) % 3)
    fitted.model_.metadata["mine"] = 7
    cr.save(fitted, tmp_path / "fitted")
    facts = cr.load(tmp_path / "fitted").metadata
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
    np.testing.assert_array_equal(cr.load(tmp_path / "fitted").predict(X), fitted.model_.predict(X))
    np.testing.assert_array_equal(cr.convert.to_sklearn(fitted).predict(X), fitted.predict(X))
