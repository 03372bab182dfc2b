"""The best value of a column of the History, and improvements on it."""

from __future__ import annotations

from math import inf, isnan
from typing import Any

from ..._support.checks import check_name, sentence
from ..state import Row


class Best:
    """The best value of a column so far and its epoch; the last epoch in a tie.

    Parameters
    ----------
    who : str
        The callback that errors name.
    monitor : str
        A column of the History.
    higher_is_better : bool or None
        None means True unless the name ends in "loss" or "error".
    """

    def __init__(self, who: str, monitor: Any, higher_is_better: bool | None = None) -> None:
        if not isinstance(monitor, str):
            remedy = "such as 'validation_loss'; pass numbers by name, such as patience=10"
            raise TypeError(sentence(who, "the name of a column in monitor", repr(monitor), remedy))
        self.who, self.monitor = who, monitor
        self.higher = not monitor.endswith(("loss", "error")) if higher_is_better is None else higher_is_better
        self.value: float | None = None
        self.epoch: int | None = None

    def of(self, row: Row) -> float:
        """Return the monitored number."""
        if self.monitor.startswith("val") and not any(name.startswith("validation_") for name in row):
            got, remedy = "no validation rows", "pass validation=0.1 to fit, or monitor another column"
            raise ValueError(sentence(self.who, f"the column {self.monitor!r} of the History", got, remedy))
        return row[check_name(self.who, "a column", self.monitor, row)]

    def gain(self, value: float, over: float | None) -> float:
        """Return how much better ``value`` is than ``over``; any value beats None, and any number beats NaN."""
        if over is None:
            return inf
        if isnan(over) or isnan(value):
            return -inf if isnan(value) else inf
        return value - over if self.higher else over - value

    def look(self, row: Row, epoch: int) -> bool:
        """Return whether this epoch is the best so far, and remember it if so."""
        value = self.of(row)
        best = self.gain(value, self.value) >= 0
        if best:
            self.value, self.epoch = value, epoch
        return best
