"""What a fit needs: objects of its own, checked data and batches, a position, and the engine of its steps."""

from __future__ import annotations

import copy
import os
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..data.batches import Augmentation, Batches, Sample
from ..distributed.serial import Serial
from ..losses import LossFunction
from ..metrics import Metric
from ..model import Sequential
from ..optimizers import Optimizer
from .callbacks import Callback, History
from .callbacks.base import CallbackList
from .compiled import CALL_SECONDS, Compiled, compiled_engine
from .engine import Average, Engine, Interpreted, Parts, same, values_of
from .inputs import Data, Targets, Validation, as_validation, check_layers, check_output_fits, check_targets
from .ranks import check_ranks, keep_in_step
from .settings import settings_of
from .state import EpochState, Position, StepRecord, TrainingState, watching_schedules

_HOLDERS: dict[int, weakref.ref[Claim]] = {}  # by the id of an object; an aborted fit holds nothing


class Claim:
    """Holds objects for one fit until the end of the block; rejects objects that another fit holds.

    Errors say that ``who`` expects ``expected``, and advise to copy the ``whole``.
    """

    def __init__(
        self, who: str, expected: str = "a trainer, model and optimizer of its own", whole: str = "Trainer"
    ) -> None:
        self._who, self._expected, self._whole = who, expected, whole
        self._held: list[Any] = []  # a reference, so no other object gets their ids
        self._process = os.getpid()

    def add(self, *objects: Any) -> None:
        mine = weakref.ref(self)
        for thing in objects:
            if _HOLDERS.get(id(thing)) is mine:
                continue
            self._held.append(thing)
            holder = _HOLDERS.setdefault(id(thing), mine)()  # atomic
            if holder is None or holder._process != self._process:  # a parent process's, before a fork
                _HOLDERS[id(thing)], holder = mine, self
            if holder is not self:
                got = f"a {type(thing).__name__} that another fit is using"
                remedy = f"wait for it to end, or train a copy.deepcopy of the {self._whole}"
                raise ValueError(sentence(self._who, self._expected, got, remedy))

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *error: object) -> None:
        for thing in self._held:
            if (holder := _HOLDERS.get(id(thing))) is not None and holder() is self:
                del _HOLDERS[id(thing)]
        self._held = []


class Run:
    """The steps of a fit to data, or to the ``chosen`` rows of them, beside those that are held out for validation.

    ``parts`` returns the current parts of a step, and ``total_steps``, called with whether the optimizer is new, the
    number of steps that it will have taken at the end.
    """

    def __init__(
        self,
        parts: Callable[[], Parts],
        data: Data,
        chosen: Array | None,
        held_out: Data | None,
        claim: Claim,
        total_steps: Callable[[bool], int],
    ) -> None:
        self.failure: str | None = None
        self.held_out = held_out
        self._parts, self._data, self._chosen, self._claim, self._total_steps = parts, data, chosen, claim, total_steps
        self._settings: tuple[Any, ...] = ()
        self._engine: Engine | None = None
        self._targets: Targets | None = None
        self._loss: Any = None  # of the targets
        self._loss_values: list[Any] = []
        self._set_up: list[Any] = []  # the model, and the optimizer that was set up for it
        self._groups: Any = None  # with these groups
        self._planned: list[Any] = []  # for these batches and this total number of steps
        self._together, self._began = 1, 0.0
        check_output_fits(*parts()[:2])  # again: the last layer may have been replaced

    @property
    def rows(self) -> int:
        rows: int = self._data[0].shape[0] if self._chosen is None else len(self._chosen)
        return rows

    def cut(self, size: int | None, drop_last: bool, sample: Sample) -> Batches:
        """Return the batches for these settings, which callbacks may change from epoch to epoch."""
        settings = size, drop_last, sample
        if settings != self._settings:
            rng, chosen = self._parts().rng, self._chosen
            self.batches = Batches(*self._data, size=size, rng=rng, drop_last=drop_last, sample=sample, chosen=chosen)
            self._settings, self._engine = settings, None
        return self.batches

    def begin(self, most: int) -> EpochState:
        """Begin the next epoch, or up to ``most`` epochs that together take a twentieth of a second."""
        now = time.perf_counter()
        if most == 1:
            self._together = 1
        elif self._began and now - self._began < CALL_SECONDS / 2:
            self._together *= 2
        parts = self._parts()
        if parts.communicator.size > 1:
            self._together = keep_in_step(parts.communicator, parts, self._together)
        self._began, self.batches.rng = now, parts.rng
        return self.engine().begin(min(most, self._together))

    def steps(
        self, epoch: EpochState, record_outputs: bool, single_step: bool, average: Average | None
    ) -> Generator[list[StepRecord], None, None]:
        """Take the remaining steps of the epoch, each with the current parts."""
        steps_in_all = epoch.count * len(self.batches)
        while epoch.done < steps_in_all:
            engine = self.engine()
            with closing(engine.steps(epoch, record_outputs, single_step, average)) as steps:
                for records in steps:
                    self.failure = engine.failure
                    yield records
                    if epoch.done < steps_in_all and not self._is_current(self._parts()):
                        break

    def engine(self) -> Engine:
        """Return the engine for the current parts; a new one if something was replaced."""
        parts = self._parts()
        if self._engine is None or not self._is_current(parts):
            self._engine = self._make_engine(parts)
        return self._engine

    def _is_current(self, parts: Parts) -> bool:
        if self._engine is None or not self._engine.obeys(parts) or parts.optimizer.groups != self._groups:
            return False
        return bool(self._planned[-1] == self._total_steps(False))

    def _make_engine(self, parts: Parts) -> Engine:
        model, loss, optimizer = parts[:3]
        self._claim.add(model, optimizer)
        check_layers(model)
        if loss is not self._loss or values_of(loss) != self._loss_values:
            self._targets = check_targets(model, loss, self._data)
            self._loss, self._loss_values = loss, values_of(loss)
        known, new = same(self._set_up, [model, optimizer]), self._set_up != [] and self._set_up[1] is not optimizer
        total = self._total_steps(new)
        plan = [self.batches, total]
        if not known or optimizer.groups != self._groups or plan != self._planned:
            optimizer.setup(model.parameters, total_steps=total)
            self._set_up, self._groups = [model, optimizer], copy.deepcopy(optimizer.groups)
            self._planned = plan
        engine = compiled_engine(parts, self.batches, self._targets)
        if engine is None:
            return Interpreted(parts, self.batches)
        if isinstance(self._engine, Compiled):
            engine.pace = self._engine.pace
        return engine


