"""What a user may want to catch."""

from __future__ import annotations

from typing import Any, NoReturn


class DivergenceError(ValueError):
    """A training has left the finite numbers: its loss, its gradient or its parameters did.

    Attributes
    ----------
    epoch, step : int or None, the epoch and the step in it, both counted from 1, that could not be taken
    layer : str or None, the layer where the first such number came up, as ``repr`` writes it

    Examples
    --------
    >>> import chainrule as cr
    >>> trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", cr.SGD(1e30))
    >>> try:
    ...     history = trainer.fit([[1.0], [2.0]], [[1.0], [3.0]], verbose=0)
    ... except cr.DivergenceError as error:
    ...     print("step", error.step, "of epoch", error.epoch)
    step 1 of epoch 2
    """

    epoch: int | None = None
    step: int | None = None
    layer: str | None = None


class StopTraining(Exception):  # noqa: N818  (it is no error)
    """Raised by a callback, in any of its hooks, to end training at once; what was learned is kept.

    ``trainer.stop = True`` ends it after the epoch. The History is then ``interrupted``, and the reason is in it.

    Examples
    --------
    >>> import chainrule as cr
    >>> from chainrule.training.callbacks import StopTraining
    >>> class StopAfter(cr.Callback):
    ...     def on_batch_end(self, trainer, loss):
    ...         if trainer.step == 3:
    ...             raise StopTraining("three steps are enough")
    >>> trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", callbacks=[StopAfter()], batch_size=1)
    >>> history = trainer.fit([[1.0], [2.0]], [[1.0], [3.0]], verbose=0)
    >>> len(history), trainer.step, history.interrupted, history.reason
    (1, 3, True, 'three steps are enough')
    """


class Elsewhere:
    """A method that such objects have in other libraries; accessing it raises an error that names our equivalent.

    To ``hasattr`` it is not there.
    """

    def __init__(self, remedy: str) -> None:
        self.remedy = remedy

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}; {self.remedy}")
