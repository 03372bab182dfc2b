"""Training in batches: scikit-learn's rules for its end, and its records."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._support.checks import Array, sentence
from .._support.errors import DivergenceError
from .._support.notices import warn
from ..layers import BatchNorm
from ..runtime.signals import released
from ..training.callbacks import Callback, MaxNorm, Training
from ..training.trainer import Trainer
from .advice import after_divergence, after_last_iteration, after_learning_nothing
from .parameters import set_penalty, set_rate, snapshot

LEAST_RATE = 1e-6  # learning_rate="adaptive" stops below it


class Data(NamedTuple):
    """Rows in the form for the network: x, targets, weights or None."""

    x: Any
    y: Array
    weight: Array | None

    def at(self, rows: Array) -> Data:
        """Select some of the rows."""
        return Data(self.x[rows], self.y[rows], None if self.weight is None else self.weight[rows])


class HeldOut(NamedTuple):
    """Validation rows: in the form for the network, and the user's own labels and weights."""

    data: Data
    y: Array
    weight: Array | None


class Order:
    """The order of the rows in each epoch: the previous one shuffled, like scikit-learn, or none."""

    def __init__(self, random: np.random.RandomState, shuffled: bool) -> None:
        self.random, self.shuffled = random, shuffled
        self._rows: Array | None = None

    def start_with(self, rows: Array) -> None:
        """Set the first order, that of these row numbers; other rows are not used."""
        self._rows = np.argsort(np.argsort(rows))

    def __call__(self, rows: int) -> Array:
        if self._rows is None:
            self._rows = np.arange(rows)
        if self.shuffled:
            drawn = np.arange(rows)
            self.random.shuffle(drawn)
            self._rows = self._rows[drawn]
        return self._rows


class Watch(Callback):
    """Records the estimator's curves, and ends training when they no longer improve."""

    def __init__(self, estimator: Any, rows: int, score: Callable[[], float] | None, incremental: bool) -> None:
        self.estimator, self.rows, self.score, self.incremental = estimator, rows, score, incremental
        self.converged = False

    def on_train_begin(self, trainer: Training) -> None:
        if self.incremental:  # a schedule counts max_iter calls as one training
            trainer.optimizer.total_steps = self.estimator.max_iter * trainer.steps_per_epoch

    def on_epoch_end(self, trainer: Training, row: dict[str, float]) -> None:
        fitted = self.estimator
        fitted.n_iter_ += 1
        fitted.t_ += self.rows
        fitted.loss_ = row["loss"]
        fitted.loss_curve_.append(fitted.loss_)
        if "validation_loss" in row:
            fitted.validation_loss_curve_.append(row["validation_loss"])
        if fitted.verbose:
            print(f"Iteration {fitted.n_iter_}, loss = {fitted.loss_:.8f}")
        self._count_improvement(trainer)
        if fitted.solver == "sgd" and fitted.learning_rate == "invscaling" and fitted.optimizer is None:
            set_rate(trainer.optimizer, fitted.learning_rate_init / (fitted.t_ + 1) ** fitted.power_t)
        if fitted._no_improvement_count > fitted.n_iter_no_change:
            self._end(trainer)

    def _count_improvement(self, trainer: Training) -> None:
        fitted = self.estimator
        if self.score is None:
            improved = not fitted.loss_ > fitted.best_loss_ - fitted.tol
            fitted.best_loss_ = min(fitted.best_loss_, fitted.loss_)
        else:
            with released:
                score = self.score()
            improved = self.see(score)
        fitted._no_improvement_count = 0 if improved else fitted._no_improvement_count + 1

    def see(self, score: float) -> bool:
        """Record a score of the validation rows, and the best weights; return whether it improved by tol."""
        fitted = self.estimator
        fitted.validation_scores_.append(score)
        if fitted.verbose:
            print(f"Validation score: {score:f}")
        improved = not score < fitted.best_validation_score_ + fitted.tol
        if score > fitted.best_validation_score_:
            fitted.best_validation_score_ = score
            fitted._best = snapshot(fitted.model_), copy.deepcopy(fitted._average)
        return improved

    def _end(self, trainer: Training) -> None:
        """Stop; or, with an adaptive learning rate, continue with a fifth of it."""
        fitted = self.estimator
        what = "Training loss" if self.score is None else "Validation score"
        message = (
            f"{what} did not improve more than tol={fitted.tol:f} for {fitted.n_iter_no_change} consecutive epochs."
        )
        adapts = fitted.solver == "sgd" and fitted.learning_rate == "adaptive" and fitted.optimizer is None
        rate = trainer.optimizer.current_learning_rate
        if adapts and rate > LEAST_RATE:
            set_rate(trainer.optimizer, rate / 5)
            fitted._no_improvement_count = 0
            outcome = f" Setting learning rate to {rate / 5:f}"
        else:
            trainer.stop = self.converged = True
            outcome = " Learning rate too small. Stopping." if adapts else " Stopping."
        if fitted.verbose:
            print(message + outcome)


def train(
    estimator: Any,
    data: Data,
    held_out: Data | Array | None,
    score: Callable[[], float] | None,
    order: Order,
    incremental: bool,
    watchers: list[Callback],
    listeners: list[Callback],
) -> bool:
    """Train max_iter epochs, or one if incremental; return whether it ended because nothing improved any more.

    ``held_out`` are validation rows, or the row numbers of those in the data. ``listeners`` are notified of an epoch
    after everything else is done and recorded.

    Raises
    ------
    DivergenceError
        If the loss or the weights are not finite, and validation has not selected earlier weights.
    """
    model = estimator.model_
    rows = data.x.shape[0] - (len(held_out) if isinstance(held_out, np.ndarray) else 0)
    size = min(200, rows) if estimator.batch_size == "auto" else min(estimator.batch_size, rows)
    if estimator.batch_size != "auto" and estimator.batch_size > rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    by_batch = any(isinstance(layer, BatchNorm) for layer in model.layers)
    if by_batch and size < 2:
        who = f"{type(estimator).__name__}(normalization='batch')"
        raise ValueError(sentence(who, "batches of at least two rows", "one row", "use normalization='layer'"))
    set_penalty(model, float(estimator.alpha))
    watch = Watch(estimator, rows, score, incremental)
    limits = [MaxNorm(estimator.max_norm)] if estimator.max_norm else []
    trainer = Trainer(
        model,
        estimator._loss,
        estimator._optimizer,
        batch_size=size,
        callbacks=[*limits, *watchers, *estimator._watching(), watch, *listeners],
        sample=order,
        drop_last=by_batch and rows % size == 1,
        average_penalty=True,
    )
    try:
        epochs = 1 if incremental else estimator.max_iter
        history = trainer.fit(*data, validation=held_out, epochs=epochs, verbose=0)
    except DivergenceError as error:
        message = after_divergence(estimator, data, str(error))
        if score is None or estimator._best is None:
            raise DivergenceError(message) from error
        watch.see(np.nan)
        warn(message, ConvergenceWarning)
        return True
    if history.interrupted:
        warn("Training interrupted by user.")
    elif not (incremental or watch.converged or trainer.stop):
        warn(after_last_iteration(estimator), ConvergenceWarning)
    elif watch.converged and score is None and (message := after_learning_nothing(estimator, data)):
        warn(message, ConvergenceWarning)
    return watch.converged
