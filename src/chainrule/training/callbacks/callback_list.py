"""The callbacks of a fit, called in order; after a resume, only those that the checkpoint had not reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...runtime.signals import released
from ..state import Position, Row, StepRecord
from .base import Callback, Training

HOOKS = ("on_epoch_begin", "on_batch_end", "on_validation_begin", "on_validation_end", "on_epoch_end", "on_pause")
REPORTS = ("on_batch_end", "on_validation_end", "on_epoch_end")  # hooks that must run once; the others may run again
PACKAGE = __name__.partition(".")[0] + "."


class CallbackList:
    """Calls a hook of every callback.

    Any of them may write a checkpoint at that moment. The position therefore records the hook and the callbacks that it
    has reached; a resumed training calls the others. Signals interrupt hooks of users' callbacks at once; hooks of this
    package, which change weights and states, finish first.

    Attributes
    ----------
    single_step : bool
        Whether a callback must see the model after every step.
    watch_epochs : bool
        Whether a callback must see the model after every epoch.
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
        self.single_step = any(callback.live for callback in callbacks if _defines(callback, "on_batch_end"))
        self.watch_epochs = any(callback.live for callback in callbacks)

    def begin(self, trainer: Training) -> None:
        """Call on_train_begin of all."""
        position, (hook, done) = self._position, self._pending
        resumed, position.hook, position.told = position.resumed, "on_train_begin", []
        for callback in self._callbacks:
            name = type(callback).__name__
            position.told.append(name)
            position.resumed = resumed and (hook != "on_train_begin" or name in done)  # otherwise it had not begun
            self._begun.append(callback)  # even if it fails now
            _Hook(callback, "on_train_begin").call(trainer)
        position.hook, position.told, position.resumed = "", [], resumed

    @contextmanager
    def ended(self, trainer: Training) -> Iterator[None]:
        """At the end of the block, call on_train_end of all callbacks that began, even if some of them fail.

        Those that follow the weights come first and leave the model as it is validated. The others come in reverse
        order. A callback that restores the best weights therefore works in any order of the callbacks.
        """
        try:
            yield
        finally:
            followers = [callback for callback in self._begun if callback.follows]
            others = [callback for callback in self._begun if not callback.follows]
            _end(trainer, [*followers, *reversed(others)])

    @property
    def pending(self) -> str:
        """The hook that wrote the checkpoint from which training resumed."""
        return self._pending[0]

    def batches_ended(self, trainer: Training, records: list[StepRecord]) -> None:
        """Call on_batch_end with the loss of each step."""
        if len(records) == 1:
            self.call("on_batch_end", trainer, records[0][0])
            return
        for hook in self._hooks["on_batch_end"]:  # none of them reads the model or writes a checkpoint
            for loss, _, _ in records:
                hook.call(trainer, loss)

    def call(self, name: str, trainer: Training, *arguments: float | Row) -> None:
        """Call a hook of all callbacks except those that it had reached when the checkpoint was written."""
        position, done = self._position, list[str]()
        if name == self._pending[0]:
            done = self._pending[1] if name in REPORTS else []
            self._pending = "", []
        position.hook, position.told = name, []
        for hook in self._hooks[name]:
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
        """Call it."""
        if self._ours:
            self._function(*arguments)
        else:
            with released:
                self._function(*arguments)


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
