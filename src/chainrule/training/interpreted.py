"""The steps of training, operation by operation: forward, loss, backward, step.

Where all of them have compiled kernels, plan.py takes many steps in one call.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from .._support.checks import Array, sentence, within
from .._support.errors import DivergenceError
from ..data.batches import Augmentation, Batches
from ..losses import LossFunction
from ..losses.base import total_weight
from ..model import Sequential
from ..optimizers import Optimizer
from ..runtime.signals import atomic
from ..runtime.threads import blas_threads

SAME_DATA = "pass the data that were trained on"
ENDLESS_GRADIENT = "a gradient whose norm is not finite"

#: What is known of a step once it is taken: the loss, the weight of its batch, the learning rate. A plain tuple: small
#: networks take a hundred thousand steps a second. Where there is a ``fault``, the last step was not taken.
Taken: TypeAlias = tuple[float, float, float]


def summary(taken: list[Taken]) -> dict[str, float]:
    """An epoch's loss, the mean over its batches by their weights, and the learning rate it began with."""
    total, weights = 0.0, 0.0
    for loss, weight, _ in taken:
        total, weights = total + loss * weight, weights + weight
    return {"loss": total / weights if weights else 0.0, "learning_rate": taken[0][2]}


@dataclass(eq=False, repr=False)  # each method that dataclasses compiles costs the import 0.1 ms
class Underway:
    """An epoch of which ``done`` steps are taken: what it takes to go on as if nothing had happened."""

    order: Array | None
    keys: Array | None  # of the dropouts in each step, where a plan drew them in advance
    done: int = 0
    seen: list[Array] = field(default_factory=list)  # outputs, targets, weights: rows in the epoch's order, so far

    def check(self, batches: Batches) -> None:
        """Raise unless it fits the batches: it may come from a file, which may be forged, and kernels trust it."""
        rows, order = batches.rows, self.order
        epochs = 1.0 if order is None else order.size / rows
        last = batches.arrays[0].shape[0] - 1
        if not (
            (
                order is None
                or (order.ndim == 1 and order.dtype in (np.int64, np.intp) and len(order) and within(order, 0, last))
            )
            and epochs.is_integer()
            and 0 <= self.done < epochs * len(batches)
            and all(array.shape[:1] == (rows,) for array in self.seen)
        ):
            raise ValueError(sentence("fit", "to go on within an epoch of these rows", "another one", SAME_DATA))


@dataclass(eq=False, repr=False)
class Progressed:
    """How far a training has come: whole epochs, and what is done of the next."""

    epoch: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    underway: Underway | None = None
    data_rows: int | None = None  # of an epoch
    generators: list[Any] | None = None  # the states of the random generators

    def steps(self, per_epoch: int) -> int:
        """The steps that are taken."""
        return self.epoch * per_epoch + len(self.taken)

    def check(self, batches: Batches) -> None:
        """Raise unless the data are as long as they were."""
        if self.data_rows not in (None, batches.rows):
            expected = f"data of {self.data_rows} rows an epoch, as before"
            raise ValueError(sentence("fit", expected, str(batches.rows), SAME_DATA))
        if self.underway is not None:
            self.underway.check(batches)


class Steps:
    """The steps of one training, each a few calls of the interpreter: for whatever layers, loss and optimizer."""

    def __init__(
        self,
        model: Sequential,
        loss: LossFunction,
        optimizer: Optimizer,
        batches: Batches,
        average_penalty: bool = False,
        augment: Sequence[Augmentation] = (),
    ) -> None:
        self.model, self.loss, self.optimizer, self.batches = model, loss, optimizer, batches
        self.average_penalty = average_penalty
        self.augment = augment
        self.underway: Underway | None = None  # assign one to go on with it
        self.seen: list[Array] = []  # outputs, targets and weights of the last epoch, if they were to be kept
        self.fault: str | None = None  # what was not finite, where the last step was not taken

    def epochs(self, count: int, keep: bool, one_by_one: bool) -> Generator[list[Taken], None, None]:
        """Train for ``count`` epochs, and tell of the steps as they are taken.

        The outputs, targets and weights of the batches are then in ``seen``, if told to ``keep`` them. Steps come one
        by one here even if they need not. An epoch that is under way is gone on with, and is the first of them.
        """
        with blas_threads(self._largest_product()):
            for _ in range(count):
                epoch = self.underway = self.underway or Underway(self.batches.order(), None)
                for xb, yb, *rest in self.batches.epoch(epoch.order, epoch.done):
                    for change in self.augment:
                        xb, yb = change(xb, yb, self.batches.rng)
                    rate = self.optimizer.current_learning_rate
                    loss, z = self._step(xb, yb, rest[0] if rest else None)
                    weight = float(rest[0].sum(dtype=np.float64)) if rest else float(len(yb))
                    if keep:
                        self._keep(epoch, z, yb, *rest)
                    epoch.done += 1
                    yield [(loss, weight, rate)]
                self.underway, self.seen = None, epoch.seen

    def _keep(self, epoch: Underway, *arrays: Array) -> None:
        """Copy the batch's arrays to their place in the epoch's."""
        if not epoch.seen:
            epoch.seen = [np.zeros((self.batches.rows, *array.shape[1:]), array.dtype) for array in arrays]
        kinds = [[(array.shape[1:], array.dtype) for array in some] for some in (epoch.seen, arrays)]
        if kinds[0] != kinds[1]:
            raise ValueError(sentence("fit", "to go on with the outputs of this network", "others", SAME_DATA))
        start = epoch.done * self.batches.size
        for room, array in zip(epoch.seen, arrays, strict=True):
            room[start : start + len(array)] = array

    def _largest_product(self) -> int:
        """Operations of the largest matrix product of a step."""
        matrices = (math.prod(shape) for shape in self.model.parameters.shapes.values() if len(shape) == 2)
        return 2 * self.batches.size * max(matrices, default=0)

    @np.errstate(over="ignore", invalid="ignore")  # what overflows is told in a sentence, as DivergenceError
    def _step(self, xb: Array, yb: Array, wb: Array | None) -> tuple[float, Array]:
        """The batch's loss, with the model's penalties, and its outputs; the parameters move if there is no fault."""
        z = self.model.forward(xb, training=True)
        result = self.loss(z, yb, wb)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(sentence(repr(self.loss), "to return (value, dz)", type(result).__name__))
        total = total_weight(self.loss, z, yb, wb) if self.average_penalty else 1.0
        share = 1 / total if total else 0.0
        value, dz = float(result[0]) + share * self.model.penalty(), result[1]
        if not math.isfinite(value):
            self.fault = f"a loss of {value}"
            return value, z
        self._backward(dz, total, share)
        try:
            with atomic:
                self.optimizer.step(self.model.parameters.vector, self.model.gradients.vector)
        except DivergenceError:
            self.fault = ENDLESS_GRADIENT
        return value, z

    def _backward(self, dz: Array, total: float, share: float) -> None:
        """∂L/∂θ + share · ∂P/∂θ, whatever the layers: backward adds the whole ∂P/∂θ, here to ∂L/∂θ times ``total``."""
        self.model.backward(dz if total == 1 else np.multiply(dz, total))
        if share != 1:
            gradient = self.model.gradients.vector
            gradient *= share
