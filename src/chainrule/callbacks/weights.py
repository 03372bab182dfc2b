"""What is done to the weights beside the optimizer's steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._checks import Array, check_number, sentence
from ..model import Sequential
from .base import Callback, Training


class MaxNorm(Callback):
    """Keeps the weights that lead to any one unit short: a column of W that is too long is shortened.

        W[:, o] ← W[:, o] · min(1, limit / ‖W[:, o]‖)          before the first step and after each

    With dropout and a large learning rate this keeps a network from growing without bound.

    Parameters
    ----------
    limit : float, > 0; 2 to 4 are usual

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.MLP([2, 1], rng=0)
    >>> trainer = cr.Trainer(model, "squared_error", cr.SGD(0.1), callbacks=[cr.MaxNorm(1.5)])
    >>> history = trainer.fit([[3.0, 4.0]], [[100.0]], verbose=0)
    >>> float(np.linalg.norm(model.layers[0].W).round(4))
    1.5

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout (2014), section 5.1.
    """

    def __init__(self, limit: float) -> None:
        self.limit = check_number("MaxNorm", "limit", limit, above=0)

    def on_train_begin(self, trainer: Training) -> None:
        self.on_batch_end(trainer, 0.0)

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        for W in trainer.model.parameters.values():
            if W.ndim == 2:
                W *= np.minimum(1, self.limit / np.maximum(np.linalg.norm(W, axis=0), self.limit))


class WeightAverage(Callback):
    """Leaves the model with a running mean of its parameters, which is often better than the last of them.

        θ̄ ← d θ̄ + (1 − d) θ after each step,      d = min(decay, (1 + t) / (10 + t)),  t = 1, 2, ...

    When training ends, the model holds θ̄; when it goes on, with the same callback, it goes on from θ.

    Parameters
    ----------
    decay : float in (0, 1); the mean reaches back over some 1 / (1 − decay) steps

    Attributes
    ----------
    in_training : bool, whether the model holds θ, and not θ̄

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.MLP([1, 8, 1], rng=0)
    >>> trainer = cr.Trainer(model, "squared_error", callbacks=[cr.WeightAverage(0.99)])
    >>> history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], verbose=0)

    References
    ----------
    Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging (1992); the growing d is TensorFlow's.
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = check_number("WeightAverage", "decay", decay, above=0, below=1)
        self.steps = 0
        self._other: Array | None = None  # θ̄ in training, θ afterwards
        self.in_training = True

    def on_train_begin(self, trainer: Training) -> None:
        vector = trainer.model.parameters.vector
        if self._other is None:
            self._other = vector.copy()
        if self._other.shape != vector.shape:
            got = f"one of {vector.size} instead of {self._other.size} parameters"
            raise ValueError(sentence("WeightAverage", "the model that it averages", got, "make another for it"))
        if not self.in_training:
            self.swap(trainer.model)

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        if self._other is not None:
            self.steps += 1
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
            self._other += (1 - decay) * (trainer.model.parameters.vector - self._other)

    def on_train_end(self, trainer: Training) -> None:
        if self.in_training:
            self.swap(trainer.model)

    def state(self) -> dict[str, Any]:
        if self._other is None:
            return {}
        return {"steps": self.steps, "other": self._other, "in_training": self.in_training}

    def load_state(self, state: dict[str, Any]) -> None:
        if state:
            self.steps, self._other, self.in_training = state["steps"], state["other"], state["in_training"]

    def swap(self, model: Sequential) -> None:
        """Exchange θ and θ̄ in the model: between two epochs to see how the mean does, and back."""
        if self._other is not None:
            self.in_training = not self.in_training
            aside = model.parameters.vector.copy()
            model.parameters.vector[:] = self._other
            self._other[:] = aside
