"""What takes the steps of training: the protocol of the two engines, and the parts that a step is made of."""

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
    """What a step is made of, as it is at the moment: callbacks may replace each part, and change what is in it."""

    model: Sequential
    loss: LossFunction
    optimizer: Optimizer
    rng: np.random.Generator  # of the order of batches, and of augmentations
    average_penalty: bool
    augment: tuple[Augmentation, ...]

    def identities(self) -> list[Any]:
        """The objects themselves, the layers among them."""
        return [*self[:5], *self.augment, *self.model.layers]


class Engine(Protocol):
    """Takes steps: operation by operation, or many in one compiled call, with the same result to rounding.

    Attributes
    ----------
    failure : str or None, what was not finite; the last step was then not taken
    """

    failure: str | None

    def obeys(self, parts: Parts) -> bool:
        """Whether the next step would do what the parts say now; if not, another engine must be made."""
        ...

    def begin(self, most: int) -> EpochState:
        """Draw the next epoch, or up to ``most`` epochs if so many in a row pay."""
        ...

    def steps(
        self, epoch: EpochState, record_outputs: bool, single_step: bool
    ) -> Generator[list[StepRecord], None, None]:
        """Take the steps that are left of the epoch, and yield the record of each.

        Records come many at a time, unless ``single_step`` asks for one by one. The outputs, targets and weights of the
        batches are stored in the epoch if ``record_outputs`` asks for it.
        """
        ...


def values_of(loss: LossFunction) -> list[Any]:
    """What a loss holds, as it is now, should it be changed in place."""
    return [_copied(value) for value in getattr(loss, "__dict__", {}).values()]


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def same(now: list[Any], then: list[Any]) -> bool:
    """Whether these are the very same objects."""
    return len(now) == len(then) and all(map(is_, now, then))
