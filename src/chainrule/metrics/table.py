"""The table of all metrics, read when the first of them is named."""

from __future__ import annotations

from .base import Metric
from .classification import accuracy, balanced_accuracy, binary_accuracy, f1_score
from .probability import expected_calibration_error, log_loss, roc_auc_score
from .regression import mean_absolute_error, r2_score, root_mean_squared_error

METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        accuracy,
        balanced_accuracy,
        binary_accuracy,
        expected_calibration_error,
        f1_score,
        log_loss,
        mean_absolute_error,
        r2_score,
        roc_auc_score,
        root_mean_squared_error,
    )
}
