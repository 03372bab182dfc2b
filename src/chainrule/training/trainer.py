"""The training loop on one screen, and what it needs around it."""

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
from ..distributed.serial import SERIAL, Serial
from ..losses import LossFunction
from ..metrics import Metric
from ..model import Sequential
from ..optimizers import Optimizer
from ..runtime.signals import atomic, deferred, deliver, released
from .callbacks import Callback, History, Progress, Row
from .callbacks.base import CallbackList
from .callbacks.weights import average_by_engine
from .evaluation import evaluated, rows_of_epochs
from .inputs import CHECKS, Validation
from .preparation import Preparation
from .ranks import keep_in_step
from .run import Claim, Run
from .settings import settings_of
from .state import EpochState, Position, StepRecord, TrainingState, watching_schedules

if TYPE_CHECKING:
    from .divergence import Rollback


class Trainer(Preparation):
    """Fits a model to data in batches: forward, loss, backward, step.

        L(θ) = Σₙ wₙ l(f(xₙ; θ), yₙ) / Σₙ wₙ + P(θ)          θ ← optimizer(θ, ∂L/∂θ)

    n runs over the rows of a batch, w are their sample weights times the loss's class weights, and P is the sum of the
    layers' penalties.

    Parameters
    ----------
    model : Sequential
        The model.
    loss : str, Loss or callable ``(z, y, weight) -> (value, dz)``
        A name such as ``"cross_entropy"`` or ``"squared_error"``, or the function itself.
    optimizer : str or Optimizer
        A name such as ``"adam"`` or ``"sgd"``, or an object.
    batch_size : int or None
        Rows of a batch; None for all.
    metrics : list of str or callable ``(y_true, y_pred, sample_weight) -> float``
        Metrics to record after each epoch, such as ``"accuracy"``.
    callbacks : list of Callback
        Hooks around epochs and steps.
    rng : int, numpy.random.Generator or None
        Source of the order of batches; None for the model's generator.
    sample : {"all", "one"} or callable ``(rows) -> array (rows,)``
        All rows, ``"one"`` random batch per epoch, or the row numbers of the next epoch in order: ``np.arange`` keeps
        the order of the rows. It is called once per epoch, ahead of several short epochs.
    drop_last : bool
        Whether to leave out a last short batch.
    average_penalty : bool
        Whether to divide P by Σₙ wₙ too, like scikit-learn's MLP, whose ``alpha`` is 2 ``l2``.
    augment : list of callable ``(x, y, rng) -> (x, y)``
        Changes to each training batch, such as :class:`~chainrule.data.MixUp`.
    communicator : distributed.MPI, optional
        The processes that share the rows of each batch; by default this one has all.
    products : {"bfloat16"}, optional
        Round the operands of the products of ``Linear`` to bfloat16, which keeps the range of float32 and 8 of its 24
        bits; sums, weights and the optimizer stay float32. Faster for wide layers on processors with AVX512-BF16 (Intel
        since Cooper Lake, AMD since Zen 4; ``chainrule config`` says so), a little slower on others. Layers, loss and
        optimizer need compiled kernels.

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
    """

    if not TYPE_CHECKING:
        predict = Elsewhere("write trainer.model.predict(x)")
        save = Elsewhere("write save(trainer.model, path)")

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
        communicator: Serial | None = None,
        products: str | None = None,
    ) -> None:
        given: dict[str, Any] = {"model": model, "loss": loss, "optimizer": optimizer, "batch_size": batch_size}
        given |= {"metrics": metrics, "callbacks": callbacks, "rng": rng, "sample": sample, "augment": augment}
        given |= {"communicator": communicator, "products": products}
        for name, value in given.items():
            setattr(self, name, value)
        self.drop_last, self.average_penalty = drop_last, average_penalty
        self.epoch = self.epochs = self.steps_per_epoch = 0
        self.stop = False
        self.history = History()
        self._position = Position()
        self._resuming = False  # whether the next fit continues from there

    def __setattr__(self, name: str, value: Any) -> None:
        """Check the value as the constructor does, which resolves names and seeds."""
        super().__setattr__(name, CHECKS[name](self, value) if name in CHECKS else value)

    def fit(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        validation: Validation = None,
        epochs: int = 10,
        verbose: int = 1,
        every: int = 1,
    ) -> History:
        """Train for some epochs, from the present state of the model and the optimizer.

        A second call continues: the optimizer keeps its state, and schedules see all steps as one training. For a fresh
        start use a new optimizer. y and sample_weight are copied unless they are memory maps.

        Parameters
        ----------
        x : array, SciPy sparse matrix (N, ...) or Source
            Input, converted to the model's dtype; may be sparse if the first layer is Linear. Data larger than memory
            come as a source alone, such as :func:`~chainrule.data.stream` returns.
        y : array (N,) of labels or (N, O) of numbers
            Targets, in the form that the loss expects.
        sample_weight : array (N,), optional
            Weight of each row.
        validation : (x, y), (x, y, sample_weight), Source, float, array or None
            Validation data, or the fraction of the rows to hold out (stratified for labels), or their row numbers.
        epochs : int, >= 1
            Number of epochs.
        verbose : {0, 1}
            0 prints nothing, 1 a line per epoch (and a bar on a terminal).
        every : int, >= 1
            Epochs from line to line.

        Returns
        -------
        History
            The record; Ctrl-C ends training early and keeps what was learned.

        Raises
        ------
        ValueError, TypeError
            If the data do not fit, or another fit is using the model or the optimizer.
        DivergenceError
            If the loss, gradient or parameters are not finite; the model returns to a recent state.
        """
        epochs, first = check_integer("fit", "epochs", epochs), self.communicator.rank == 0
        with deferred() as signals, np.errstate(), self.communicator, Claim("fit") as claim:  # all restored at the end
            with released:
                claim.add(self, self.model, self.optimizer)
                run = self._begin(self._data("fit", x, y, sample_weight), validation, epochs, claim)
            callbacks = [one for one in self.callbacks if first or not one.writes] + [self.history]
            if verbose and first and not any(isinstance(callback, Progress) for callback in self.callbacks):
                callbacks.append(Progress(every))
            self._train(run, CallbackList(callbacks, self._position), signals)
            if verbose and first:
                with unforked:
                    from .divergence import advise
                advise(self._parts(), run.some(), self.history)
        return self.history

    def resume(self, path: str | os.PathLike[str]) -> Trainer:
        """Restore a checkpoint that :class:`~chainrule.callbacks.Checkpoint` wrote; the next :meth:`fit` continues it.

        With the same data and arguments, training ends with the same weights, bit for bit, as if it had never stopped,
        including changes by callbacks, such as a learning rate. Settings of this trainer or the next fit that differ
        from those that training began with take effect: a lower learning rate, a stronger dropout, more epochs.

        Parameters
        ----------
        path : path
            A checkpoint, or a folder, whose newest complete checkpoint is used.

        Returns
        -------
        Trainer
            This trainer.

        Raises
        ------
        ValueError
            If the checkpoint is damaged, belongs to another network, optimizer or list of callbacks, or a callback had
            replaced an object, such as the loss, that a file cannot hold.
        OSError
            If it cannot be read.
        """
        with unforked:
            from .._support.files import as_path  # loaded on demand, like the rest of what a checkpoint needs
            from .checkpoint import restore
        with Claim("resume") as claim:
            claim.add(self, self.model, self.optimizer)
            state = TrainingState(self, self.model, self.optimizer, self.callbacks, self.rng, [], Position())
            restore(state, as_path("resume", path), self._position)
        self.history, self._position = History(state.rows), state.position
        self._position.left = settings_of(self)
        self.epoch, self.stop, self._resuming = self._position.epoch, self._position.stopped, True
        return self

    def evaluate(self, x: Any, y: Any = None, sample_weight: Any = None) -> dict[str, float]:
        """Compute the loss, penalties included, and the metrics, without dropout.

        Of a source, metrics are weighted means over windows of about 128 MB: the accuracy and mean absolute error of
        all rows, but not exactly their AUC, for example.

        Parameters
        ----------
        x, y, sample_weight : arrays, or Source alone
            As for :meth:`fit`.

        Returns
        -------
        dict of str to float
            ``"loss"`` and the metrics by name.
        """
        data, parts = self._data("evaluate", x, y, sample_weight), self._parts()._replace(communicator=SERIAL)
        return evaluated("evaluate", parts, self.metrics, data)

    def _train(self, run: Run, callbacks: CallbackList, signals: deferred) -> None:
        """Train until the last epoch, or until training is stopped or interrupted."""
        self._position.since = time.perf_counter()
        try:
            try:
                callbacks.begin(self)
                signals.begin()  # also defers handlers that callbacks have set
                self._train_epochs(run, callbacks)
                deliver()
                keep_in_step(self._parts())
            except (KeyboardInterrupt, StopTraining) as stop:
                self.history.interrupted, self.history.reason = True, str(stop)
                self.communicator.leave(str(stop) or type(stop).__name__)
            finally:
                callbacks.end(self)
        finally:
            self._position.seconds, self._position.since = self.seconds, None
            self._position.left = self._position.first and settings_of(self)
            self.model.forget_batches()

    def _train_epochs(self, run: Run, callbacks: CallbackList) -> None:
        with unforked:
            from .divergence import Rollback  # loaded on demand

        position, rollback = self._position, Rollback(self.state)
        try:
            if position.row is not None:  # the checkpoint was written in a hook at the end of an epoch
                self._end_again(callbacks)
            while position.epoch < self.epochs and not any(self.communicator.agree(self.stop)):
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
        if self._position.current is None:
            self._cut(run, self._position)

    def _take_steps(self, run: Run, callbacks: CallbackList, rollback: Rollback) -> list[Row]:
        """Take the steps of the current epochs; return their rows, from the outputs during training."""
        position, metrics, start = self._position, self.metrics, time.perf_counter()
        current = position.current or EpochState(None)
        try:
            if callbacks.pending == "on_batch_end":
                callbacks.call("on_batch_end", self, position.records[-1][0])
            average = average_by_engine(self, callbacks.of_each_step)
            single_step = callbacks.of_each_step != [] and average is None
            with closing(run.steps(current, metrics, single_step, average)) as steps:
                for records in steps:
                    self._after_steps(records, run, callbacks)
                    rollback.keep(self.state)
            deliver()
            rollback.check(self.model)  # no loss would show it after the last step
        except DivergenceError as error:
            from .divergence import Failure, divergence_error

            place = max(len(position.records) - 1, 0)
            epochs, step = divmod(place, self.steps_per_epoch)
            arrays, rows, numbers = run.rows_at(current, place)
            failure = Failure(str(error), self.epoch + epochs, step, rows, numbers, position.records)
            raise divergence_error(failure, self._parts(), arrays, rollback.steps) from None
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
            scores = evaluated("fit", self._parts(), self.metrics, run.held_out)
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
        """Finish the epoch at whose end a checkpoint was written, for the callbacks not yet called."""
        position = self._position
        self.epoch = position.epoch + 1
        callbacks.call("on_validation_begin", self)
        self._end_epoch(position.row or {}, callbacks)
        position.current, position.records = None, []
        callbacks.call("on_pause", self)
