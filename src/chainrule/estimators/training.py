"""Training in batches, by scikit-learn's rules for its end, or by L-BFGS; with scikit-learn's callbacks and records."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from .._support.checks import Array, sentence
from .._support.errors import DivergenceError
from .._support.notices import warn
from ..layers import BatchNorm
from ..model import Sequential
from ..optimizers import Optimizer
from ..runtime.signals import released
from ..runtime.threads import blas_threads
from ..training.callbacks import Callback, MaxNorm, Training
from ..training.trainer import Trainer
from .advice import after_divergence, after_last_iteration, after_last_step, after_learning_nothing
from .parameters import linear_layers, set_penalty, set_rate, snapshot

try:
    from sklearn.callback import CallbackSupportMixin as TakesCallbacks
except ImportError:

    class TakesCallbacks:  # type: ignore[no-redef]
        """No ``set_callbacks``."""


__all__ = ["TakesCallbacks", "Tasks", "tasks_of"]


class Tasks(Callback):
    """Notifies scikit-learn's callbacks of a fit, and of each of its epochs or iterations, at most ``count``.

    They get the user's X and y and, if they need it, a fitted estimator as if training had ended there. A callback that
    returns True ends training by epochs.
    """

    def __init__(self, estimator: Any, given: dict[str, Any], count: int, name: str) -> None:
        self.estimator, self.given, self.name = estimator, given, name
        self._task: Any = None
        self._fit = estimator._init_callback_context(max_subtasks=count)
        self._fit.call_on_fit_task_begin(estimator=estimator, **given)

    def begin(self) -> None:
        if self._task is None:
            self._task = self._fit.subcontext(task_name=self.name)
            self._task.call_on_fit_task_begin(estimator=self.estimator, **self.given, **self._as_if_fitted())

    def end(self) -> bool:
        task, self._task = self._task, None
        return bool(task.call_on_fit_task_end(estimator=self.estimator, **self.given, **self._as_if_fitted()))

    def finish(self) -> None:
        """End the fit, perhaps in the middle of an iteration."""
        if self._task is not None:
            self.end()
        self._fit.call_on_fit_task_end(estimator=self.estimator, **self.given, **self._as_if_fitted())

    def on_epoch_begin(self, trainer: Training) -> None:
        self.begin()

    def on_epoch_end(self, trainer: Training, row: dict[str, float]) -> None:
        trainer.stop = self.end() or trainer.stop

    def after_iteration(self, vector: Array) -> None:
        """The callback of ``scipy.optimize.minimize``, with the parameters after an iteration."""
        self.estimator.model_.parameters.vector[:] = vector
        self.end()

    def _as_if_fitted(self) -> dict[str, Any]:
        return {"reconstruction_attributes": lambda: {"model_": self._model()}}

    def _model(self) -> Sequential:
        """Return a copy of the model, with the averaged weights if there are any."""
        model, average = self.estimator.model_, self.estimator._average
        if average is None or not average.in_training:
            return copy.deepcopy(model)
        average.swap(model)
        try:
            return copy.deepcopy(model)
        finally:
            average.swap(model)


def tasks_of(estimator: Any, X: Any, y: Any, weight: Any, count: int) -> Tasks | None:
    """Return a new fit if the estimator has scikit-learn callbacks."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    metadata = None if weight is None else {"sample_weight": weight}
    name = "iteration" if estimator.solver == "lbfgs" else "epoch"
    return Tasks(estimator, {"X": X, "y": y, "metadata": metadata}, count, name)


LEAST_RATE = 1e-6  # learning_rate="adaptive" stops below it


