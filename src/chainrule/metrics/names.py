"""Metrics by their names."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial

from .._support.checks import resolve, sentence
from .base import Metric

OF_PROBABILITIES = {"threshold": 0.5, "from_logits": False}  # what a metric is told where the outputs are no logits
OURS = __name__.rpartition(".")[0] + "."


def get_metric(metric: str | Metric) -> Metric:
    """The metric of this name; any other callable ``(y_true, y_pred, sample_weight) -> float`` as it is.

    Raises
    ------
    ValueError
        If no metric has this name; the message suggests the nearest.
    TypeError
        If ``metric`` is neither a name nor callable.

    Examples
    --------
    >>> from chainrule.metrics import get_metric
    >>> get_metric("accuracy").__name__
    'accuracy'
    """
    from .table import METRICS  # with all families, for those who name one

    found: Metric = resolve("get_metric", "a metric", metric, METRICS)
    if not callable(found):
        raise TypeError(sentence("get_metric", "the name of a metric or a callable", repr(metric)))
    return found


def named_metrics(metrics: Sequence[str | Metric], taken: Sequence[str] = ()) -> dict[str, Metric]:
    """The metrics by the names of their columns in a History, each its own and none of those that are taken."""
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
