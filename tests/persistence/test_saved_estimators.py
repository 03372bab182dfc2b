"""Fitted estimators in files: the network, and what stands around it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr

pytestmark = [
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

X = np.random.default_rng(0).normal(3, 2, size=(60, 2))


def scaled(x: np.ndarray, scaling: dict | None) -> np.ndarray:
    if scaling is None:
        return x
    return (x - (0 if scaling["mean"] is None else np.array(scaling["mean"]))) / np.array(scaling["scale"])


def test_a_classifier_is_saved_with_its_classes_names_and_scaling(tmp_path: Path) -> None:
    table = pd.DataFrame(X, columns=["height", "weight"])
    labels = np.where(X[:, 0] > X[:, 1], "tall", "heavy")
    fitted = cr.MLPClassifier((8,), scale=True, random_state=0, max_iter=5, solver="lbfgs").fit(table, labels)
    with pytest.warns(
        UserWarning, match="save keeps the network of MLPClassifier alone, which takes X standardised: load gives"
    ):
        cr.save(fitted, tmp_path / "fitted")
    model = cr.load(tmp_path / "fitted")
    facts = model.metadata
    assert facts["class_names"] == ["heavy", "tall"]
    assert facts["feature_names"] == ["height", "weight"]
    assert (facts["estimator"], facts["task"]) == ("MLPClassifier", "classification")
    assert facts["output_activation"] == "logistic"
    assert "classes" not in facts
    z = model.predict(scaled(X, facts["scaling"]))[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), fitted.predict_proba(table)[:, 1], rtol=1e-4)


def test_a_regressor_is_saved_with_both_its_scalings(tmp_path: Path) -> None:
    fitted = cr.MLPRegressor(hidden_layer_sizes=(8,), scale=True, random_state=0, max_iter=50, solver="lbfgs").fit(
        X, 1000 * X[:, 0]
    )
    with pytest.warns(UserWarning, match="alone, which takes X standardised and gives y standardised: load"):
        cr.save(fitted, tmp_path / "fitted")
    facts = cr.load(tmp_path / "fitted").metadata
    z = cr.load(tmp_path / "fitted").predict(scaled(X, facts["scaling"]))[:, 0]
    target = facts["target_scaling"]
    np.testing.assert_allclose(z * target["scale"][0] + target["mean"][0], fitted.predict(X), rtol=1e-4)
    assert facts["feature_names"] is None
    json.dumps(facts, allow_nan=False)


def test_labels_that_are_numbers_are_saved_as_such(tmp_path: Path) -> None:
    fitted = cr.MLPClassifier((4,), random_state=0, solver="lbfgs", max_iter=2).fit(X, np.arange(60) % 3)
    fitted.model_.metadata["mine"] = 7
    cr.save(fitted, tmp_path / "fitted")
    facts = cr.load(tmp_path / "fitted").metadata
    assert facts["classes"] == [0, 1, 2]
    assert facts["class_names"] == ["0", "1", "2"]
    assert facts["scaling"] is None
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
        cr.state_dict(model)
    if export is not None:
        with pytest.raises(TypeError, match=re.escape(export)):
            cr.export(model, tmp_path / "model.h")
    assert list(tmp_path.iterdir()) == []


def test_the_network_of_an_estimator_is_named_for_other_libraries() -> None:
    fitted = in_a_pipeline()[-1]
    with pytest.raises(TypeError, match=r"got MLPClassifier; pass estimator\.model_\."):
        cr.state_dict(fitted)
    assert cr.state_dict(fitted.model_)
