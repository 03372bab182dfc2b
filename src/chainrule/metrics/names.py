"""Metrics by their names."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .._support.checks import sentence
from .._support.registry import Registry
from .base import Metric

OF_PROBABILITIES = {"threshold": 0.5, "from_logits": False}  # a metric's arguments if the outputs are not logits
OURS = __name__.rpartition(".")[0] + "."


#: The file of each metric, which loads when one of them is first used: a training without metrics needs none.
FILES = {
    "accuracy": "classification",
    "balanced_accuracy": "classification",
    "binary_accuracy": "classification",
    "confusion_matrix": "classification",
    "expected_calibration_error": "probability",
    "f1_score": "classification",
    "log_loss": "probability",
    "mean_absolute_error": "regression",
    "r2_score": "regression",
    "roc_auc_score": "probability",
    "root_mean_squared_error": "regression",
}


def load(name: str) -> Any:
    """The function of this name, from its file."""
    return getattr(importlib.import_module(f"{__package__}.{FILES[name]}"), name)


class _Metrics(Registry[Metric]):
    """Of each the file, until it is asked for."""

    def __getitem__(self, name: str) -> Metric:
        metric: Metric = load(name)
        return metric


METRICS = _Metrics(
    "a metric",
    {name: file for name, file in FILES.items() if name != "confusion_matrix"},  # which is no number
    accepts=callable,
    expected="the name of a metric or a callable",
    elsewhere={
        "auc": "roc_auc_score",
        "ece": "expected_calibration_error",
        "f1": "f1_score",
        "mae": "mean_absolute_error",
        "mse": "root_mean_squared_error",
        "r2": "r2_score",
        "rmse": "root_mean_squared_error",
        "roc_auc": "roc_auc_score",
    },
)

#: The metric of a name; any other callable ``(y_true, y_pred, sample_weight) -> float`` stands for itself.
get_metric: Callable[[str | Metric], Metric] = METRICS.resolve


def named_metrics(metrics: Sequence[str | Metric], taken: Sequence[str] = ()) -> dict[str, Metric]:
    """The metrics by the names of their columns in a History.

    Parameters
    ----------
    metrics : sequence of str or callable
        Names, or functions, which are called by their ``__name__``.
    taken : sequence of str
        Names that no metric may have.

    Returns
    -------
    dict of name to callable
        The metrics.

    Raises
    ------
    ValueError
        If two metrics have one name, or a name is taken.
    """
    named: dict[str, Metric] = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
        if name in named or name in taken:
            remedy = "give the function a name of its own"
            raise ValueError(sentence("Trainer", "metrics of different names", f"another {name!r}", remedy))
        named[name] = get_metric(metric)
    return named


def of_probabilities(metric: Metric) -> Metric:
    """A metric of ours, told that the outputs are probabilities, and no logits; any other as it is."""
    if not getattr(metric, "__module__", "").startswith(OURS):
        return metric
    known = inspect.signature(metric).parameters
    told = {name: value for name, value in OF_PROBABILITIES.items() if name in known}
    return partial(metric, **told) if told else metric
