"""scikit-learn's own callbacks, its ProgressBar and ScoringMonitor for example, where it has such: since 1.9."""

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
    """Tells scikit-learn's callbacks of a fit, and of each epoch or iteration in it.

    They are given X and y as the user gave them, and when they ask for it a fitted estimator as if training had ended
    there. One that answers True ends the training by epochs.

    Parameters
    ----------
    estimator : the estimator, whose ``set_callbacks`` was called
    given : dict of X, y and metadata, the arguments of ``fit``
    count : int, the most epochs or iterations
    name : what one of them is called
    """

    def __init__(self, estimator: Any, given: dict[str, Any], count: int, name: str) -> None:
        self.estimator, self.given, self.name = estimator, given, name
        self._task: Any = None
        self._fit = estimator._init_callback_context(max_subtasks=count)
        self._fit.call_on_fit_task_begin(estimator=estimator, **given)

    def begin(self) -> None:
        """An epoch or iteration begins, if none is under way."""
        if self._task is None:
            self._task = self._fit.subcontext(task_name=self.name)
            self._task.call_on_fit_task_begin(estimator=self.estimator, **self.given, **self._as_if_fitted())

    def end(self) -> bool:
        """It ended; whether training should."""
        task, self._task = self._task, None
        return bool(task.call_on_fit_task_end(estimator=self.estimator, **self.given, **self._as_if_fitted()))

    def finish(self) -> None:
        """The fit ended, perhaps in the middle of an iteration."""
        if self._task is not None:
            self.end()
        self._fit.call_on_fit_task_end(estimator=self.estimator, **self.given, **self._as_if_fitted())

    def on_epoch_begin(self, trainer: Training) -> None:
        self.begin()

    def on_epoch_end(self, trainer: Training, row: dict[str, float]) -> None:
        trainer.stop = self.end() or trainer.stop

    def after_iteration(self, vector: Array) -> None:
        """What ``scipy.optimize.minimize`` calls with the parameters that an iteration found."""
        self.estimator.model_.parameters.vector[:] = vector
        self.end()

    def _as_if_fitted(self) -> dict[str, Any]:
        return {"reconstruction_attributes": lambda: {"model_": self._model()}}

    def _model(self) -> Sequential:
        """A copy of the model, with the averaged weights if there are such."""
        model, average = self.estimator.model_, self.estimator._average
        if average is None or not average.in_training:
            return copy.deepcopy(model)
        average.swap(model)
        try:
            return copy.deepcopy(model)
        finally:
            average.swap(model)


def tasks_of(estimator: Any, X: Any, y: Any, weight: Any, count: int) -> Tasks | None:
    """The fit that begins, if the estimator has callbacks of scikit-learn."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    metadata = None if weight is None else {"sample_weight": weight}
    name = "iteration" if estimator.solver == "lbfgs" else "epoch"
    return Tasks(estimator, {"X": X, "y": y, "metadata": metadata}, count, name)
