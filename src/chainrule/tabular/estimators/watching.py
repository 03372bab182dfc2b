"""What watches a training: the best epoch, the time that is left, and the lines that a user sees."""

from __future__ import annotations

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
MARGIN = 0.95  # of the time that is left, for epochs


class BestEpoch(Callback):
    """Scores the validation rows after each epoch, and returns to the weights of the best, of the last if several are.

    Parameters
    ----------
    name : the column of the history
    score : the error of the validation rows, by what the model holds
    stops : whether training ends once epoch > 3 · the last that was better + 40
    """

    def __init__(self, name: str, score: Callable[[], float], stops: bool) -> None:
        self.name, self.score, self.stops = name, score, stops
        self.best, self.epoch = float("inf"), 0
        self._better = 0  # the last epoch that was better than those before
        self._weights: list[Array] = []

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        with released:
            error = self.score()
        row[self.name] = error
        if error < self.best:
            self._better = trainer.epoch
        if error <= self.best:
            self.best, self.epoch = error, trainer.epoch
            self._weights = [array.copy() for array in learned(trainer.model)]
        if self.stops and trainer.epoch > PATIENCE * self._better + SPARE_EPOCHS:
            trainer.stop = True

    def on_train_end(self, trainer: Training) -> None:
        for array, best in zip(learned(trainer.model), self._weights, strict=False):
            array[...] = best


class Deadline(Callback):
    """Fits the number of epochs, and with it the schedule, to the time that is left, by the epochs that there were.

    Parameters
    ----------
    seconds : the time limit
    began : when it began, by ``time.monotonic``
    """

    def __init__(self, seconds: float, began: float) -> None:
        self.seconds, self.end = seconds, began + seconds
        self._most, self._began = 0, 0.0

    def on_train_begin(self, trainer: Training) -> None:
        self._most, self._began = trainer.epochs, time.monotonic()

    def on_pause(self, trainer: Training) -> None:
        now = time.monotonic()
        if now > self.end:
            raise StopTraining(f"the time limit of {self.seconds:g} s is over")
        if 0 < trainer.step < trainer.steps_per_epoch:  # not even one epoch, perhaps
            steps = trainer.step + int(trainer.step * (self.end - now) / (now - self._began) * MARGIN)
            if steps < trainer.steps_per_epoch:
                trainer.optimizer.total_steps = steps

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        now = time.monotonic()
        each = (now - self._began) / trainer.epoch
        fits = trainer.epoch + int(max(self.end - now, 0) * MARGIN / each)
        grows = fits > 1.1 * trainer.epochs and 2 * trainer.epoch < trainer.epochs
        if fits < trainer.epochs or grows:
            trainer.epochs = min(fits, self._most)


class Lines(Progress):
    """A line for every few epochs, with the time that is left; on a terminal or in a notebook a bar, too."""

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self.every = max(1, trainer.epochs // LINES)
        left = trainer.seconds / trainer.epoch * (trainer.epochs - trainer.epoch)
        super().on_epoch_end(trainer, row | {"seconds left": left})
