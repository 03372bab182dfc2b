"""The hooks of a callback, what it sees of the training, and the list that calls those of a fit in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Protocol

import numpy as np

from ..._support.checks import Array
from ...distributed.serial import Serial
from ...losses import LossFunction
from ...metrics import Metric
from ...model import Sequential
from ...optimizers import Optimizer
from ...runtime.signals import released
from ..state import Position, Row, StepRecord, TrainingState


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
    communicator: Serial
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
    writes : bool
        Whether it prints or writes files: of several ranks, only the first calls it.

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
    writes = False

    @property
    def epochs_ahead(self) -> float:
        """How many epochs may run before the callback is notified of the first: one if it is live."""
        return 1 if self.live else inf

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


def copied(arrays: Sequence[Array], rooms: Sequence[Array]) -> list[Array]:
    """Copy the arrays, into the memory of an earlier copy if it fits."""
    if [(room.shape, room.dtype) for room in rooms] != [(array.shape, array.dtype) for array in arrays]:
        return [array.copy() for array in arrays]
    for room, array in zip(rooms, arrays, strict=True):
        np.copyto(room, array)
    return list(rooms)


HOOKS = ("on_epoch_begin", "on_batch_end", "on_validation_begin", "on_validation_end", "on_epoch_end", "on_pause")
REPORTS = ("on_batch_end", "on_validation_end", "on_epoch_end")  # hooks that must run once; the others may run again
PACKAGE = __name__.partition(".")[0] + "."


class CallbackList:
    """Calls a hook of every callback.

    Any of them may write a checkpoint at that moment. The position therefore records the hook and the callbacks that it
    has reached; a resumed training calls the others. Signals interrupt hooks of users' callbacks at once; hooks of this
    package, which change weights and states, finish first. Those in ``of_each_step`` must see the model after every
    step.
    """

    def __init__(self, callbacks: Sequence[Callback], position: Position) -> None:
        self._callbacks, self._position = callbacks, position
        self._pending = position.hook, position.told
        self._begun: list[Callback] = []
        followers = [callback for callback in callbacks if callback.follows]
        others = [callback for callback in callbacks if not callback.follows]
        order = {"on_epoch_begin": [*reversed(followers), *others]}  # undo in reverse what they did to validate
        self._hooks = {
            hook: [_Hook(one, hook) for one in order.get(hook, callbacks) if _defines(one, hook)] for hook in HOOKS
        }
        self.of_each_step = [callback for callback in callbacks if callback.live and _defines(callback, "on_batch_end")]

    @property
    def epochs_ahead(self) -> float:
        """How many epochs may run before a callback must see the end of the first."""
        return max(1, min(callback.epochs_ahead for callback in self._callbacks))

    def begin(self, trainer: Training) -> None:
        position, (hook, done) = self._position, self._pending
        resumed, position.hook, position.told = position.resumed, "on_train_begin", []
        for callback in self._callbacks:
            name = type(callback).__name__
            position.told.append(name)
            position.resumed = resumed and (hook != "on_train_begin" or name in done)  # otherwise it had not begun
            self._begun.append(callback)  # even if it fails now
            _Hook(callback, "on_train_begin").call(trainer)
        position.hook, position.told, position.resumed = "", [], resumed

    def end(self, trainer: Training) -> None:
        """Call on_train_end of all callbacks that began, even if some of them fail.

        Those that follow the weights come first and leave the model as it is validated. The others come in reverse
        order. A callback that restores the best weights therefore works in any order of the callbacks.
        """
        followers = [callback for callback in self._begun if callback.follows]
        others = [callback for callback in self._begun if not callback.follows]
        _end(trainer, [*followers, *reversed(others)])

    @property
    def pending(self) -> str:
        """The hook that wrote the checkpoint from which training resumed."""
        return self._pending[0]

    def batches_ended(self, trainer: Training, records: list[StepRecord]) -> None:
        if len(records) == 1:
            self.call("on_batch_end", trainer, records[0][0])
            return
        for hook in self._hooks["on_batch_end"]:  # none of them reads the model or writes a checkpoint
            hook.call_each(trainer, [loss for loss, _, _ in records])

    def call(self, name: str, trainer: Training, *arguments: float | Row) -> None:
        """Call a hook of all callbacks except those that it had reached when the checkpoint was written."""
        position, done = self._position, list[str]()
        if name == self._pending[0]:
            done = self._pending[1] if name in REPORTS else []
            self._pending = "", []
        if not (hooks := self._hooks[name]):
            return
        position.hook, position.told = name, []
        for hook in hooks:
            position.told.append(hook.callback)
            if hook.callback in done:
                done = done[done.index(hook.callback) + 1 :]  # same order, though some may be missing
            else:
                hook.call(trainer, *arguments)
        position.hook, position.told = "", []


class _Hook:
    """A hook of one callback, and the name of its class."""

    def __init__(self, callback: Callback, name: str) -> None:
        self.callback = type(callback).__name__
        self._function: Callable[..., None] = getattr(callback, name)
        self._ours = type(callback).__module__.startswith(PACKAGE)

    def call(self, *arguments: Any) -> None:
        if self._ours:
            self._function(*arguments)
        else:
            with released:
                self._function(*arguments)

    def call_each(self, trainer: Training, losses: list[float]) -> None:
        call = self._function if self._ours else self.call
        for loss in losses:
            call(trainer, loss)


def _end(trainer: Training, callbacks: list[Callback]) -> None:
    """Call on_train_end of each, even if earlier ones raise.

    Unlike an ExitStack, this keeps no exception in a variable: the exception and its traceback would form a cycle that
    keeps the model and the data alive until the garbage collector runs.
    """
    if callbacks:
        try:
            _Hook(callbacks[0], "on_train_end").call(trainer)
        finally:
            _end(trainer, callbacks[1:])


def _defines(callback: Callback, hook: str) -> bool:
    """Whether the callback overrides the hook of Callback, which does nothing."""
    return getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)
