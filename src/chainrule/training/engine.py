"""The protocol of the two engines that take the steps of training, and the one that takes them by operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from operator import is_
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from .._support.checks import Array, sentence
from .._support.errors import DivergenceError
from ..data.batches import Augmentation, Batches
from ..distributed.serial import SERIAL, Serial
from ..losses import LossFunction
from ..losses.base import total_weight
from ..model import Sequential
from ..optimizers import Optimizer
from ..runtime.signals import atomic
from ..runtime.threads import LARGE, blas_threads
from .state import SAME_DATA, EpochState, StepRecord

#: From a number of steps: a running mean of the parameters, and the weight of the parameters in it after each step.
Average: TypeAlias = "Callable[[int], tuple[Array, Array]]"
UNCHANGING = {float, int, bool, str, type(None)}
ALONE = nullcontext(slice(None))
ENDLESS_GRADIENT = "a gradient whose norm is not finite"


class Parts(NamedTuple):
    """The current parts of a step; callbacks may replace or modify each of them."""

    model: Sequential
    loss: LossFunction
    optimizer: Optimizer
    rng: np.random.Generator  # of the order of batches, and of augmentations
    average_penalty: bool
    augment: tuple[Augmentation, ...]
    communicator: Serial = SERIAL
    products: str | None = None

    def identities(self) -> list[Any]:
        """The objects that must stay the same, layers included."""
        return [*self[:5], *self.augment, self.communicator, self.products, *self.model.layers]


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
        self, epoch: EpochState, record_outputs: bool, single_step: bool, average: Average | None = None
    ) -> Generator[list[StepRecord], None, None]:
        """Take the remaining steps of the epoch and yield their records: many at a time unless ``single_step``.

        ``record_outputs`` stores the outputs, targets and weights of the batches in the epoch. An engine that takes
        many steps at a time also averages the parameters after each.
        """
        ...


def values_of(loss: LossFunction) -> list[Any]:
    """Copy the attributes of a loss, to detect changes in place."""
    return [_copied(value) for value in getattr(loss, "__dict__", {}).values()]


def _copied(value: Any) -> Any:
    if type(value) in UNCHANGING:
        return value
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def same(now: list[Any], then: list[Any]) -> bool:
    """Whether these are the same objects."""
    return len(now) == len(then) and all(map(is_, now, then))


class Interpreted:
    """The engine for any layers, loss and optimizer: each step is a few Python calls."""

    def __init__(self, parts: Parts, batches: Batches) -> None:
        self.failure: str | None = None
        self._parts, self._batches = parts, batches
        self._identities = parts.identities()

    def obeys(self, parts: Parts) -> bool:
        """Whether the parts are the same objects; their attributes are read at every step."""
        return same(parts.identities(), self._identities)

    def begin(self, most: int) -> EpochState:
        """Draw one epoch: its dropout draws numbers between this order and the next."""
        return EpochState(self._batches.order())

    def steps(
        self, epoch: EpochState, record_outputs: bool, single_step: bool, average: Average | None = None
    ) -> Generator[list[StepRecord], None, None]:
        communicator = self._parts.communicator
        work = self._largest_product() / communicator.size
        with blas_threads(work, communicator.threads if work >= LARGE else 0):
            for xb, yb, *rest in self._remaining(epoch):
                communicator.agree()
                for change in self._parts.augment:
                    xb, yb = change(xb, yb, self._parts.rng)
                rate = self._parts.optimizer.current_learning_rate
                loss, z = self._step(xb, yb, rest[0] if rest else None)
                weight = float(rest[0].sum(dtype=np.float64)) if rest else float(len(yb))
                if record_outputs:
                    self._record(epoch, communicator.whole(z, len(yb)), yb, *rest)
                epoch.done += 1
                yield [(loss, weight, rate)]

    def _remaining(self, epoch: EpochState) -> Iterator[tuple[Array, ...]]:
        """Yield the remaining batches; a compiled engine may have drawn the order of several epochs."""
        each, rows = len(self._batches), self._batches.rows
        while epoch.done < epoch.count * each:
            index, first = divmod(epoch.done, each)
            order = None if epoch.order is None else epoch.order[index * rows : (index + 1) * rows]
            yield from self._batches.epoch(order, first)

    def _record(self, epoch: EpochState, *arrays: Array) -> None:
        if not epoch.outputs:
            epoch.outputs = [np.zeros((self._batches.rows, *array.shape[1:]), array.dtype) for array in arrays]
        kinds = [[(array.shape[1:], array.dtype) for array in some] for some in (epoch.outputs, arrays)]
        if kinds[0] != kinds[1]:
            raise ValueError(sentence("fit", "to continue with the outputs of this network", "others", SAME_DATA))
        start = epoch.done * self._batches.size
        for room, array in zip(epoch.outputs, arrays, strict=True):
            room[start : start + len(array)] = array

    def _largest_product(self) -> int:
        shapes = self._parts.model.parameters.shapes.values()
        return 2 * self._batches.size * max((math.prod(shape) for shape in shapes if len(shape) == 2), default=0)

    @np.errstate(over="ignore", invalid="ignore")  # what overflows ends in a DivergenceError
    def _step(self, xb: Array, yb: Array, wb: Array | None) -> tuple[float, Array]:
        """Take a step; return the batch's loss, penalties included, and its outputs. A failure changes no parameter."""
        model, _, optimizer, _, average_penalty, _, communicator, _ = self._parts
        ranks = communicator.size if len(yb) >= communicator.size else 1  # fewer rows are no work to share
        with ALONE if ranks == 1 else model._opened_workspace().shard.of(communicator, len(yb)) as own:
            if ranks > 1:
                xb, yb, wb = xb[own], yb[own], None if wb is None else wb[own]
            z, value, dz, weight = self._loss(xb, yb, wb, ranks)
            total = weight
            if ranks > 1:
                sums = np.array([weight * value, weight])
                communicator.allreduce(sums)
                value, total = sums[0] / sums[1] if sums[1] else sums[0], sums[1]
            scale = total if average_penalty else 1.0
            share = 1 / scale if scale else 0.0
            value += share * model.penalty()
            if not math.isfinite(value):
                self.failure = f"a loss of {value}"
                return value, z
            if ranks > 1:
                scale *= ranks * (weight / total if total else 0.0)
            self._backward(dz, scale, share / ranks)
        if ranks > 1:
            communicator.allreduce(model.gradients.vector)
        try:
            with atomic:
                optimizer.step(model.parameters.vector, model.gradients.vector)
        except DivergenceError:
            self.failure = ENDLESS_GRADIENT
        return value, z

    def _loss(self, x: Array, y: Array, w: Array | None, ranks: int) -> tuple[Array, float, Array, float]:
        """Compute outputs, loss, dz and the sum of the weights, of the rows of this rank."""
        model, function = self._parts[:2]
        z = model.forward(x, training=True)
        result = function(z, y, w)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(sentence(repr(function), "to return (value, dz)", type(result).__name__))
        needed = ranks > 1 or self._parts.average_penalty
        return z, float(result[0]), result[1], total_weight(function, z, y, w) if needed else 1.0

    def _backward(self, dz: Array, scale: float, share: float) -> None:
        """Compute ∂L/∂θ + share · ∂P/∂θ: backward adds all of ∂P/∂θ, here to ``scale`` · ∂L/∂θ.

        Each of R ranks adds all of ∂P/∂θ to R · ∂L/∂θ of its rows, and takes a share that is smaller by R.
        """
        model = self._parts.model
        model.backward(dz if scale == 1 else np.multiply(dz, scale))
        if share != 1:
            gradient = model.gradients.vector
            gradient *= share