class Data(NamedTuple):
    """Rows in the form for the network: x, targets, weights or None."""

    x: Any
    y: Array
    weight: Array | None

    def at(self, rows: Array) -> Data:
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

    @property
    def epochs_ahead(self) -> float:
        """Training cannot end, nor its rate change, before all of these epochs."""
        fitted = self.estimator
        if self.score is not None or fitted.learning_rate == "invscaling":
            return 1
        left: float = fitted.n_iter_no_change + 1 - fitted._no_improvement_count
        return left

    def on_train_begin(self, trainer: Training) -> None:
        if self.incremental:  # a schedule counts max_iter calls as one training
            trainer.optimizer.total_steps = self.estimator.max_iter * trainer.steps_per_epoch

    def on_epoch_end(self, trainer: Training, row: dict[str, float]) -> None:
        if "validation_loss" in row:
            self.estimator.validation_loss_curve_.append(row["validation_loss"])
        self.take_note(row["loss"], trainer.optimizer)
        trainer.stop = trainer.stop or self.converged

    def take_note(self, loss: float, optimizer: Optimizer) -> None:
        """Record an epoch; if nothing improves any more, lower the rate or set ``converged``."""
        fitted = self.estimator
        fitted.n_iter_ += 1
        fitted.t_ += self.rows
        fitted.loss_ = loss
        fitted.loss_curve_.append(loss)
        if fitted.verbose:
            print(f"Iteration {fitted.n_iter_}, loss = {loss:.8f}")
        self._count_improvement()
        if fitted.solver == "sgd" and fitted.learning_rate == "invscaling" and fitted.optimizer is None:
            set_rate(optimizer, fitted.learning_rate_init / (fitted.t_ + 1) ** fitted.power_t)
        if fitted._no_improvement_count > fitted.n_iter_no_change:
            self._end(optimizer)

    def _count_improvement(self) -> None:
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

    def _end(self, optimizer: Optimizer) -> None:
        """Stop; or, with an adaptive learning rate, continue with a fifth of it."""
        fitted = self.estimator
        adapts = fitted.solver == "sgd" and fitted.learning_rate == "adaptive" and fitted.optimizer is None
        if adapts and (rate := optimizer.current_learning_rate) > LEAST_RATE:
            set_rate(optimizer, rate / 5)
            fitted._no_improvement_count = 0
            outcome = f" Setting learning rate to {rate / 5:f}"
        else:
            self.converged = True
            outcome = " Learning rate too small. Stopping." if adapts else " Stopping."
        if fitted.verbose:
            what = "Training loss" if self.score is None else "Validation score"
            epochs = f"{fitted.n_iter_no_change} consecutive epochs"
            print(f"{what} did not improve more than tol={fitted.tol:f} for {epochs}.{outcome}")


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
        products=estimator.products,
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
    elif watch.converged and not incremental and score is None and (message := after_learning_nothing(estimator, data)):
        warn(message, ConvergenceWarning)
    return watch.converged


def minimize_loss(estimator: Any, data: Data, tasks: Tasks | None = None) -> None:
    """Minimise the loss of all rows over the estimator's model, and set ``loss_`` and ``n_iter_``.

    L(θ) = (Σₙ wₙ l(f(xₙ; θ), yₙ) + α/2 ΣW²) / Σₙ wₙ
    """
    model, loss = estimator.model_, estimator._loss
    x, y, weight = data
    total = x.shape[0] if weight is None else float(weight.sum(dtype=np.float64))
    if not total > 0:
        expected = "a row whose weight, times that of its class, is above 0"
        raise ValueError(sentence(type(estimator).__name__, expected, "none"))
    set_penalty(model, float(estimator.alpha / total))

    def value_and_gradient(vector: Array) -> tuple[float, Array]:
        if tasks:
            tasks.begin()
        model.parameters.vector[:] = vector
        value, dz = loss(model.forward(x, training=True), y, weight)
        model.backward(dz)
        return value + model.penalty(), model.gradients.vector.astype(np.float64)

    largest = max(2 * x.shape[0] * layer.in_features * layer.out_features for layer in linear_layers(model))
    try:
        with blas_threads(largest), np.errstate(over="ignore", invalid="ignore"):
            result = minimize(
                value_and_gradient,
                model.parameters.vector.astype(np.float64),
                method="L-BFGS-B",
                jac=True,
                callback=tasks.after_iteration if tasks else None,
                options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
            )
    finally:
        model.forget_batches()  # activations of all rows
    model.parameters.vector[:] = result.x
    estimator.loss_ = float(result.fun)
    if not (np.isfinite(estimator.loss_) and np.isfinite(result.x).all()):
        raise DivergenceError(after_divergence(estimator, data, ""))
    estimator.n_iter_ = min(int(result.nit), estimator.max_iter)
    if result.status != 0:
        warn(after_last_step(estimator, str(result.message)), ConvergenceWarning)
