"""What happens around training: the hooks, the record, when it ends, and what is done to the weights besides."""

from __future__ import annotations

from ..._support.errors import StopTraining
from ..state import Row
from .base import Callback, Training
from .ending import EarlyStopping, TerminateOnDivergence, TimeLimit
from .record import History, Progress
from .scheduler import LayerScheduler
from .weights import MaxNorm, WeightAverage

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
