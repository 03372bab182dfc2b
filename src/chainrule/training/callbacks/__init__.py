"""What happens around training: hooks, the record, early ends, and changes to the weights between steps."""

from ..._support.errors import StopTraining
from ..state import Row
from .base import Callback, Training
from .ending import EarlyStopping, TerminateOnDivergence, TimeLimit
from .record import History, Progress
from .weights import LayerScheduler, MaxNorm, WeightAverage

__all__ = [
    "Callback",
    "EarlyStopping",
    "History",
    "LayerScheduler",
    "MaxNorm",
    "Progress",
    "Row",
    "StopTraining",
    "TerminateOnDivergence",
    "TimeLimit",
    "Training",
    "WeightAverage",
]
