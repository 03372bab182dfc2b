"""What happens around training: records, when it ends, checkpoints, averages of weights, logs of other programs."""

from .training.callbacks import (
    Callback,
    EarlyStopping,
    History,
    LayerScheduler,
    MaxNorm,
    Progress,
    StopTraining,
    TerminateOnDivergence,
    TimeLimit,
    WeightAverage,
)
from .training.callbacks.logs import CSVLog, MLflow, TensorBoard
from .training.checkpoint import Checkpoint

__all__ = [
    "CSVLog",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "LayerScheduler",
    "MLflow",
    "MaxNorm",
    "Progress",
    "StopTraining",
    "TensorBoard",
    "TerminateOnDivergence",
    "TimeLimit",
    "WeightAverage",
]
