"""What the steps of a fit need: objects of its own, checked data and batches, and an engine."""

from __future__ import annotations

import copy
import os
import time
import weakref
from collections.abc import Callable, Generator, Mapping, Sized
from contextlib import closing
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..data.batches import Batches, Sample
from ..metrics import Metric
from .compiled import CALL_SECONDS, Compiled, compiled_engine, without_plan
from .engine import Average, Engine, Interpreted, Parts, same, values_of
from .inputs import Data, Targets, check_layers, check_output_fits, check_targets
from .ranks import keep_in_step
from .state import EpochState, Position, StepRecord

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
        held_out: Any,
        claim: Claim,
        total_steps: Callable[[bool], int],
    ) -> None:
        self.failure: str | None = None
        self.held_out = held_out
        self._parts, self._data, self._chosen, self._claim, self._total_steps = parts, data, chosen, claim, total_steps
        self._settings: tuple[Any, ...] = ()
        self._engine: Engine | None = None
        self._made_for: Batches | None = None
        self._targets: Targets | None = None
        self._loss: Any = None  # of the targets
        self._loss_values: list[Any] = []
        self._set_up: list[Any] = []  # the model, and the optimizer that was set up for it
        self._groups: Any = None  # with these groups
        self._planned: list[Any] = []  # for batches of these settings and this total number of steps
        self._together, self._began = 1, 0.0
        check_output_fits(*parts()[:2])  # again: the last layer may have been replaced

    @property
    def data(self) -> Any:
        """The rows to train on, with those held out: arrays, or the stream that gives them."""
        return tuple(self.batches.arrays)

    @property
    def rows(self) -> int:
        rows: int = self._data[0].shape[0] if self._chosen is None else len(self._chosen)
        return rows

    def check(self, position: Position) -> None:
        """Raise unless the position, which may come from a file, is one of a training on these data."""
        position.check(self.rows, self.batches.rows)
        if position.current is not None:
            position.current.check(self.batches)

    def cut(self, size: int | None, drop_last: bool, sample: Sample) -> Sized:
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
        epochs = keep_in_step(parts, min(most, self._together))
        self._began, self.batches.rng = now, parts.rng
        return self.engine().begin(epochs)

    def steps(
        self, epoch: EpochState, metrics: Mapping[str, Metric], single_step: bool, average: Average | None
    ) -> Generator[list[StepRecord], None, None]:
        """Take the remaining steps of the epoch, each with the current parts; record outputs if there are metrics."""
        steps_in_all = epoch.count * len(self.batches)
        while epoch.done < steps_in_all:
            engine = self.engine()
            with closing(engine.steps(epoch, bool(metrics), single_step, average)) as steps:
                for records in steps:
                    self.failure = engine.failure
                    yield records
                    if epoch.done < steps_in_all and not self._is_current(self._parts()):
                        break

    def rows_at(self, epoch: EpochState, step: int) -> tuple[list[Array], Array, Array]:
        """Return the arrays, the places of a step's rows in them, and their numbers in the data.

        The count of steps continues over several epochs.
        """
        batches = self.batches
        count, step = divmod(step, len(batches))
        start = step * batches.size
        rows = np.arange(start, min(start + batches.size, batches.rows))
        rows = rows if epoch.order is None else epoch.order[count * batches.rows + rows]
        return batches.arrays, rows, rows

    def some(self) -> Data:
        """Return rows for advice."""
        return self._data

    def engine(self) -> Engine:
        """Return the engine for the current parts; a new one if something was replaced."""
        parts = self._parts()
        if self._engine is None or not self._is_current(parts):
            self._engine = self._make_engine(parts)
        return self._engine

    def _is_current(self, parts: Parts) -> bool:
        if self._engine is None or self._made_for is not self.batches or not self._engine.obeys(parts):
            return False
        if parts.optimizer.groups != self._groups:
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
        plan = [self._settings, total]
        if not known or optimizer.groups != self._groups or plan != self._planned:
            optimizer.setup(model.parameters, total_steps=total)
            self._set_up, self._groups = [model, optimizer], copy.deepcopy(optimizer.groups)
            self._planned = plan
        self._made_for = self.batches
        engine = compiled_engine(parts, self.batches, self._targets)
        if engine is None:
            if parts.products is not None and (why := without_plan(parts, self.batches)):
                raise ValueError(why)
            return Interpreted(parts, self.batches)
        if isinstance(self._engine, Compiled):
            engine.pace = self._engine.pace
        return engine
