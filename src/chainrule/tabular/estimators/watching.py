"""Callbacks of the table estimators: the best epoch, the time limit, reports and the end of all members."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from ..._support.checks import Array
from ..._support.errors import StopTraining
from ...runtime.signals import released
from ...schedules import CosLog4
from ...training.callbacks import Callback, Progress, Training
from ...training.callbacks.base import learned
from ...training.state import Row

NEAR = 0.3  # of the peak of the learning rate: below, the weights are settled enough to be scored
ZEROS = (1 / 15, 3 / 15, 7 / 15)  # of the learning rate, as shares of training: the ends of its first three cycles
LEAST_CYCLE = 8  # epochs, fewer may bring nothing by chance
SETTLING = CosLog4(1.0)
LINES = 16
LATE, IDLE = "the time is too short for all", "a network stops after a cycle without improvement"
MARGIN = 0.95  # share of the time left that epochs may use


class BestEpoch(Callback):
    """Score the validation rows near the zeros of the learning rate; restore the best weights at the end.

    Of equals, the last is best.

    Parameters
    ----------
    name : str
        The column of the history.
    score : function
        Computes the current validation error.
    stops : bool
        Whether to stop at the end of a cycle of the learning rate, of 8 epochs or more, that brought no improvement.
    """

    def __init__(self, name: str, score: Callable[[], float], stops: bool) -> None:
        self.name, self.score, self.stops = name, score, stops
        self.best, self.epoch = float("inf"), 0
        self._cycle, self._since, self._improved = 0, 0, False  # the present cycle, and its first epoch
        self._scored = 0  # step
        self._weights: list[Array] = []

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        total = trainer.optimizer.total_steps or 1
        cycle = sum(trainer.step >= zero * total for zero in ZEROS)
        ended = cycle > self._cycle
        if ended or trainer.step >= total or SETTLING(trainer.step, total) < NEAR:
            row[self.name] = self._look(trainer)
        if ended:
            if self.stops and not self._improved and trainer.epoch - self._since >= LEAST_CYCLE:
                trainer.stop = True
            self._cycle, self._since, self._improved = cycle, trainer.epoch, False

    def on_train_end(self, trainer: Training) -> None:
        if trainer.step > self._scored:  # it ended within an epoch, or far from a zero
            self._look(trainer)
        for array, best in zip(learned(trainer.model), self._weights, strict=False):
            array[...] = best

    def _look(self, trainer: Training) -> float:
        """Score the current weights, and keep them if they are the best."""
        with released:
            error = self.score()
        self._scored = trainer.step
        self._improved |= error < self.best
        if error <= self.best:
            self.best, self.epoch = error, trainer.epoch
            self._weights = [array.copy() for array in learned(trainer.model)]
        return error


class Deadline(Callback):
    """Shorten the schedule if training turns out slower than it was planned for ``seconds``, by ``time.monotonic``.

    ``changes`` are pairs, the steps taken and the steps in all from then on, by which :class:`Shortened` repeats them.
    """

    def __init__(self, seconds: float, end: float) -> None:
        self.seconds, self.end = seconds, end
        self.changes: list[tuple[int, int]] = []
        self._began, self._steps = 0.0, sys.maxsize

    def on_train_begin(self, trainer: Training) -> None:
        self._began = time.monotonic()

    def on_pause(self, trainer: Training) -> None:
        total = trainer.optimizer.total_steps or 0
        if trainer.step >= self._steps or (trainer.step < total and not trainer.stop and time.monotonic() > self.end):
            self.changes.append((trainer.step, trainer.step))
            raise StopTraining(f"the time limit of {self.seconds:g} s is over")
        if trainer.epoch == trainer.epochs and 0 < (fits := self._fits(trainer)) < total:
            self._steps = trainer.optimizer.total_steps = fits  # the last epoch is partial
            self.changes.append((trainer.step, fits))

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        fits = -(-self._fits(trainer) // trainer.steps_per_epoch)
        if fits < trainer.epochs and not trainer.stop:
            trainer.epochs = fits
            self.changes.append((trainer.step, fits * trainer.steps_per_epoch))

    def _fits(self, trainer: Training) -> int:
        """Estimate the total number of steps within the time limit."""
        now = time.monotonic()
        left = max(self.end - now, 0) * MARGIN
        return trainer.step + int(trainer.step * left / (now - self._began))


class Shortened(Callback):
    """Shorten the schedule at the same steps as a :class:`Deadline` did."""

    def __init__(self, changes: list[tuple[int, int]]) -> None:
        self.changes, self._steps = changes, dict(changes)

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        steps = self._steps.get(trainer.step)
        if steps and trainer.step % trainer.steps_per_epoch:
            trainer.optimizer.total_steps = steps
            if steps == trainer.step:
                raise StopTraining("the time limit of the plan was over")

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        if steps := self._steps.get(trainer.step):
            trainer.epochs = steps // trainer.steps_per_epoch


class Report(NamedTuple):
    """What a member says of an epoch: its row, how many are left, and if it stops; of its end, no row and no epoch."""

    row: Row | None
    left: int
    stops: bool = False


class Reports(Callback):
    """Tells of each epoch of a member, and ends it when all are to end."""

    def __init__(self, tell: Callable[[Report], None], is_over: Callable[[], bool]) -> None:
        self._tell, self._is_over = tell, is_over

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self._tell(Report(dict(row), 0 if trainer.stop else trainer.epochs - trainer.epoch, trainer.stop))

    def on_pause(self, trainer: Training) -> None:
        if self._is_over():
            raise StopTraining("")


class Lines(Progress):
    """Print a line every few epochs of all members with the time left; on a terminal or in a notebook, a bar too."""

    def __init__(self, members: Sequence[int], epochs: int, seconds: float | None) -> None:
        super().__init__()
        self._left, count = dict.fromkeys(members, epochs), len(members)
        self._all: Any = SimpleNamespace(epoch=0, epochs=count * epochs, steps_per_epoch=1, stop=False)
        self._scores: Row = {}
        self._reasons = [LATE, IDLE]  # for fewer epochs, still to report
        self._began = time.monotonic()
        self.every = max(1, self._all.epochs // LINES)
        self.on_train_begin(self._all)
        if self._out is not None:
            networks = f"{count} networks" if count > 1 else "a network"
            each = f"{epochs} epoch{'s' * (epochs != 1)}"
            print(f"about {seconds or 0:.2g} s: {networks} of {each}", file=self._out, flush=True)

    def tell(self, member: int, report: Report) -> None:
        """Count an epoch of a member."""
        everything, row = self._all, report.row
        if row is not None and report.left < self._left[member] - 1:
            self._explain(IDLE if report.stops else LATE)
        self._left[member] = report.left
        everything.epoch += row is not None
        everything.epochs = everything.epoch + sum(self._left.values())
        if row is None:
            return
        self.on_epoch_begin(everything)
        self.on_batch_end(everything, 0.0)
        self._scores |= {name: value for name, value in row.items() if name.startswith("validation_")}
        left = (time.monotonic() - self._began) / everything.epoch * (everything.epochs - everything.epoch)
        self.on_epoch_end(everything, row | self._scores | {"seconds left": left})

    def _explain(self, reason: str) -> None:
        """Say once why there are fewer epochs in all."""
        if reason in self._reasons and self._out is not None:
            self._reasons.remove(reason)
            (print if self._bar is None else self._bar.write)(f"fewer epochs: {reason}", file=self._out)

    def end(self, reason: str) -> None:
        """Remove the bar; say why training ended early."""
        self._all.history = SimpleNamespace(reason=reason)
        self.on_train_end(self._all)
