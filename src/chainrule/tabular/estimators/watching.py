"""Callbacks of the table estimators: best epoch, time limit, and progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from ..._support.checks import Array
from ..._support.errors import StopTraining
from ...runtime.signals import released
from ...training.callbacks import Callback, Progress, Training
from ...training.callbacks.base import learned
from ...training.state import Row

PATIENCE, SPARE_EPOCHS = 3, 40
LINES = 16
MARGIN = 0.95  # share of the time left that epochs may use


class BestEpoch(Callback):
    """Score the validation rows after each epoch, and restore the best weights at the end; of equals, the last.

    Parameters
    ----------
    name : str
        The column of the history.
    score : function
        Computes the current validation error.
    stops : bool
        Whether to stop once epoch > 3 b + 40, where b is the last epoch that improved.
    """

    def __init__(self, name: str, score: Callable[[], float], stops: bool) -> None:
        self.name, self.score, self.stops = name, score, stops
        self.best, self.epoch = float("inf"), 0
        self._better = self._scored = 0  # the last epoch that improved; the last step scored
        self._weights: list[Array] = []

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        row[self.name] = self._look(trainer)
        if self.stops and trainer.epoch > PATIENCE * self._better + SPARE_EPOCHS:
            trainer.stop = True

    def on_train_end(self, trainer: Training) -> None:
        if trainer.step > self._scored:  # the time limit was reached within an epoch
            self._look(trainer)
        for array, best in zip(learned(trainer.model), self._weights, strict=False):
            array[...] = best

    def _look(self, trainer: Training) -> float:
        """Score the current weights, and keep them if they are the best."""
        with released:
            error = self.score()
        self._scored = trainer.step
        if error < self.best:
            self._better = trainer.epoch
        if error <= self.best:
            self.best, self.epoch = error, trainer.epoch
            self._weights = [array.copy() for array in learned(trainer.model)]
        return error


class Deadline(Callback):
    """Fit the number of steps, and so the schedule, to the time left, by the speed so far.

    Parameters
    ----------
    seconds : float
        The time limit.
    began : float
        The start, by ``time.monotonic``.
    """

    def __init__(self, seconds: float, began: float) -> None:
        self.seconds, self.end = seconds, began + seconds
        self._most, self._began, self._steps = 0, 0.0, sys.maxsize

    def on_train_begin(self, trainer: Training) -> None:
        self._most, self._began = trainer.epochs, time.monotonic()

    def on_pause(self, trainer: Training) -> None:
        if time.monotonic() > self.end or trainer.step >= self._steps:
            raise StopTraining(f"the time limit of {self.seconds:g} s is over")
        if trainer.epoch == trainer.epochs and 0 < (fits := self._fits(trainer)) < (trainer.optimizer.total_steps or 0):
            self._steps = trainer.optimizer.total_steps = fits  # the last epoch is partial

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        fits = -(-self._fits(trainer) // trainer.steps_per_epoch)
        grows = fits > 1.1 * trainer.epochs and 2 * trainer.epoch < trainer.epochs
        if fits < trainer.epochs or grows:
            trainer.epochs = min(fits, self._most)

    def _fits(self, trainer: Training) -> int:
        """Estimate the total number of steps within the time limit."""
        now = time.monotonic()
        left = max(self.end - now, 0) * MARGIN
        return trainer.step + int(trainer.step * left / (now - self._began))


class Lines(Progress):
    """Print a line every few epochs with the time left; on a terminal or in a notebook, show a bar too."""

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self.every = max(1, trainer.epochs // LINES)
        left = trainer.seconds / trainer.epoch * (trainer.epochs - trainer.epoch)
        super().on_epoch_end(trainer, row | {"seconds left": left})
