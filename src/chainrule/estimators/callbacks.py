"""Support for scikit-learn's callbacks (since 1.9), such as its ProgressBar and ScoringMonitor."""

from __future__ import annotations

import copy
from typing import Any

from .._support.checks import Array
from ..model import Sequential
from ..training.callbacks import Callback, Training

try:
    from sklearn.callback import CallbackSupportMixin as TakesCallbacks
except ImportError:

    class TakesCallbacks:  # type: ignore[no-redef]
        """No ``set_callbacks``."""


__all__ = ["TakesCallbacks", "Tasks", "tasks_of"]


class Tasks(Callback):
    """Notifies scikit-learn's callbacks of a fit, and of each of its epochs or iterations.

    They get the user's X and y and, if they need it, a fitted estimator as if training had ended there. A callback that
    returns True ends training by epochs.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        The estimator, whose ``set_callbacks`` was called.
    given : dict
        X, y and metadata, the arguments of ``fit``.
    count : int
        Maximum number of epochs or iterations.
    name : str
        "epoch" or "iteration".
    """

    def __init__(self, estimator: Any, given: dict[str, Any], count: int, name: str) -> None:
        self.estimator, self.given, self.name = estimator, given, name
        self._task: Any = None
        self._fit = estimator._init_callback_context(max_subtasks=count)
        self._fit.call_on_fit_task_begin(estimator=estimator, **given)

    def begin(self) -> None:
        """Begin an epoch or iteration, unless one has begun."""
        if self._task is None:
            self._task = self._fit.subcontext(task_name=self.name)
            self._task.call_on_fit_task_begin(estimator=self.estimator, **self.given, **self._as_if_fitted())

    def end(self) -> bool:
        """End it; return whether training should end."""
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
