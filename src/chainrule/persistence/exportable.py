"""Models that can be exported: networks and fitted estimators with finite numbers, and without code of their user."""

from __future__ import annotations

from typing import Any

from .._support.checks import check_finite, sentence
from ..model import Sequential
from .columns import first_step, last_step
from .estimators import is_ours
from .own_code import check_no_own_code


def check_model(model: Any) -> None:
    """Raise for any other."""
    network = model if isinstance(model, Sequential) else getattr(last_step(model), "model_", None)
    if isinstance(network, Sequential):
        check_no_own_code("export", network)
        for name, array in {**network.parameters, **network.buffers}.items():
            check_finite("export", name, array)
    if isinstance(model, Sequential):
        return
    if is_ours(last_step(model)):
        from ..estimators.base import check_no_own_answers

        check_no_own_answers("export", last_step(model))
    if not hasattr(model, "get_params"):
        remedy = "write export(model, path)"
        raise TypeError(sentence("export", "a Sequential model or a fitted estimator", type(model).__name__, remedy))
    if not hasattr(model, "predict"):
        raise TypeError(sentence("export", "an estimator that predicts", type(model).__name__))
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except ValueError:
        raise ValueError(sentence("export", "a fitted estimator", f"{model!r}", "fit it first")) from None
    if not hasattr(model, "n_features_in_"):
        got = f"{type(model).__name__}, whose first step is {type(first_step(model)).__name__}"
        remedy = "export the steps that take columns, and do what comes before them outside the file"
        raise ValueError(sentence("export", "a model that takes a table of columns", got, remedy))
