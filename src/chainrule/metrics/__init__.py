"""Metrics: one number that says how good the outputs are; to be read, not differentiated.

``metric(y_true, y_pred, sample_weight=None)``, in the order of scikit-learn and Keras, takes the targets as the loss
takes them, the outputs (N, K) as the network gives them, and weights (N,). (A loss takes the outputs first.) Empty
batches, shapes that do not match, NaN, weights below 0 and weights all 0 raise ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import Metric as Metric
from .names import FILES, METRICS, get_metric, load, named_metrics

if TYPE_CHECKING:
    from .classification import *  # noqa: F403
    from .probability import *  # noqa: F403
    from .regression import *  # noqa: F403

__all__ = ["METRICS", "get_metric", "named_metrics"]
__all__ += FILES
__all__.sort()


def __getattr__(name: str) -> Any:
    if name in FILES:
        return load(name)
    raise AttributeError(f"module 'chainrule.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
