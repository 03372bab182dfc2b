"""Callbacks that end training before its last epoch, and the best value of a column of the History."""

from __future__ import annotations

import time
from math import inf, isnan
from typing import Any

import numpy as np

from ..._support.checks import Array, check_integer, check_name, check_number, sentence
from ..._support.errors import DivergenceError, StopTraining
from ..._support.overrides import is_of_package
from ..state import Row
from .base import Callback, Training, copied, learned


class Best:
    """The best value of a column so far and its epoch; the last epoch in a tie.

    Higher is better unless the name of the column ends in "loss" or "error", or the user says so.
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
        if self.monitor in row:
            return row[self.monitor]
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


FIRST = 10  # losses; their mean is the initial loss


class EarlyStopping(Callback):
    """Ends training when a column of the History has not improved for some epochs, and restores the best weights.

    Parameters
    ----------
    monitor : str
        A column of the History: ``"validation_loss"``, ``"loss"``, ``"validation_accuracy"``, ...
    patience : int, >= 1
        Epochs without improvement after which training ends.
    min_delta : float, >= 0
        An improvement must be larger than this.
    higher_is_better : bool or None
        None means True unless the name ends in "loss" or "error".
    restore_best : bool
        Whether to restore the parameters and running statistics of the best epoch; the last one in a tie.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(200, 5)), rng.normal(size=(200, 1))  # nothing to learn
    >>> stopping = cr.callbacks.EarlyStopping(patience=3)
    >>> trainer = cr.Trainer(cr.MLP([5, 64, 1], rng=0), "squared_error", callbacks=[stopping])
    >>> history = trainer.fit(x, y, validation=0.5, epochs=100, verbose=0)
    >>> len(history) == stopping.best_epoch + 3 < 100
    True
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        higher_is_better: bool | None = None,
        restore_best: bool = True,
    ) -> None:
        self.monitor = monitor
        self.patience = check_integer("EarlyStopping", "patience", patience)
        self.min_delta = check_number("EarlyStopping", "min_delta", min_delta, minimum=0)
        self.higher_is_better = higher_is_better
        self.restore_best = restore_best
        self._restart()

    def _restart(self) -> None:
        self._best = Best("EarlyStopping", self.monitor, self.higher_is_better)
        self._mark: float | None = None  # the value to improve on
        self._waited = 0
        self._weights: list[Array] = []

    @property
    def best(self) -> float | None:
        """The best value so far; None before the first epoch."""
        return self._best.value

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best value, counted from 1; None before the first."""
        return self._best.epoch

    @property
    def epochs_ahead(self) -> float:
        """Training cannot end before all of these epochs, if their weights are not needed."""
        return self.patience - self._waited if is_of_package(self) and not self.restore_best else 1

    def on_train_begin(self, trainer: Training) -> None:
        if not trainer.resumed:
            self._restart()

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        if self._best.look(row, trainer.epoch):
            self._weights = copied(learned(trainer.model), self._weights) if self.restore_best else []
        self._waited += 1
        value = self._best.of(row)
        if self._best.gain(value, self._mark) > self.min_delta:
            self._mark, self._waited = value, 0
        if self._waited >= self.patience:
            trainer.stop = True
            restored = f"; the weights of epoch {self.best_epoch} are restored" if self.restore_best else ""
            trainer.history.reason = f"{self.monitor} has not improved for {self._waited} epochs{restored}"

    def on_train_end(self, trainer: Training) -> None:
        for array, best in zip(learned(trainer.model), self._weights, strict=False):
            array[...] = best

    def state(self) -> dict[str, Any]:
        numbers = {"best": self.best, "best_epoch": self.best_epoch, "mark": self._mark, "waited": self._waited}
        return numbers | {"weights": self._weights}

    def load_state(self, state: dict[str, Any]) -> None:
        self._best.value, self._best.epoch = state["best"], state["best_epoch"]
        self._mark, self._waited = state["mark"], state["waited"]
        self._weights = [np.array(array) for array in state["weights"]]


class TerminateOnDivergence(Callback):
    """Raises a DivergenceError when the loss of a batch is far above the initial loss.

    Any non-finite loss raises it anyway. This callback catches divergence before that, or without it: with Adam and a
    learning rate that is far too high, the loss can stay at a million forever.

    Parameters
    ----------
    factor : float, > 1
        Largest loss allowed, in multiples of the initial loss, which is the mean of the first ten.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x, y = np.eye(8), np.arange(8.0)[:, None]
    >>> watch = cr.callbacks.TerminateOnDivergence()
    >>> trainer = cr.Trainer(cr.MLP([8, 4, 1], rng=0), "squared_error", cr.Adam(1e4), batch_size=2, callbacks=[watch])
    >>> try:
    ...     history = trainer.fit(x, y, epochs=100, verbose=0)
    ... except cr.DivergenceError as error:
    ...     print("in epoch", error.epoch, "step", error.step)
    in epoch 1 step 2
    """

    def __init__(self, factor: float = 100.0) -> None:
        self.factor = check_number("TerminateOnDivergence", "factor", factor, above=1)
        self._first: list[float] = []

    def on_train_begin(self, trainer: Training) -> None:
        if not trainer.resumed:
            self._first = []

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        if self._first:
            usual = abs(sum(self._first) / len(self._first))
            if loss > self.factor * usual > 0:
                raise DivergenceError(f"a loss of {loss:.3g}, {loss / usual:.3g} times the first,")
        if len(self._first) < FIRST:
            self._first.append(loss)

    def state(self) -> dict[str, Any]:
        return {"first": list(self._first)}

    def load_state(self, state: dict[str, Any]) -> None:
        self._first = list(state["first"])


class TimeLimit(Callback):
    """Ends training after a time limit, even in the middle of an epoch.

    Parameters
    ----------
    seconds : float, > 0
        The limit in seconds, including the time before a checkpoint that training resumes from.

    Examples
    --------
    >>> import chainrule as cr
    >>> trainer = cr.Trainer(cr.MLP([1, 8, 1], rng=0), "squared_error", callbacks=[cr.callbacks.TimeLimit(0.1)])
    >>> history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=10**9, verbose=0)
    >>> history.interrupted
    True
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = check_number("TimeLimit", "seconds", seconds, above=0)
        self._end = 0.0  # on the monotonic clock

    def on_train_begin(self, trainer: Training) -> None:
        left = self.seconds - (trainer.seconds if trainer.resumed else 0.0)
        self._end = time.monotonic() + left
        self._check(left <= 0)

    def on_pause(self, trainer: Training) -> None:
        self._check(time.monotonic() > self._end)

    def _check(self, over: bool) -> None:
        if over:
            raise StopTraining(f"the time limit of {self.seconds:g} s is over")
