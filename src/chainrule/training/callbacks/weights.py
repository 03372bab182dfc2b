"""Changes to the weights between the optimizer's steps, and to settings of layers between epochs."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._support.checks import Array, check_name, check_number, sentence
from ..._support.overrides import is_of_package
from ...layers.base import Layer, all_within, arguments_of
from ...model import Sequential
from ...runtime.signals import atomic
from ...schedules import Schedule
from ..engine import Average
from .base import Callback, Training, learned


class MaxNorm(Callback):
    """Limits the norm of the weights into each unit: a column of W that is too long is rescaled.

        W[:, o] ← W[:, o] · min(1, limit / ‖W[:, o]‖)          before the first step and after each

    With dropout and a large learning rate, this keeps the weights from growing without bound.

    Parameters
    ----------
    limit : float, > 0
        Largest norm of a column; 2 to 4 are usual.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.MLP([2, 1], rng=0)
    >>> trainer = cr.Trainer(model, "squared_error", cr.SGD(0.1), callbacks=[cr.callbacks.MaxNorm(1.5)])
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
        if not trainer.resumed:
            self.on_batch_end(trainer, 0.0)

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        for W in trainer.model.parameters.values():
            if W.ndim == 2:
                W *= np.minimum(1, self.limit / np.maximum(np.linalg.norm(W, axis=0), self.limit))


class WeightAverage(Callback):
    """Ends training with an average of the parameters, which is often better than the last ones.

        θ̄ ← d θ̄ + (1 − d) θ after each step t = 1, 2, ... of the average

        d = min(decay, (1 + t) / (10 + t)), a running mean         d = 1 − 1/t without decay, the mean of all

    Running statistics are averaged too. Validation, and callbacks at the end of an epoch, see θ̄. After training the
    model holds θ̄; another fit with the same callback continues from θ.

    Parameters
    ----------
    decay : float in (0, 1) or None
        The mean covers about 1 / (1 − decay) steps; with None, all steps.
    start : float in [0, 1)
        Fraction of the training after which the average begins; ``decay=None, start=0.75`` is stochastic weight
        averaging.

    Attributes
    ----------
    in_training : bool
        Whether the model holds θ rather than θ̄.

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.MLP([1, 8, 1], rng=0)
    >>> trainer = cr.Trainer(model, "squared_error", callbacks=[cr.callbacks.WeightAverage(0.99)])
    >>> history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], verbose=0)

    References
    ----------
    Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging (1992); Izmailov et al., Averaging
    Weights Leads to Wider Optima and Better Generalization (2018); the growing d is TensorFlow's.
    """

    follows = True

    def __init__(self, decay: float | None = 0.999, start: float = 0.0) -> None:
        self.decay = None if decay is None else check_number("WeightAverage", "decay", decay, above=0, below=1)
        self.start = check_number("WeightAverage", "start", start, minimum=0, below=1)
        self.steps = 0
        self.in_training = True
        self._other: list[Array] = []  # θ̄ in training, θ otherwise
        self._begins = 0  # the average begins after this step
        self._planned = deque[float]()  # 1 − d of the steps that an engine averages, until they are counted

    def on_train_begin(self, trainer: Training) -> None:
        arrays = learned(trainer.model)
        if not self._other:
            self._other = [array.copy() for array in arrays]
        if [array.shape for array in self._other] != [array.shape for array in arrays]:
            got = f"one of {arrays[0].size} instead of {self._other[0].size} parameters"
            raise ValueError(sentence("WeightAverage", "the model that it averages", got, "make a new WeightAverage"))
        self._begins = int(self.start * trainer.epochs * trainer.steps_per_epoch)
        self._planned = deque()

    def on_epoch_begin(self, trainer: Training) -> None:
        if not self.in_training:
            self.swap(trainer.model)

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        if self._planned:
            self.steps += self._planned.popleft() > 0
        elif trainer.step > self._begins:
            self.steps += 1
            share = self._share(self.steps)
            for mean, array in zip(self._other, learned(trainer.model), strict=True):
                mean += share * (array - mean)

    def _share(self, t: int) -> float:
        """Return 1 − d."""
        if t == 1 and self.start:
            return 1.0  # forget the weights before
        return 1 - (1 - 1 / t if self.decay is None else min(self.decay, (1 + t) / (10 + t)))

    def _plan(self, done: int, count: int) -> tuple[Array, Array]:
        """Let an engine average the ``count`` steps after the first ``done``; return θ̄ and each 1 − d, 0 for none."""
        first = self.steps + 1 - max(0, self._begins - done)
        weights = [self._share(t) if t > self.steps else 0.0 for t in range(first, first + count)]
        self._planned = deque(weights)
        return self._other[0], np.array(weights)

    def on_validation_begin(self, trainer: Training) -> None:
        if self.in_training and self.steps:
            self.swap(trainer.model)

    def on_train_end(self, trainer: Training) -> None:
        while self._planned:  # another callback has failed
            self.on_batch_end(trainer, 0.0)
        self.on_validation_begin(trainer)

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps, "in_training": self.in_training, "other": self._other}

    def load_state(self, state: dict[str, Any]) -> None:
        self.steps, self.in_training = state["steps"], state["in_training"]
        self._planned = deque()
        self._other = [np.array(array) for array in state["other"]]

    def swap(self, model: Sequential) -> None:
        """Exchange θ and θ̄ in the model, to evaluate the mean between two epochs, and back.

        Parameters
        ----------
        model : Sequential
            The model in training.
        """
        if not self._other:
            return
        with atomic:
            self.in_training = not self.in_training
            for other, array in zip(self._other, learned(model), strict=True):
                aside = array.copy()
                array[...] = other
                other[...] = aside


