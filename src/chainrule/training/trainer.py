"""The training loop, readable on one screen, and what it needs around it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import RandomState, check_integer
from .._support.errors import DivergenceError, Elsewhere, StopTraining
from .._support.forks import unforked
from ..data.batches import Augmentation, Sample
from ..losses import LossFunction
from ..metrics import Metric
from ..model import Sequential
from ..ops.fused import warn_if_absent
from ..optimizers import Optimizer
from ..runtime.signals import atomic, deferred, deliver, released
from .callbacks import Callback, History, Progress, Row
from .callbacks.callback_list import CallbackList
from .claim import Claim
from .engine import Parts
from .evaluation import evaluated, rows_of_epochs
from .inputs import CHECKS, Data, Validation, as_data, as_validation, check_targets, own_targets
from .run import Run
from .settings import settings_of
from .state import EpochState, Position, StepRecord, TrainingState, watching_schedules

if TYPE_CHECKING:
    from .divergence import Rollback


class Trainer:
    """Fits a model to data by batches: forward, loss, backward, step.

        L(θ) = Σₙ wₙ l(f(xₙ; θ), yₙ) / Σₙ wₙ + P(θ)          θ ← optimizer(θ, ∂L/∂θ)

    over the rows n of a batch, where w are their weights (1 if there are none, times the loss's class weights) and P is
    the sum of the layers' penalties. With ``average_penalty`` it is

        L(θ) = (Σₙ wₙ l(f(xₙ; θ), yₙ) + P(θ)) / Σₙ wₙ

    Parameters
    ----------
    model : :class:`~chainrule.Sequential`
    loss : name ("cross_entropy", "squared_error", ...), loss object, or any callable ``(z, y, weight) -> (value, dz)``
    optimizer : name ("adam", "sgd", ...) or optimizer object
    batch_size : int, or None for the full batch
    metrics : names ("accuracy", ...) or callables ``(y_true, y_pred, sample_weight) -> float``, recorded after each
        epoch
    callbacks : :class:`~chainrule.Callback` objects
    rng : int, Generator or None for the order of batches; None takes the model's generator
    sample : "all", "one" random batch an epoch, or a function ``sample(rows) -> array (rows,)`` of the row numbers of
        the next epoch in their order, as for :func:`~chainrule.batches`: ``np.arange`` leaves the rows where they are.
        It is called once an epoch, for several short epochs ahead
    drop_last : bool, leave out a last short batch
    average_penalty : bool, divide P by Σₙ wₙ too, as scikit-learn's MLP does (its ``alpha`` is 2 ``l2``)
    augment : functions ``(x, y, rng) -> (x, y)``, each of which changes the batches of training in turn, as
        :class:`~chainrule.data.MixUp` and :class:`~chainrule.data.RandomDistortion` do

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(256, 2))
    >>> y = (x[:, 0] * x[:, 1] > 0).astype(int)
    >>> trainer = cr.Trainer(cr.MLP([2, 32, 2], rng=0), "cross_entropy", cr.Adam(0.01), metrics=["accuracy"])
    >>> history = trainer.fit(x, y, epochs=30, verbose=0)
    >>> trainer.evaluate(x, y)["accuracy"] > 0.95
    True

    Rows in an order of your own:

    >>> bootstrap = lambda rows: rng.integers(0, rows, rows)
    >>> trainer = cr.Trainer(cr.MLP([2, 32, 2], rng=0), "cross_entropy", sample=bootstrap)
    >>> len(trainer.fit(x, y, epochs=3, verbose=0))
    3
    """

    if not TYPE_CHECKING:
        predict = Elsewhere("write trainer.model.predict(x)")
        save = Elsewhere("write save(trainer.model, path)")

    model: Sequential
    loss: LossFunction
    optimizer: Optimizer
    batch_size: int | None
    metrics: dict[str, Metric]
    callbacks: list[Callback]
    rng: np.random.Generator
    sample: Sample
    augment: list[Augmentation]

    def __init__(
        self,
        model: Sequential,
        loss: str | LossFunction,
        optimizer: str | Optimizer = "adam",
        batch_size: int | None = 32,
        metrics: Sequence[str | Metric] = (),
        callbacks: Sequence[Callback] = (),
        rng: RandomState = None,
        sample: Sample = "all",
        drop_last: bool = False,
        average_penalty: bool = False,
        augment: Sequence[Augmentation] = (),
    ) -> None:
        given: dict[str, Any] = {"model": model, "loss": loss, "optimizer": optimizer, "batch_size": batch_size}
        given |= {"metrics": metrics, "callbacks": callbacks, "rng": rng, "sample": sample, "augment": augment}
        for name, value in given.items():
            setattr(self, name, value)
        self.drop_last, self.average_penalty = drop_last, average_penalty
        self.epoch = self.epochs = self.steps_per_epoch = 0
        self.stop = False
        self.history = History()
        self._position = Position()
        self._resuming = False  # whether the next fit continues from there

    def __setattr__(self, name: str, value: Any) -> None:
        """What the constructor would refuse is refused, and names and seeds are resolved as there."""
        super().__setattr__(name, CHECKS[name](self, value) if name in CHECKS else value)

    def fit(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        validation: Validation = None,
        epochs: int = 10,
        verbose: int = 1,
        every: int = 1,
    ) -> History:
        """Train for some epochs, from where the model and the optimizer stand.

        A second call continues: the optimizer keeps its state, and a schedule sees all steps, those done and those to
        come, as one training. For a fresh start take a new optimizer. y and sample_weight are copied (but not
        memory maps): what is changed in these arrays while training lasts does not count.

        Parameters
        ----------
        x : array (N, ...), converted to the model's dtype; where the first layer is Linear, also one of SciPy's sparse
            matrices, which is never made dense
        y : array (N,) of labels or (N, O) of numbers, as the loss wants it
        sample_weight : array (N,), optional
        validation : (x, y), (x, y, sample_weight), the fraction of the rows to set aside (labels keep their shares), or
            an array of the numbers of these rows; they are copied, the others are not
        epochs : int
        verbose : 0 for silence, 1 for a line an epoch (and a bar on a terminal)
        every : int, epochs from line to line

        Returns
        -------
        history : :class:`~chainrule.callbacks.History`; Ctrl-C ends training early and keeps what was learned

        Raises
        ------
        ValueError, TypeError for data that do not fit, or if another fit is using the model or the optimizer;
        DivergenceError, which names the step, the layer and the likely cause, when the loss, the gradient or the
        parameters are no longer finite: model, optimizer and callbacks are then as they were a moment before.
        """
        warn_if_absent()
        epochs = check_integer("fit", "epochs", epochs)
        with deferred() as signals, np.errstate(), Claim("fit") as claim:  # all are at the end as they were
            with released:
                claim.add(self, self.model, self.optimizer)
                data = own_targets(as_data("fit", self.model, x, y, sample_weight))
                run = self._begin(data, validation, epochs, claim)
            callbacks = [*self.callbacks, self.history]
            if verbose and not any(isinstance(callback, Progress) for callback in self.callbacks):
                callbacks.append(Progress(every))
            self._train(run, CallbackList(callbacks, self._position), signals)
            if verbose:
                with unforked:
                    from .advice import advise
                advise(self._parts(), data, self.history)
        return self.history

    def resume(self, path: str | os.PathLike[str]) -> Trainer:
        """Restore what :class:`~chainrule.callbacks.Checkpoint` wrote: the next :meth:`fit` continues from there.

        With the same data and arguments it ends with the same weights, to the bit, as if training had never stopped.
        What callbacks had changed until then (a learning rate, a penalty, the size of batches) is restored, too. A
        number that this trainer, or the next fit, is given otherwise than that training began with counts as it is
        given: so a lower learning rate, a stronger dropout or more epochs can be asked for.

        Parameters
        ----------
        path : a checkpoint, or the folder of which the newest whole one is taken

        Raises
        ------
        ValueError if the checkpoint is damaged, if it is of another network, optimizer or list of callbacks, or if a
        callback had changed what a file cannot hold, such as the loss; OSError if it cannot be read.
        """
        with unforked:
            from .._support.files import as_path  # with what a checkpoint needs, loaded when there is one
            from .checkpoint import restore
        with Claim("resume") as claim:
            claim.add(self, self.model, self.optimizer)
            state = TrainingState(self, self.model, self.optimizer, self.callbacks, self.rng, [], Position())
            restore(state, as_path("resume", path), self._position)
        self.history, self._position = History(state.rows), state.position
        self._position.left = settings_of(self)
        self.epoch, self.stop, self._resuming = self._position.epoch, self._position.stopped, True
        return self

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        """The loss (penalties included) and the metrics on these data, dropout off; arguments as for :meth:`fit`."""
        data = as_data("evaluate", self.model, x, y, sample_weight)
        return evaluated("evaluate", self._parts(), self.metrics, *data)

    @property
    def step(self) -> int:
        """How many steps training has taken, those before a checkpoint that it continues from included."""
        return self._position.steps or 0

    @property
    def resumed(self) -> bool:
        """Whether training continues from a checkpoint."""
        return self._position.resumed

    @property
    def seconds(self) -> float:
        """How long training has taken, the time before a checkpoint that it continues from included."""
        return self._position.elapsed

    @property
    def state(self) -> TrainingState:
        """All that the training is, by reference: what a checkpoint writes and :meth:`resume` takes."""
        self._position.stopped = self.stop
        rows, position = self.history.rows, self._position
        return TrainingState(self, self.model, self.optimizer, self.callbacks, self.rng, rows, position)

    # The loop.

    def _train(self, run: Run, callbacks: CallbackList, signals: deferred) -> None:
        """Until the last epoch, or until training is stopped or interrupted: what was learned is then kept."""
        self._position.since = time.perf_counter()
        try:
            with callbacks.ended(self):
                try:
                    callbacks.begin(self)
                    signals.begin()  # handlers that callbacks have set wait, too
                    self._train_epochs(run, callbacks)
                    deliver()
                except (KeyboardInterrupt, StopTraining) as stop:
                    self.history.interrupted, self.history.reason = True, str(stop)
        finally:
            self._position.seconds, self._position.since = self.seconds, None
            self._position.left = self._position.first and settings_of(self)
            self.model.forget_batches()

    def _train_epochs(self, run: Run, callbacks: CallbackList) -> None:
        """Epochs: their steps, validation, the record; callbacks are called in between."""
        with unforked:
            from .divergence import Rollback  # no import of the package needs it

        position, rollback = self._position, Rollback(self.state)
        try:
            if position.row is not None:  # a checkpoint was written in the hook of its end
                self._end_again(callbacks)
            while position.epoch < self.epochs and not self.stop:
                self._begin_epoch(run, callbacks)
                position.current = position.current or run.begin(self._epochs_ahead(run, callbacks))
                for index, row in enumerate(self._take_steps(run, callbacks, rollback)):
                    if index:
                        self._begin_epoch(run, callbacks)
                    self._validate(row, run, callbacks)
                    self._end_epoch(row, callbacks)
                position.current, position.records = None, []
                deliver()
                callbacks.call("on_pause", self)
        except DivergenceError:
            with atomic:
                rollback.restore(self.state)
                position.steps = rollback.steps - (position.before or 0)
            raise

    def _begin_epoch(self, run: Run, callbacks: CallbackList) -> None:
        self.epoch = self._position.epoch + 1
        callbacks.call("on_epoch_begin", self)
        self._cut(run, self._position)

    def _take_steps(self, run: Run, callbacks: CallbackList, rollback: Rollback) -> list[Row]:
        """The rows of the epochs under way; their losses and metrics are of the outputs as they were in training."""
        from .divergence import Failure, check_parameters, divergence_error, rows_of_step

        position, metrics, start = self._position, self.metrics, time.perf_counter()
        current = position.current or EpochState(None)
        try:
            if callbacks.pending == "on_batch_end":
                callbacks.call("on_batch_end", self, position.records[-1][0])
            with closing(run.steps(current, bool(metrics), callbacks.single_step)) as steps:
                for records in steps:
                    self._after_steps(records, run, callbacks)
                    rollback.keep(self.state)
            deliver()
            check_parameters(self.model)  # after the last step no loss would show it
        except DivergenceError as error:
            place = max(len(position.records) - 1, 0)
            epochs, step = divmod(place, len(run.batches))
            rows = rows_of_step(current, run.batches, place)
            failure = Failure(str(error), self.epoch + epochs, step, rows, position.records)
            raise divergence_error(failure, self._parts(), run.batches.arrays, rollback.steps) from None
        seconds = time.perf_counter() - start
        return rows_of_epochs(self._parts(), current, position.records, self.steps_per_epoch, metrics, seconds)

    def _after_steps(self, records: list[StepRecord], run: Run, callbacks: CallbackList) -> None:
        position = self._position
        position.records += records
        position.steps = self.step + len(records) - (run.failure is not None)
        if run.failure:
            raise DivergenceError(run.failure)
        callbacks.batches_ended(self, records)
        if position.current is not None and position.current.done < position.current.count * self.steps_per_epoch:
            deliver()
            callbacks.call("on_pause", self)

    def _validate(self, row: Row, run: Run, callbacks: CallbackList) -> None:
        callbacks.call("on_validation_begin", self)
        if run.held_out is not None:
            scores = evaluated("fit", self._parts(), self.metrics, *run.held_out)
            callbacks.call("on_validation_end", self, scores)
            row |= {f"validation_{name}": value for name, value in scores.items()}
        for _, schedule in watching_schedules(self.optimizer):
            schedule.observe(row.get("validation_loss", row["loss"]))

    def _end_epoch(self, row: Row, callbacks: CallbackList) -> None:
        self._position.row = row
        callbacks.call("on_epoch_end", self, row)
        self._position.row = None
        self._position.epoch += 1

    def _end_again(self, callbacks: CallbackList) -> None:
        """The end of an epoch at which a checkpoint was written, for the callbacks that it had not reached."""
        position = self._position
        self.epoch = position.epoch + 1
        callbacks.call("on_validation_begin", self)
        self._end_epoch(position.row or {}, callbacks)
        position.current, position.records = None, []
        callbacks.call("on_pause", self)

    # What it needs.

    def _parts(self) -> Parts:
        return Parts(self.model, self.loss, self.optimizer, self.rng, self.average_penalty, tuple(self.augment))

    def _begin(self, data: Data, validation: Validation, epochs: int, claim: Claim) -> Run:
        """The data, checked; the position and the generators, at the start or where a checkpoint was written."""
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
        if position.first is None or position.first["epochs"] != epochs:  # else what training has made of them
            self.epochs = epochs
        self._position, self.epoch, self.stop = position, position.epoch, position.stopped
        if any(callback.saves for callback in self.callbacks):
            position.first = (position.first or settings_of(self)) | {"epochs": epochs}
        run.engine()  # checks the data, too
        check_targets(self.model, self.loss, held_out)  # now, not after an epoch
        return run

    def _cut(self, run: Run, position: Position) -> None:
        """The data into batches, by the settings as they are now; those of an epoch under way stay as they are."""
        cut = position.cut
        if position.current is None or cut is None:
            cut = [self.batch_size, self.drop_last, self.sample]
            position.cut = [*cut[:2], self.sample if isinstance(self.sample, str) else "all"]  # as a file holds it
        self.steps_per_epoch = len(run.cut(*cut))

    def _total_steps(self, new_optimizer: bool) -> int:
        """How many steps the optimizer will have taken at the end."""
        position = self._position
        if new_optimizer:
            position.before = int(self.optimizer.state.get("step", 0)) - self.step
        ahead = (self.epochs - position.epoch) * self.steps_per_epoch
        return (position.before or 0) + self.step - len(position.records) + ahead

    def _epochs_ahead(self, run: Run, callbacks: CallbackList) -> int:
        """How many epochs may be taken at once: one, if anything looks at its end."""
        looks = [run.held_out, *self.metrics, *watching_schedules(self.optimizer)]
        return 1 if any(looks) or callbacks.watch_epochs else self.epochs - self._position.epoch
