"""The hooks of a callback, and what it sees of the training."""

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
    """What a callback sees of the trainer; ``epoch`` counts from 1, ``stop = True`` ends training after this epoch.

    ``step`` counts the steps taken and ``seconds`` the time, both including those before a checkpoint that training was
    ``resumed`` from. ``state`` is the complete state of the training.
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

    ``trainer`` holds ``model``, ``optimizer``, ``epoch`` (from 1), ``epochs``, ``step`` (the number taken),
    ``steps_per_epoch`` and ``stop``; setting ``stop`` to True ends training after this epoch. Any change that a
    callback makes (rates, penalties, a layer, the optimizer's state, ...) takes effect at the next step.

    Attributes
    ----------
    live : bool
        Whether a hook must run right after its step or epoch. A callback that only records its arguments, and neither
        reads the model nor stops training, may set False: many steps, and many short epochs, may then run before it is
        notified of each.
    follows : bool
        Whether its state follows the weights, as a running mean does: it is rolled back with them when training
        diverges, and its ``on_train_end`` runs before those of other callbacks.
    saves : bool
        Whether it writes ``trainer.state``, as :class:`~chainrule.callbacks.Checkpoint` does. Only then does the
        trainer note the settings that training began with.

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
        """Whether the callback has a state."""
        return type(self).state is not Callback.state

    def on_train_begin(self, trainer: Training) -> None:
        """Run before the first epoch.

        Parameters
        ----------
        trainer : Training
            The trainer.
        """

    def on_epoch_begin(self, trainer: Training) -> None:
        """Run before the first batch of an epoch.

        Parameters
        ----------
        trainer : Training
            The trainer.
        """

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        """Run after each step.

        Parameters
        ----------
        trainer : Training
            The trainer.
        loss : float
            Loss of the batch, penalties included.
        """

    def on_validation_begin(self, trainer: Training) -> None:
        """Run after the last batch of an epoch and before its validation, even if there is no validation data.

        Parameters
        ----------
        trainer : Training
            The trainer.
        """

    def on_validation_end(self, trainer: Training, scores: Row) -> None:
        """Run after the validation of an epoch.

        Parameters
        ----------
        trainer : Training
            The trainer.
        scores : dict of str to float
            Validation loss and metrics, by names without ``validation_``.
        """

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        """Run after the last batch of an epoch and its validation.

        Parameters
        ----------
        trainer : Training
            The trainer.
        row : dict of str to float
            The epoch's loss, validation_loss, metrics, learning_rate and seconds; a callback may add to it.
        """

    def on_pause(self, trainer: Training) -> None:
        """Run between two steps, about twenty times a second, and after the last hook of each epoch.

        Parameters
        ----------
        trainer : Training
            The trainer.
        """

    def on_train_end(self, trainer: Training) -> None:
        """Run after the last epoch, even if training was interrupted or failed; the last callback comes first.

        Parameters
        ----------
        trainer : Training
            The trainer.
        """

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold to resume this callback.

        Returns
        -------
        dict
            Numbers, text, arrays, and lists and dicts of these.
        """
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore a state that :meth:`state` returned.

        Parameters
        ----------
        state : dict
            The state.
        """


def learned(model: Sequential) -> list[Array]:
    """Return the arrays of a model that training changes: parameters and running statistics."""
    return [model.parameters.vector, *model.buffers.values()]
