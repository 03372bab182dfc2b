"""What a fit needs while it runs: the data, their batches, and the engine that takes the steps."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from .._support.checks import Array
from ..data.batches import Batches, Sample
from .claim import Claim
from .compiled import CALL_SECONDS, Compiled, compiled_engine
from .engine import Engine, Parts, same, values_of
from .inputs import Data, Targets, check_layers, check_output_fits, check_targets
from .interpreted import Interpreted
from .state import EpochState, StepRecord


class Run:
    """The steps of a fit.

    Parameters
    ----------
    parts : callable
        Returns the current parts of a step.
    data, chosen : arrays
        The rows, and the numbers of those to train on; None for all.
    held_out : arrays or None
        The rows for validation.
    claim : Claim
        Claim on what the fit changes.
    total_steps : callable ``(new_optimizer) -> int``
        Returns the number of steps that the optimizer will have taken at the end.
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
        """The number of rows to train on."""
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
        self._began, self.batches.rng = now, self._parts().rng
        return self.engine().begin(min(most, self._together))

    def steps(
        self, epoch: EpochState, record_outputs: bool, single_step: bool
    ) -> Generator[list[StepRecord], None, None]:
        """Take the remaining steps of the epoch, each with the current parts."""
        while epoch.done < epoch.count * len(self.batches):
            engine = self.engine()
            with closing(engine.steps(epoch, record_outputs, single_step)) as steps:
                for records in steps:
                    self.failure = engine.failure
                    yield records
                    if not self._is_current(self._parts()):
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