def average_by_engine(trainer: Training, callbacks: Sequence[Callback]) -> Average | None:
    """Return the plan of the only callback that needs each step, if it averages the parameters and nothing else."""
    one = callbacks[0] if len(callbacks) == 1 else None
    if not isinstance(one, WeightAverage) or not is_of_package(one) or trainer.model.buffers:
        return None
    return lambda count: one._plan(trainer.step, count)


class LayerScheduler(Callback):
    """Changes a setting of the model's layers, such as the dropout rate, by a schedule.

        value = schedule(epoch − 1, epochs)          before each epoch, which counts from 1

    The value changes once per epoch, so compiled kernels can take all steps of an epoch in one call; the schedule's
    steps are epochs. Each fit starts at epoch 1, and the layers keep the value of the last epoch.

    Parameters
    ----------
    layer : class
        Class of the layers, such as ``cr.Dropout``, including inner layers and activations.
    name : str
        The attribute to set: "rate", "sigma", "l2", ...
    schedule : callable ``(step, total_steps) -> value``
        A schedule, as in :mod:`chainrule.schedules`.

    Raises
    ------
    ValueError
        When training begins, if the model has no such layer; later, if the layer does not accept a value.

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.MLP([1, 8, 1], dropout=0.2, rng=0)
    >>> fading = cr.callbacks.LayerScheduler(cr.Dropout, "rate", cr.schedules.FlatCos(0.2))
    >>> trainer = cr.Trainer(model, "squared_error", callbacks=[fading])
    >>> history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=4, verbose=0)
    >>> round(model.layers[1].rate, 3)  # half of the initial rate, after three quarters
    0.1
    """

    def __init__(self, layer: type[Layer], name: str, schedule: Schedule) -> None:
        who = "LayerScheduler"
        if not (isinstance(layer, type) and issubclass(layer, Layer)):
            raise TypeError(sentence(who, "the class of layers", repr(layer), "for instance cr.Dropout"))
        settings = [one for one in arguments_of(layer) if one not in layer._made_with]
        if not callable(schedule) or isinstance(schedule, type) or hasattr(schedule, "observe"):
            remedy = "for instance cr.schedules.FlatCos(0.2)"
            raise TypeError(sentence(who, "a schedule that is a function of the step", repr(schedule), remedy))
        self.layer, self.name, self.schedule = layer, check_name(who, "a setting", name, settings), schedule

    def _layers(self, trainer: Training) -> list[Any]:
        return [layer for layer in all_within(trainer.model.layers) if isinstance(layer, self.layer)]

    def on_train_begin(self, trainer: Training) -> None:
        if not self._layers(trainer):
            raise ValueError(
                sentence("LayerScheduler", f"a model with {self.layer.__name__} layers", "none in this one")
            )

    def on_epoch_begin(self, trainer: Training) -> None:
        value = self.schedule(trainer.epoch - 1, trainer.epochs)
        for layer in self._layers(trainer):
            if getattr(layer, self.name) != value:  # an equal number in another object would count as a change
                setattr(layer, self.name, value)
