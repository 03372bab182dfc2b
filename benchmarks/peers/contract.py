"""What a library is asked to do, in training and in prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from chainrule._support.checks import Array


class Contestant(Protocol):
    """A library in the middle of training one row."""

    def train(self, passes: int) -> None:
        """Train for some passes, with new batches for each epoch: this is what is timed."""

    def train_in_order(self) -> None:
        """One pass over the batches in the order of the rows."""

    def outputs(self) -> Array:
        """The outputs for all the data, by the network as it stands; logits where the row has classes."""


@dataclass(frozen=True)
class Predictor:
    """The outputs for rows given beforehand, as whatever the library gives that NumPy can read."""

    call: Callable[[], Any]
    probabilities: bool = False  # instead of logits

    def run(self, calls: int) -> None:
        """Predict so many times: this is what is timed."""
        call = self.call
        for _ in range(calls):
            call()
