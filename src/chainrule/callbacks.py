"""What happens around training: the hooks on one screen, the record, and the lines a user sees."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any, Protocol, TextIO, TypeAlias

import numpy as np

from ._checks import Array, check_integer, check_name, check_number, sentence
from .model import Sequential
from .optimizers import Optimizer

Row: TypeAlias = dict[str, float]


class Training(Protocol):
    """What a callback sees of the trainer; ``epoch`` counts from 1, ``stop = True`` ends the training after it."""

    model: Sequential
    optimizer: Optimizer
    epoch: int
    epochs: int
    steps_per_epoch: int
    stop: bool


class Callback:
    """Hooks that the trainer calls; override those you need.

    ``trainer`` holds ``model``, ``optimizer``, ``epoch`` (from 1), ``epochs``, ``steps_per_epoch`` and ``stop``: set it
    to True and training ends after this epoch. ``row`` is what the epoch gave: loss, validation_loss, metrics,
    learning_rate, seconds; a callback may add to it.

    Attributes
    ----------
    live : bool, whether training must stand still, right after the step or the epoch, while a hook runs. A callback
        that only records what it is told, and neither looks at the model nor stops the training, may say False: then
        many steps, and many epochs of a few steps each, may be taken before it is told of each of them

    Examples
    --------
    >>> import chainrule as cr
    >>> class StopWhenGood(cr.Callback):
    ...     def on_epoch_end(self, trainer, row):
    ...         trainer.stop = row["loss"] < 0.1
    """

    live = True

    def on_train_begin(self, trainer: Training) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, trainer: Training) -> None:
        """Before the first batch of an epoch."""

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        """After each step, with the batch's loss."""

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        """After the last batch of an epoch and its validation."""

    def on_pause(self, trainer: Training) -> None:
        """Between two steps, some twenty times a second, and after each epoch, when all have been told of the last."""

    def on_train_end(self, trainer: Training) -> None:
        """After the last epoch, also when training was interrupted or failed."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold for the training to go on with this callback: numbers, text, arrays."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take such a state again."""


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


class History(Callback):
    """The record of a training: one row an epoch.

    ``history["loss"]`` is the list of a column: ``loss`` (mean over the epoch's batches as they were trained, penalties
    included), ``validation_loss``, each metric (of the outputs as they were during training) and ``validation_`` +
    metric, ``learning_rate``, ``seconds``.

    Attributes
    ----------
    rows : list of dict
    interrupted : bool, whether Ctrl-C ended the training

    Examples
    --------
    >>> import chainrule as cr
    >>> history = cr.History([{"loss": 0.7}, {"loss": 0.3}])
    >>> history["loss"], history.columns, len(history)
    ([0.7, 0.3], ['loss'], 2)
    """

    live = False

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = list(rows)
        self.interrupted = False

    @property
    def columns(self) -> list[str]:
        """The names that ``history[name]`` knows."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, name: str) -> list[float]:
        check_name("History", "a column", name, self.columns)
        return [row[name] for row in self.rows if name in row]

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def keys(self) -> list[str]:
        """The columns again, so that ``dict(history)`` and ``pandas.DataFrame(dict(history))`` work."""
        return self.columns

    def __repr__(self) -> str:
        return f"History({len(self)} epochs of {', '.join(self.columns) or 'nothing yet'})"

    def to_json(self) -> str:
        """The rows as a JSON document; JSON has no infinity and no NaN, they become null."""
        import json  # no training needs it

        rows = [{name: float(value) if isfinite(value) else None for name, value in row.items()} for row in self.rows]
        return json.dumps({"interrupted": self.interrupted, "rows": rows}, indent=1, allow_nan=False)

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        self.rows.append(row)


class Progress(Callback):
    """A line for every few epochs; on a terminal also a bar that moves with the batches and leaves no trace.

    Parameters
    ----------
    every : int, epochs from line to line; the first and the last epoch always have one
    file : where to write; default standard error

    Examples
    --------
    >>> import sys
    >>> import chainrule as cr
    >>> model = cr.MLP([1, 1], rng=0)
    >>> trainer = cr.Trainer(model, "squared_error", cr.SGD(0.1), callbacks=[cr.Progress(every=50, file=sys.stdout)])
    >>> history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=100)  # doctest: +ELLIPSIS
    epoch   1/100  loss ...
    epoch  50/100  loss ...
    epoch 100/100  loss ...
    """

    live = False

    def __init__(self, every: int = 1, file: TextIO | None = None) -> None:
        self.every = check_integer("Progress", "every", every)
        self.file = file
        self._bar: Any = None

    def on_train_begin(self, trainer: Training) -> None:
        self._out = sys.stderr if self.file is None else self.file
        if self._out.isatty():
            from tqdm import tqdm

            steps = trainer.epochs * trainer.steps_per_epoch
            self._bar = tqdm(total=steps, file=self._out, leave=False, unit="batch", dynamic_ncols=True)

    def on_epoch_begin(self, trainer: Training) -> None:
        if self._bar is not None:
            self._bar.set_description(f"epoch {trainer.epoch}/{trainer.epochs}", refresh=False)

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        if self._bar is not None:
            self._bar.update()

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        last = trainer.epoch == trainer.epochs or trainer.stop
        if not (trainer.epoch == 1 or trainer.epoch % self.every == 0 or last):
            return
        width = len(str(trainer.epochs))
        numbers = [f"{name} {value:.4g}" for name, value in row.items() if name not in ("learning_rate", "seconds")]
        line = "  ".join([f"epoch {trainer.epoch:>{width}}/{trainer.epochs}", *numbers, f"{row['seconds']:.2g} s"])
        if self._bar is not None:
            self._bar.write(line, file=self._out)
        else:
            print(line, file=self._out, flush=True)

    def on_train_end(self, trainer: Training) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
