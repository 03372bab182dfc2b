"""The network of a fitted estimator, and as JSON what stands around it: classes, names, scaling."""

from __future__ import annotations

import sys
from typing import Any

from .._support.checks import sentence
from .._support.notices import warn
from ..model import Sequential


def network_and_facts(model: Any) -> tuple[Sequential, dict[str, Any]]:
    """The network that a file holds, and its metadata; ``model`` is a Sequential or a fitted estimator."""
    if isinstance(model, Sequential):
        return model, _checked(model.metadata)
    ours = sys.modules.get("chainrule.estimators")  # whoever has an estimator has imported them
    if ours is None or not isinstance(model, (ours.MLPClassifier, ours.MLPRegressor)):
        expected = "a Sequential model, or a fitted MLPClassifier or MLPRegressor of chainrule"
        raise TypeError(sentence("save", expected, type(model).__name__, _way_to_save(model)))
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    _tell_of_scaling(model)
    return model.model_, facts_of(model) | _checked(model.model_.metadata)


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


def _tell_of_scaling(estimator: Any) -> None:
    """Warn of what the network alone does not do: it answers rows as they are with other numbers, and no error."""
    outside = ["takes X standardised"] if estimator.scaler_ is not None else []
    if getattr(estimator, "target_scaler_", None) is not None:
        outside.append("gives y standardised")
    if outside:
        warn(
            f"save keeps the network of {type(estimator).__name__} alone, which {' and '.join(outside)}: load gives a "
            "model that does not scale. For a file that takes rows as they are, use joblib.dump or export."
        )


def _checked(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        raise TypeError(sentence("save", "model.metadata to be a dict", type(metadata).__name__))
    return metadata


def facts_of(estimator: Any) -> dict[str, Any]:
    """All that a prediction needs besides the network, as JSON holds it."""
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
    facts["scaling"] = _scaling(estimator.scaler_)
    if facts["task"] == "regression":
        facts["target_scaling"] = _scaling(estimator.target_scaler_)
    return facts | {"output_activation": estimator.out_activation_}


def _scaling(scaler: Any) -> dict[str, Any] | None:
    """Of scikit-learn's StandardScaler; one without a mean only divides."""
    if scaler is None:
        return None
    return {"mean": scaler.mean_.tolist() if scaler.with_mean else None, "scale": scaler.scale_.tolist()}
