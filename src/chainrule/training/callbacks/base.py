"""The hooks, on one screen."""

from __future__ import annotations

from typing import Any, Protocol

from ..._support.checks import Array
from ...losses import LossFunction
from ...metrics import Metric
from ...model import Sequential
from ...optimizers import Optimizer
from ..state import Row, TrainingState


class Record(Protocol):
    """What a callback sees of the History."""

    rows: list[Row]
    interrupted: bool
    reason: str


class Training(Protocol):
    """What a callback sees of the trainer; ``epoch`` counts from 1, ``stop = True`` ends training after it.

    ``step`` counts the steps taken, ``seconds`` the time; what came before a checkpoint is included if training was
    ``resumed`` from it. ``state`` is all that the training is.
    """

    model: Sequential
    loss: LossFunction
    optimizer: Optimizer
    batch_size: int | None
    metrics: dict[str, Metric]
    epoch: int
    epochs: int
    steps_per_epoch: int
    stop: bool

    @property
    def resumed(self) -> bool: ...
    @property
    def step(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def history(self) -> Record: ...
    @property
    def state(self) -> TrainingState: ...


class Callback:
    """Hooks that the trainer calls; override those you need.

    ``trainer`` holds ``model``, ``optimizer``, ``epoch`` (from 1), ``epochs``, ``step`` (those taken),
    ``steps_per_epoch`` and ``stop``: set it to True and training ends after this epoch. ``row`` is what the epoch gave:
    loss, validation_loss, metrics, learning_rate, seconds; a callback may add to it. Whatever a callback changes
    (rates, penalties, a layer, the optimizer's state, ...) counts from the next step on.

    Attributes
    ----------
    live : bool, whether a hook must run right after its step or epoch. A callback that only records what it is given,
        and neither looks at the model nor stops training, may say False: many steps, and many epochs of a few steps
        each, may then be taken before it is notified of each of them
    follows : bool, whether its state follows the weights, as a running mean does; it goes back with them when training
        diverges, and at the end it has its turn before the others
    saves : bool, whether it writes ``trainer.state`` somewhere, as :class:`~chainrule.callbacks.Checkpoint` does; only
        then is it noted which settings a training began with

    Examples
    --------
    >>> import chainrule as cr
    >>> class StopWhenGood(cr.Callback):
    ...     def on_epoch_end(self, trainer, row):
    ...         trainer.stop = row["loss"] < 0.1
    """

    live = True
    follows = False
    saves = False

    @property
    def remembers(self) -> bool:
        """Whether it has a state."""
        return type(self).state is not Callback.state

    def on_train_begin(self, trainer: Training) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, trainer: Training) -> None:
        """Before the first batch of an epoch."""

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        """After each step, with the batch's loss."""

    def on_validation_begin(self, trainer: Training) -> None:
        """After the last batch of an epoch, before its validation, also where there are no data to validate with."""

    def on_validation_end(self, trainer: Training, scores: Row) -> None:
        """After the validation of an epoch, with its loss and metrics by their plain names."""

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        """After the last batch of an epoch and its validation."""

    def on_pause(self, trainer: Training) -> None:
        """Between two steps, some twenty times a second, and after each epoch, when its last hook is done."""

    def on_train_end(self, trainer: Training) -> None:
        """After the last epoch, also when training was interrupted or failed; the last callback comes first."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to continue with it: numbers, text, arrays, and lists and dicts of these."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore a state that :meth:`state` returned."""


def learned(model: Sequential) -> list[Array]:
    """What training changes of a model: parameters and running statistics."""
    return [model.parameters.vector, *model.buffers.values()]
