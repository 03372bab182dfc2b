"""The training loop, readable on one screen, and what it needs around it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from .._support.checks import Array, RandomState, as_rng, check_integer, sentence
from .._support.errors import DivergenceError
from ..data.batches import Augmentation, Batches, Sample, check_sample
from ..losses import LossFunction, get_loss
from ..losses.base import total_weight
from ..metrics import Metric, named_metrics
from ..model import Sequential
from ..ops.fused import tell_if_absent
from ..optimizers import Optimizer, get_optimizer
from .callbacks import Callback, History, Progress, Row
from .compiled import CALL_SECONDS, plan_training
from .inputs import Data, Validation, as_data, as_list, as_validation, check_output_fits, check_targets
from .interpreted import Progressed, Steps, summary

COLUMNS = ("loss", "learning_rate", "seconds")  # of every History; a metric needs another name


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
        :class:`~chainrule.MixUp` and :class:`~chainrule.RandomDistortion` do

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
        if not isinstance(model, Sequential):
            raise TypeError(sentence("Trainer", "a Sequential model", repr(model), "write Trainer(model, loss, ...)"))
        self.model = model
        self.loss = get_loss(loss)
        self.optimizer = get_optimizer(optimizer)
        self.batch_size = None if batch_size is None else check_integer("Trainer", "batch_size", batch_size)
        self.metrics = named_metrics(self.loss, as_list("metrics", metrics), COLUMNS)
        self.callbacks = as_list("callbacks", callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(sentence("Trainer", "Callback objects in callbacks", repr(callback), "make one first"))
        self.rng = model.rng if rng is None else as_rng(rng, "Trainer")
        self.sample = check_sample("Trainer", sample)
        self.drop_last = drop_last
        self.average_penalty = average_penalty
        self.augment = as_list("augment", augment)
        self.epoch = self.epochs = self.steps_per_epoch = 0
        self.stop = False
        self.history = History()
        self._resumed: Progressed | None = None
        check_output_fits(model, self.loss)

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

        A second call goes on: the optimizer keeps its state, and a schedule sees all steps, those done and those to
        come, as one training. For a fresh start take a new optimizer.

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
        history : :class:`~chainrule.History`; Ctrl-C ends the training early and keeps what was learned

        Raises
        ------
        ValueError, TypeError for data that do not fit; DivergenceError, which names the step, the layer and the likely
        cause, when the loss, the gradient or the parameters are no longer finite: model, optimizer and callbacks are
        then as they were a moment before.
        """
        tell_if_absent()
        self.generators_at_first = self.generators
        data = as_data("fit", self.model, x, y, sample_weight)
        held_out, kept = as_validation(data, validation, self.model, self.loss, self.rng)
        # now, not after half an epoch:
        targets, _ = (check_targets(self.model, self.loss, part) for part in (data, held_out))
        self.epochs = check_integer("fit", "epochs", epochs)
        batches = Batches(
            *data,
            size=self.batch_size,
            rng=self.rng,
            drop_last=self.drop_last,
            sample=self.sample,
            chosen=kept,
        )
        self.steps_per_epoch = len(batches)
        resumed, self._resumed = self._resumed or Progressed(), None
        resumed.check(batches)
        if resumed.generators is not None:
            self.generators = resumed.generators
        self._steps_before = self.optimizer.steps_taken - resumed.steps(self.steps_per_epoch)
        total_steps = self._steps_before + self.epochs * self.steps_per_epoch
        self.optimizer.setup(self.model.parameters, total_steps=total_steps)
        training = self.model, self.loss, self.optimizer, batches, self.average_penalty, self.augment
        self._steps = plan_training(*training, targets) or Steps(*training)
        self._steps.underway, self._taken = resumed.underway, resumed.taken
        self.epoch, self.stop, self.history = resumed.epoch, False, History(resumed.rows)
        watchers = [*self.callbacks, self.history]
        if verbose and not any(isinstance(callback, Progress) for callback in self.callbacks):
            watchers.append(Progress(every))
        self._run(held_out, watchers)
        return self.history

    def resume(self, path: str | os.PathLike[str]) -> Trainer:
        """Take the state of a training that :class:`~chainrule.Checkpoint` wrote: the next :meth:`fit` goes on with it.

        With the same data and arguments it ends with the very weights, to the bit, that the training would have ended
        with had it never stopped.

        Parameters
        ----------
        path : a checkpoint, or the folder of which the newest whole one is taken

        Raises
        ------
        ValueError if the checkpoint is damaged, or is of another network or optimizer; OSError if it cannot be read.
        """
        from pathlib import Path  # with what a checkpoint needs, loaded when there is one

        from .checkpoint import restore

        self._resumed = restore(self, Path(path))
        return self

    @property
    def step(self) -> int:
        """How many steps the training has taken, those before a checkpoint that it goes on from included."""
        return self.optimizer.steps_taken - self._steps_before

    @property
    def progress(self) -> Progressed:
        """How far the training that is under way has come."""
        underway, rows = self._steps.underway, self._steps.batches.rows
        whole = self.epoch - (underway is not None)
        return Progressed(whole, self.history.rows, self._taken, underway, rows, self.generators)

    @property
    def generators(self) -> list[Any]:
        """The states of the model's random generator and of its own; assign such a list to go back to it."""
        return [rng.bit_generator.state for rng in (self.model.rng, self.rng)]

    @generators.setter
    def generators(self, states: list[Any]) -> None:
        for rng, state in zip((self.model.rng, self.rng), states, strict=True):
            rng.bit_generator.state = state

    def _run(self, held_out: Data | None, watchers: Sequence[Callback]) -> None:
        from .divergence import LastGood  # no import of the package needs it

        looks = [held_out, *self.metrics, getattr(self.optimizer.learning_rate, "observe", None)]
        unseen = not any(looks) and not any(watcher.live for watcher in watchers)
        with ExitStack() as stack:
            for watcher in watchers:
                stack.callback(watcher.on_train_end, self)  # also when another callback, or the training, fails
                watcher.on_train_begin(self)
            self._good = LastGood(self)
            try:
                together = 1
                while self.epoch < self.epochs and not self.stop:
                    start = time.perf_counter()
                    self._run_epochs(min(together, self.epochs - self.epoch), held_out, watchers)
                    if unseen and time.perf_counter() - start < CALL_SECONDS / 2:
                        together *= 2  # epochs of a few steps, at whose end nobody looks
            except KeyboardInterrupt:
                self.history.interrupted = True
            except DivergenceError:
                self._good.restore()
                raise

    def _run_epochs(self, count: int, held_out: Data | None, watchers: Sequence[Callback]) -> None:
        self._begin_epoch(watchers)
        for index, row in enumerate(self._train_epochs(count, watchers)):
            if index:
                self._begin_epoch(watchers)
            for watcher in watchers:
                watcher.on_validation_begin(self)
            if held_out is not None:
                scores = self._scores(*held_out)
                for watcher in watchers:
                    watcher.on_validation_end(self, scores)
                row |= {f"validation_{name}": value for name, value in scores.items()}
            self._observe(row)
            for watcher in watchers:
                watcher.on_epoch_end(self, row)
        for watcher in watchers:
            watcher.on_pause(self)

    def _begin_epoch(self, watchers: Sequence[Callback]) -> None:
        self.epoch += 1
        for watcher in watchers:
            watcher.on_epoch_begin(self)

    def _train_epochs(self, count: int, watchers: Sequence[Callback]) -> list[Row]:
        """Passes over the batches; the loss and the metrics are of the outputs as they were during training."""
        start = time.perf_counter()
        try:
            self._take_steps(count, watchers)
        except DivergenceError as error:
            from .divergence import explained

            raise explained(self, str(error), self._good) from None
        taken, self._taken = self._taken, []
        seconds = (time.perf_counter() - start) / count
        each = self.steps_per_epoch
        rows = [summary(taken[index * each : (index + 1) * each]) for index in range(count)]
        if self.metrics:
            z, y, *weight = self._steps.seen
            scores = {name: float(metric(y, z, *weight)) for name, metric in self.metrics.items()}
            rows = [{"loss": rows[0]["loss"]} | scores | {"learning_rate": rows[0]["learning_rate"]}]
        for row in rows:
            row["seconds"] = seconds
        return rows

    def _take_steps(self, count: int, watchers: Sequence[Callback]) -> None:
        watching = [watcher for watcher in watchers if type(watcher).on_batch_end is not Callback.on_batch_end]
        one_by_one = any(watcher.live for watcher in watching)
        for some in self._steps.epochs(count, bool(self.metrics), one_by_one):
            self._taken += some
            if self._steps.fault:
                raise DivergenceError(self._steps.fault)
            for watcher in watching:
                for loss, _, _ in some:
                    watcher.on_batch_end(self, loss)
            if len(self._taken) < count * self.steps_per_epoch:
                for watcher in watchers:
                    watcher.on_pause(self)
                self._good.keep()
        self._good.check()  # after the last step no loss would show it
        self._good.keep()

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        """The loss (penalties included) and the metrics on these data, dropout off; arguments as for :meth:`fit`."""
        return self._scores(*as_data("evaluate", self.model, x, y, sample_weight))

    @np.errstate(over="ignore", invalid="ignore")
    def _scores(self, x: Array, y: Array, weight: Array | None) -> dict[str, float]:
        z = self.model.predict(x)
        loss, penalty = float(self.loss(z, y, weight)[0]), self.model.penalty()
        if self.average_penalty:
            total = total_weight(self.loss, z, y, weight)
            penalty = penalty / total if total else 0.0
        scores = {"loss": loss + penalty}
        if not np.isfinite(scores["loss"]):
            got = f"{scores['loss']}: the outputs overflow"
            remedy = "lower the learning rate, or standardise x (and y for a regression)"
            raise DivergenceError(sentence("Trainer", "a finite loss on these data", got, remedy))
        return scores | {name: float(metric(y, z, weight)) for name, metric in self.metrics.items()}

    def _observe(self, row: Row) -> None:
        """A schedule that watches the loss is told it: the validation's where there is one."""
        observe = getattr(self.optimizer.learning_rate, "observe", None)
        if observe is not None:
            observe(row.get("validation_loss", row["loss"]))
