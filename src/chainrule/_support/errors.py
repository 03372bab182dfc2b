"""What a user may want to catch."""

from __future__ import annotations


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
