"""Metrics: one number that says how good the outputs are; to be read, not differentiated.

``metric(y_true, y_pred, sample_weight=None)``, in the order of scikit-learn and Keras, takes the targets as the loss
takes them, the outputs (N, K) as the network gives them, and weights (N,). (A loss takes the outputs first.) Empty
batches, shapes that do not match, NaN, weights below 0 and weights all 0 raise ValueError.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .base import Metric as Metric
from .names import get_metric, named_metrics

if TYPE_CHECKING:
    from .classification import accuracy, balanced_accuracy, binary_accuracy, confusion_matrix, f1_score
    from .probability import expected_calibration_error, log_loss, roc_auc_score
    from .regression import mean_absolute_error, r2_score, root_mean_squared_error
    from .table import METRICS

__all__ = [
    "METRICS",
    "accuracy",
    "balanced_accuracy",
    "binary_accuracy",
    "confusion_matrix",
    "expected_calibration_error",
    "f1_score",
    "get_metric",
    "log_loss",
    "mean_absolute_error",
    "named_metrics",
    "r2_score",
    "roc_auc_score",
    "root_mean_squared_error",
]

# Each family loads when one of it is first used: a training without metrics needs none.
_LAZY = {
    "METRICS": "table",
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


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'chainrule.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
