"""A rate that answers to the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

from .._support.checks import check_integer, check_number
from .._support.settings import AT_LEAST_ZERO, checking

__all__ = ["ReduceOnPlateau"]


@dataclass
@checking(
    rate=AT_LEAST_ZERO,
    factor=partial(check_number, above=0, below=1),
    patience=partial(check_integer, minimum=0),
    minimum=AT_LEAST_ZERO,
    threshold=AT_LEAST_ZERO,
)
class ReduceOnPlateau:
    """A rate that is cut when the loss has stopped falling.

        better:  loss < best − threshold · |best|
        η ← max(η · factor, minimum)        after more than ``patience`` epochs in a row that were not better

    It remembers: the Trainer calls :meth:`observe` with the loss at the end of each epoch, and a checkpoint holds what
    it knows. The rule is PyTorch's for positive losses; for negative ones, where PyTorch's best · (1 − threshold)
    accepts a worse loss, it still asks for a lower one. A NaN is not better than anything.

    Parameters
    ----------
    rate : float, >= 0
        The rate to begin with.
    factor : float in (0, 1)
        What the rate is multiplied by when it is cut.
    patience : int, >= 0
        Epochs without improvement to wait before cutting the rate.
    minimum : float, >= 0
        No cut goes below this rate.
    threshold : float, >= 0
        The relative improvement that counts.

    Examples
    --------
    >>> import chainrule as cr
    >>> schedule = cr.schedules.ReduceOnPlateau(1.0, factor=0.5, patience=1)
    >>> for loss in (0.9, 0.9, 0.9):
    ...     schedule.observe(loss)
    >>> schedule(step=300)
    0.5
    """

    rate: float
    factor: float = 0.1
    patience: int = 10
    minimum: float = 0.0
    threshold: float = 1e-4
    current: float = field(init=False, repr=False)
    best: float = field(init=False, repr=False)
    bad_epochs: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.current, self.best, self.bad_epochs = self.rate, math.inf, 0

    def __call__(self, step: int, total_steps: int | None = None) -> float:
        return self.current

    def observe(self, loss: float) -> None:
        """Take note of an epoch's loss, and cut the rate if patience has run out.

        Parameters
        ----------
        loss : float
            The loss that is watched: of the validation data where there are some, else of training.
        """
        better = loss < self.best - self.threshold * abs(self.best) if math.isfinite(self.best) else loss < self.best
        self.best = loss if better else self.best
        self.bad_epochs = 0 if better else self.bad_epochs + 1
        if self.bad_epochs > self.patience:
            self.current = min(self.current, max(self.current * self.factor, self.minimum))
            self.bad_epochs = 0
