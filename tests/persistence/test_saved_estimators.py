"""Fitted estimators in files: the network, and what stands around it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

import pandas as pd

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")

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
