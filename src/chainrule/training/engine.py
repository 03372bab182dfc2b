"""The protocol of the two engines that take the steps of training, and the parts of a step."""

from __future__ import annotations

from collections.abc import Generator
from operator import is_
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..data.batches import Augmentation
from ..losses import LossFunction
from ..model import Sequential
from ..optimizers import Optimizer
from .state import EpochState, StepRecord

ENDLESS_GRADIENT = "a gradient whose norm is not finite"


class Parts(NamedTuple):
    """The current parts of a step; callbacks may replace or modify each of them."""

    model: Sequential
    loss: LossFunction
    optimizer: Optimizer
    rng: np.random.Generator  # of the order of batches, and of augmentations
    average_penalty: bool
    augment: tuple[Augmentation, ...]

    def identities(self) -> list[Any]:
        """The objects that must stay the same, layers included."""
        return [*self[:5], *self.augment, *self.model.layers]


class Engine(Protocol):
    """Takes steps: operation by operation, or many in one compiled call, with the same result to rounding.

    Attributes
    ----------
    failure : str or None
        What was not finite; the last step was then not taken.
    """

    failure: str | None

    def obeys(self, parts: Parts) -> bool:
        """Whether the engine still fits the parts; if not, a new one must be made."""
        ...

    def begin(self, most: int) -> EpochState:
        """Draw the next epoch, or up to ``most`` epochs if that saves time."""
        ...

    def steps(
        self, epoch: EpochState, record_outputs: bool, single_step: bool
    ) -> Generator[list[StepRecord], None, None]:
        """Take the remaining steps of the epoch and yield their records: many at a time unless ``single_step``.

        ``record_outputs`` stores the outputs, targets and weights of the batches in the epoch.
        """
        ...


def values_of(loss: LossFunction) -> list[Any]:
    """Copy the attributes of a loss, to detect changes in place."""
    return [_copied(value) for value in getattr(loss, "__dict__", {}).values()]


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def same(now: list[Any], then: list[Any]) -> bool:
    """Whether these are the same objects."""
    return len(now) == len(then) and all(map(is_, now, then))
