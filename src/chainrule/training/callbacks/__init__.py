"""What happens around training: the hooks, the record, when it ends, and what is done to the weights beside."""

from __future__ import annotations

from .base import Callback, Row, Training
from .ending import EarlyStopping, TerminateOnDivergence, TimeLimit
from .record import History, Progress
from .weights import MaxNorm, WeightAverage

__all__ = [
    "Callback",
    "EarlyStopping",
    "History",
    "MaxNorm",
    "Progress",
    "Row",
    "TerminateOnDivergence",
    "TimeLimit",
    "Training",
    "WeightAverage",
]
