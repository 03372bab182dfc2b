"""The callbacks of a fit, called in order; and what is left to call where a checkpoint was written in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ..state import Position, Row, StepRecord
from .base import Callback, Training

REPORTS = ("on_batch_end", "on_validation_end", "on_epoch_end")  # hooks that count; the others may come again


class CallbackList:
    """Calls a hook of every callback.

    Any of them may write a checkpoint at that moment. So the position knows the hook, and which callbacks it has
    reached: when training resumes, it goes to the others.

    Attributes
    ----------
    single_step : bool, whether one of them must see the model after every step
    watch_epochs : bool, whether one of them must see it after every epoch
    """

    def __init__(self, callbacks: Sequence[Callback], position: Position) -> None:
        self._callbacks, self._position = callbacks, position
        self._pending = position.hook, position.told
        self._begun: list[Callback] = []
        self._on_batches = [one for one in callbacks if type(one).on_batch_end is not Callback.on_batch_end]
        self.single_step = any(callback.live for callback in self._on_batches)
        self.watch_epochs = any(callback.live for callback in callbacks)

    def begin(self, trainer: Training) -> None:
        """Before the first epoch."""
        for callback in self._callbacks:
            self._begun.append(callback)  # also if it fails now
            callback.on_train_begin(trainer)

    @contextmanager
    def ended(self, trainer: Training) -> Iterator[None]:
        """At the end of the block, whatever happened, call on_train_end of all that began, even if some of them fail.

        Those that follow the weights come first, and leave the model as it was validated; then the others, the last
        that began first. So one that returns to the best weights has its way in any order of the callbacks.
        """
        with ExitStack() as stack:  # which calls the last first
            try:
                yield
            finally:
                for callback in sorted(self._begun, key=lambda one: one.follows):
                    stack.callback(callback.on_train_end, trainer)

    @property
    def pending(self) -> str:
        """The hook during which the checkpoint was written that training continues from."""
        return self._pending[0]

    def batches_ended(self, trainer: Training, records: list[StepRecord]) -> None:
        """Call on_batch_end with the loss of each step."""
        if len(records) == 1:
            self.call("on_batch_end", trainer, records[0][0])
            return
        for callback in self._on_batches:  # none of them looks at the model, or writes a checkpoint
            for loss, _, _ in records:
                callback.on_batch_end(trainer, loss)

    def call(self, hook: str, trainer: Training, *arguments: float | Row) -> None:
        """Call a hook of all; but not of those that it had reached when the checkpoint was written."""
        position, done = self._position, list[str]()
        if hook == self._pending[0]:
            done = self._pending[1] if hook in REPORTS else []
            self._pending = "", []
        position.hook, position.told = hook, []
        for callback in self._on_batches if hook == "on_batch_end" else self._callbacks:
            name = type(callback).__name__
            position.told.append(name)
            if name in done:
                done = done[done.index(name) + 1 :]  # the order is the same, though some may be missing
            else:
                getattr(callback, hook)(trainer, *arguments)
        position.hook, position.told = "", []
