"""What a file may hold of a model: its network, without its user's own code, and JSON facts about the outputs."""

from __future__ import annotations

import sys
from typing import Any

from .._support.checks import sentence
from .._support.overrides import has_own_methods
from ..layers import Layer
from ..layers.base import walk
from ..model import Sequential


def parts_of(model: Any) -> tuple[Sequential, dict[str, Any], dict[str, Any] | None]:
    """Return the network to save, its metadata, and the other facts of a fitted estimator."""
    if isinstance(model, Sequential):
        return model, _checked(model.metadata), None
    if not (is_ours(model) or is_tabular(model)):
        expected = "a Sequential model, or a fitted MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor"
        raise TypeError(sentence("save", expected, type(model).__name__, _way_to_save(model)))
    from sklearn.utils.validation import check_is_fitted

    from ..estimators.base import check_no_own_answers

    check_is_fitted(model)
    check_no_own_answers("save", model)
    if is_tabular(model):
        from ..tabular.estimators import saved as tabular

        return model.model_, _checked(model.model_.metadata), tabular.describe(model)
    from ..estimators import saved

    return model.model_, facts_of(model) | _checked(model.model_.metadata), saved.describe(model)


def estimator_of(described: dict[str, Any], model: Sequential) -> Any:
    """The estimator that ``parts_of`` described; ValueError or TypeError for any other description."""
    name = described.get("class")
    if name in ("TabularClassifier", "TabularRegressor"):
        from ..tabular.estimators import saved as tabular

        return tabular.read(described, model)
    if name in ("MLPClassifier", "MLPRegressor"):
        from ..estimators import saved

        return saved.read(described, model)
    raise ValueError(f"{name!r:.80} for the class of an estimator")


def is_tabular(model: Any) -> bool:
    """Whether it is one of our estimators for tables."""
    tabular = sys.modules.get("chainrule.tabular.estimators")  # it is loaded if there is such an object
    return tabular is not None and isinstance(model, (tabular.TabularClassifier, tabular.TabularRegressor))


def is_ours(model: Any) -> bool:
    """Whether it is an MLPClassifier or MLPRegressor of chainrule."""
    ours = sys.modules.get("chainrule.estimators")  # it is loaded if there is such an object
    return ours is not None and isinstance(model, (ours.MLPClassifier, ours.MLPRegressor))


def where_network_is(model: Any) -> str:
    """The Python expression for the part of a trainer, pipeline or search that can be saved; empty if there is none."""
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
    place, name = where_network_is(model), type(model).__name__
    if isinstance(model, type) or not hasattr(model, "get_params"):
        return f"save {place}" if place else "write save(model, path)"
    return f"write the {name} with joblib.dump" + (f", or save {place}" if place else "")


def _checked(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        raise TypeError(sentence("save", "model.metadata to be a dict", type(metadata).__name__))
    return metadata


def facts_of(estimator: Any) -> dict[str, Any]:
    """Return the facts about the network's inputs and outputs in JSON types."""
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


PREDICTION = ("forward", "predict")
TRAINING = ("backward", "penalty")


def check_no_own_code(who: str, model: Sequential, methods: tuple[str, ...] = PREDICTION) -> None:
    """Raise if the model's class overrides one of these methods, or one was replaced on the model or a layer."""
    changed = next((name for name in methods if getattr(type(model), name) is not getattr(Sequential, name)), None)
    replaced = ["the model"] if has_own_methods(model) else []
    replaced += [f"layer {place.rstrip('.')}" for place, layer in walk(model.layers) if _is_hooked(layer)]
    if changed:
        expected, got = "a network with the methods of Sequential", f"{type(model).__name__}, which overrides {changed}"
    elif replaced:
        expected, got = "methods that belong to a class", f"one that was replaced on {replaced[0]}"
    else:
        return
    remedy = "put what it does into a layer of your own, or do it outside the network"
    raise TypeError(sentence(who, expected, got, remedy))


def _is_hooked(layer: Layer) -> bool:
    """Whether a method was replaced on the layer, or on a layer that is its attribute, such as an activation."""
    return any(map(has_own_methods, (layer, *(value for value in vars(layer).values() if isinstance(value, Layer)))))
