"""The network of a fitted estimator, and as JSON what is known of its answers: classes and names."""

from __future__ import annotations

import sys
from typing import Any

from .._support.checks import sentence
from ..losses import GaussianNLL, PoissonNLL
from ..model import Sequential

TABULAR = ("TabularClassifier", "TabularRegressor")


def parts_of(model: Any) -> tuple[Sequential, dict[str, Any], dict[str, Any] | None]:
    """The network that a file holds, its metadata, and of a fitted estimator all that it knows besides."""
    if isinstance(model, Sequential):
        return model, _checked(model.metadata), None
    if is_tabular(model):
        from sklearn.utils.validation import check_is_fitted

        from ..estimators.base import check_no_own_answers
        from ..tabular.estimators.description import describe

        check_is_fitted(model)
        check_no_own_answers("save", model)
        return model.model_, _checked(model.model_.metadata), describe(model)
    if not is_ours(model):
        expected = "a Sequential model, or a fitted MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor"
        raise TypeError(sentence("save", expected, type(model).__name__, _way_to_save(model)))
    from sklearn.utils.validation import check_is_fitted

    from ..estimators.base import check_no_own_answers

    check_is_fitted(model)
    check_no_own_answers("save", model)
    _check_network_alone(model)
    return model.model_, facts_of(model) | _checked(model.model_.metadata), None


def estimator_of(described: dict[str, Any], model: Sequential) -> Any:
    """The estimator that ``parts_of`` described; ValueError or TypeError for any other description."""
    if described.get("class") in TABULAR:
        from ..tabular.estimators.description import read

        return read(described, model)
    raise ValueError(f"{described.get('class')!r:.80} for the class of an estimator")


def is_tabular(model: Any) -> bool:
    """Whether it is one of our estimators for tables."""
    tabular = sys.modules.get("chainrule.tabular.estimators")  # whoever has one has imported them
    return tabular is not None and isinstance(model, (tabular.TabularClassifier, tabular.TabularRegressor))


def is_ours(model: Any) -> bool:
    """Whether it is one of our two estimators."""
    ours = sys.modules.get("chainrule.estimators")  # whoever has one has imported them
    return ours is not None and isinstance(model, (ours.MLPClassifier, ours.MLPRegressor))


def where_network_is(model: Any) -> str:
    """The part of a trainer, pipeline or search that a file can hold, as Python writes it; empty if there is none."""
    if isinstance(getattr(model, "model", None), Sequential):
        return "trainer.model"
    if not hasattr(model, "get_params"):
        return ""
    place, inner = "", model
    while getattr(inner, "steps", None) or hasattr(inner, "best_estimator_"):
        if hasattr(inner, "best_estimator_"):
            place, inner = f"{place or 'search'}.best_estimator_", inner.best_estimator_
        else:
            place, inner = f"{place or 'pipeline'}[-1]", inner.steps[-1][1]
    return (place or "estimator") if isinstance(getattr(inner, "model_", None), Sequential) else ""


def _way_to_save(model: Any) -> str:
    """What to do with a model that is none of ours."""
    place, name = where_network_is(model), type(model).__name__
    if isinstance(model, type) or not hasattr(model, "get_params"):
        return f"save {place}" if place else "write save(model, path)"
    return f"write the {name} with joblib.dump" + (f", or save {place}" if place else "")


def _check_network_alone(estimator: Any) -> None:
    """Raise if the network, which is all that load gives, answers the same rows with other numbers."""
    loss = getattr(estimator, "_loss", None)
    outside = {
        "takes X standardised": estimator.scaler_ is not None,
        "gives y standardised": getattr(estimator, "target_scaler_", None) is not None,
        "gives the logarithm of y": isinstance(loss, PoissonNLL),
        "gives the logarithm of the variance beside y": isinstance(loss, GaussianNLL),
    }
    if found := [what for what, is_so in outside.items() if is_so]:
        expected = "an estimator whose network alone predicts what it does"
        got = f"{type(estimator).__name__}, whose network {' and '.join(found)}"
        remedy = "write the estimator with joblib.dump, or with export for others to run, or save estimator.model_"
        raise ValueError(sentence("save", expected, got, remedy))


def _checked(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        raise TypeError(sentence("save", "model.metadata to be a dict", type(metadata).__name__))
    return metadata


def facts_of(estimator: Any) -> dict[str, Any]:
    """What is to be known of the network's inputs and outputs, as JSON holds it."""
    facts: dict[str, Any] = {"estimator": type(estimator).__name__}
    if hasattr(estimator, "classes_"):
        labels = estimator.classes_.tolist()
        facts |= {"task": "classification", "class_names": [str(label) for label in labels]}
        if not all(isinstance(label, str) for label in labels):
            facts["classes"] = labels  # themselves, not their names
    else:
        facts["task"] = "regression"
    names = getattr(estimator, "feature_names_in_", None)
    facts["feature_names"] = None if names is None else [str(name) for name in names]
    return facts | {"output_activation": estimator.out_activation_}