class Preparation:
    """The attributes of a trainer, and what it does before the loop."""

    model: Sequential
    loss: LossFunction
    optimizer: Optimizer
    batch_size: int | None
    metrics: dict[str, Metric]
    callbacks: list[Callback]
    rng: np.random.Generator
    sample: Sample
    augment: list[Augmentation]
    drop_last: bool
    average_penalty: bool
    communicator: Serial
    epoch: int
    epochs: int
    steps_per_epoch: int
    stop: bool
    history: History
    _position: Position
    _resuming: bool

    @property
    def step(self) -> int:
        """Number of steps taken, including those before a checkpoint."""
        return self._position.steps or 0

    @property
    def resumed(self) -> bool:
        """Whether training was resumed from a checkpoint."""
        return self._position.resumed

    @property
    def seconds(self) -> float:
        """Duration of training in seconds, including the time before a checkpoint."""
        return self._position.elapsed

    @property
    def state(self) -> TrainingState:
        """The complete state by reference: checkpoints write it, and :meth:`resume` restores it."""
        self._position.stopped = self.stop
        rows, position = self.history.rows, self._position
        return TrainingState(self, self.model, self.optimizer, self.callbacks, self.rng, rows, position)

    def _parts(self) -> Parts:
        augment, communicator = tuple(self.augment), self.communicator
        return Parts(self.model, self.loss, self.optimizer, self.rng, self.average_penalty, augment, communicator)

    def _begin(self, data: Data, validation: Validation, epochs: int, claim: Claim) -> Run:
        """Check the data, and set the position and the generators to the start or to the checkpoint."""
        position = self._position if self._resuming else Position()
        if position.generators_at_first is not None:
            self.state.generators = position.generators_at_first
        position.generators_at_first = self.state.generators
        held_out, chosen = as_validation(data, validation, self.model, self.loss, self.rng)
        run = Run(self._parts, data, chosen, held_out, claim, self._total_steps)
        self._cut(run, position)
        position.check(run.batches, run.rows)
        if position.generators is not None:
            self.state.generators = position.generators
        if position.steps is None:  # an old checkpoint
            position.steps = position.epoch * self.steps_per_epoch + len(position.records)
        if position.before is None or not position.resumed:
            position.before = self.optimizer.steps_taken - position.steps
        if not position.resumed:
            self.history = History()
        position.length, position.data_rows, self._resuming = run.rows, None, False
        if position.first is None or position.first["epochs"] != epochs:  # otherwise keep what training has changed
            self.epochs = epochs
        self._position, self.epoch, self.stop = position, position.epoch, position.stopped
        if any(callback.saves for callback in self.callbacks):
            position.first = (position.first or settings_of(self)) | {"epochs": epochs}
        run.engine()  # also checks the data
        check_targets(self.model, self.loss, held_out)  # now, not after an epoch
        check_ranks(self.communicator, self.state, [*run.batches.arrays, *(held_out or ())])
        return run

    def _cut(self, run: Run, position: Position) -> None:
        cut = position.cut
        if position.current is None or cut is None:
            cut = [self.batch_size, self.drop_last, self.sample]
            position.cut = [*cut[:2], self.sample if isinstance(self.sample, str) else "all"]  # as in a file
        self.steps_per_epoch = len(run.cut(*cut))

    def _total_steps(self, new_optimizer: bool) -> int:
        position = self._position
        if new_optimizer:
            position.before = int(self.optimizer.state.get("step", 0)) - self.step
        ahead = (self.epochs - position.epoch) * self.steps_per_epoch
        return (position.before or 0) + self.step - len(position.records) + ahead

    def _epochs_ahead(self, run: Run, callbacks: CallbackList) -> int:
        """Return how many epochs may run in one call: one, if anything needs the end of each."""
        if run.held_out or self.metrics or any(watching_schedules(self.optimizer)):
            return 1
        return int(min(callbacks.epochs_ahead, self.epochs - self._position.epoch))
