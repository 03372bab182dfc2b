"""What a trainer does before its loop: it checks the data, and takes its position from the start or a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import is_source, sentence
from .._support.forks import unforked
from ..data.batches import Augmentation, Sample
from ..distributed.serial import Serial
from ..losses import LossFunction
from ..metrics import Metric
from ..model import Sequential
from ..ops.fused import warn_if_absent
from ..optimizers import Optimizer
from .callbacks import Callback, History
from .callbacks.base import CallbackList
from .engine import Parts
from .inputs import Data, Validation, as_data, as_validation, check_targets, own_targets
from .ranks import check_ranks
from .run import Claim, Run
from .settings import settings_of
from .state import Position, TrainingState, watching_schedules

if TYPE_CHECKING:
    from .streaming import Stream


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
    products: str | None
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

    def _data(self, who: str, x: Any, y: Any, sample_weight: Any) -> Data | Stream:
        """Return checked arrays, or a stream of them."""
        if is_source(x):
            if y is not None or sample_weight is not None:
                remedy = "return y and the weights from its read"
                raise TypeError(sentence(who, "a source alone", "y or sample_weight beside it", remedy))
            return self._stream(who, x)
        if y is None:
            raise TypeError(sentence(who, "x and y", "no y", f"write {who}(x, y), or {who}(cr.data.stream(...))"))
        return as_data(who, self.model, x, y, sample_weight)

    def _stream(self, who: str, source: Any) -> Stream:
        with unforked:
            from .streaming import Stream
        return Stream(who, self.model, source)

    def _parts(self) -> Parts:
        parts = self.model, self.loss, self.optimizer, self.rng, self.average_penalty, tuple(self.augment)
        return Parts(*parts, self.communicator, self.products)

    def _begin(self, data: Data | Stream, validation: Validation, epochs: int, claim: Claim) -> Run:
        """Check the data, and set the position and the generators to the start or to the checkpoint."""
        if self.communicator.rank == 0:
            warn_if_absent()
        position = self._position if self._resuming else Position()
        if position.generators_at_first is not None:
            self.state.generators = position.generators_at_first
        position.generators_at_first = self.state.generators
        run = self._run(data, validation, claim)
        self._cut(run, position)
        run.check(position)
        if position.generators is not None:
            self.state.generators = position.generators
        if position.steps is None:  # an old checkpoint
            position.steps = position.epoch * self.steps_per_epoch + len(position.records)
        if position.before is None or not position.resumed:
            position.before = self.optimizer.steps_taken - position.steps
        if not position.resumed:
            self.history = History()
        position.length, position.data_rows = run.rows, None
        if position.first is None or position.first["epochs"] != epochs:  # otherwise keep what training has changed
            self.epochs = epochs
        self._position, self.epoch, self.stop = position, position.epoch, position.stopped
        if any(callback.saves for callback in self.callbacks):
            position.first = (position.first or settings_of(self)) | {"epochs": epochs}
        check_ranks(self.communicator, self.state, training=run.data, validation=run.held_out)
        run.engine()  # also checks the data
        held_out = run.held_out if run.held_out is None or isinstance(run.held_out, tuple) else run.held_out.probe
        check_targets(self.model, self.loss, held_out)  # now, not after an epoch
        self._resuming = False  # if the call was refused, the next one resumes
        return run

    def _run(self, data: Data | Stream, validation: Validation, claim: Claim) -> Run:
        held_out: Any = None
        chosen = None
        if is_source(validation):
            held_out = self._stream("validation", validation)
            if not isinstance(data, tuple):
                data.check_columns(held_out)
        else:
            held_out, chosen = as_validation(data, validation, self.model, self.loss, self.rng)
        if isinstance(data, tuple):
            return Run(self._parts, own_targets(data), chosen, held_out, claim, self._total_steps)
        from .streaming import StreamRun

        return StreamRun(self._parts, data, held_out, claim, self._total_steps)

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
