"""Why a training left the finite numbers, and the state that it returns to."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from typing import Any

import numpy as np

from .._support.checks import Array, all_finite, is_sparse, sentence
from .._support.errors import DivergenceError
from ..data.scale import MOST_ROWS, about_scale, about_targets
from ..layers.base import Workspace
from ..losses import Loss
from .callbacks.base import Callback, learned
from .interpreted import Taken

SHARE = 0.01  # of the time may go into copies


class LastGood:
    """Parameters, running statistics, the optimizer's state and that of an average, some moments ago.

    It copies them anew whenever that takes no more than a hundredth of the time since the last copy. The copy before
    that is the one to return to: the last may be of the few steps in which a training goes astray.
    """

    def __init__(self, trainer: Any) -> None:
        start = time.perf_counter()
        self._trainer = trainer
        trainer.optimizer.prepare(trainer.model.parameters.vector)  # its state begins here, not in the first step
        self._kept = deque({name: _copy(value, None) for name, value in self._state()} for _ in range(2))
        self._due = self._next(start)

    def check(self) -> None:
        """Raise unless all parameters are finite."""
        if not all_finite(self._trainer.model.parameters.vector):
            raise DivergenceError("parameters that are not finite")

    def keep(self) -> None:
        """Check and copy the state, unless that was done a short time ago."""
        start = time.perf_counter()
        if start < self._due:
            return
        self.check()
        room = self._kept.popleft()
        self._kept.append({name: _copy(value, room.get(name)) for name, value in self._state()})
        self._due = self._next(start)

    @staticmethod
    def _next(start: float) -> float:
        end = time.perf_counter()
        return end + (end - start) / SHARE

    def _state(self) -> Iterator[tuple[str, Any]]:
        trainer = self._trainer
        for index, array in enumerate(learned(trainer.model)):
            yield f"learned/{index}", array
        for name, array in trainer.optimizer.state.items():
            yield f"optimizer/{name}", array
        for index, callback in self._followers():
            for name, value in callback.state().items():
                yield f"{index}/{name}", value

    def _followers(self) -> list[tuple[int, Callback]]:
        return [(index, callback) for index, callback in enumerate(self._trainer.callbacks) if callback.follows]

    @property
    def steps(self) -> int:
        """The number of steps that the optimizer had taken."""
        return int(self._kept[0].get("optimizer/step", 0))

    def restore(self) -> None:
        """Bring that state back."""
        kept, trainer = self._kept[0], self._trainer
        for index, array in enumerate(learned(trainer.model)):
            array[...] = kept[f"learned/{index}"]
        trainer.optimizer.state = _under(kept, "optimizer/")
        for index, callback in self._followers():
            callback.load_state(_under(kept, f"{index}/"))


def _copy(value: Any, room: Any) -> Any:
    """A copy of an array, in the memory of an earlier one where that fits: a warm step allocates nothing large."""
    if not isinstance(value, np.ndarray):
        return value
    if room is None or (room.shape, room.dtype) != (value.shape, value.dtype):
        return value.copy()
    np.copyto(room, value)
    return room


def _under(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def explained(trainer: Any, fault: str, good: LastGood) -> DivergenceError:
    """The error to raise for the last step that the trainer took: with the step, the layer and the likely cause."""
    batches, taken = trainer._steps.batches, trainer._taken
    place = max(len(taken) - 1, 0)
    epochs, step = divmod(place, len(batches))
    rows = _rows(trainer._steps.underway, batches, epochs, step)
    batch = [array[rows] for array in batches.arrays]
    layer: str | None = None
    found = ""
    with np.errstate(all="ignore"):
        with suppress(Exception):  # of a layer or loss of the user's: it must not hide what happened
            layer, found = next(_findings(trainer, rows, *batch), (None, ""))
        cause = _cause(trainer, batches.arrays, rows, taken)
    epoch, rate = trainer.epoch + epochs, trainer.optimizer.current_learning_rate
    got = f"{fault} in epoch {epoch}, step {step + 1}, at learning rate {rate:g}" + (f": {found}" if found else "")
    told = DivergenceError(
        f"{sentence('fit', 'finite numbers', got, cause)} The model has its weights of step {good.steps} again."
    )
    told.epoch, told.step, told.layer = epoch, step + 1, layer
    return told


def _rows(underway: Any, batches: Any, epochs: int, step: int) -> Array:
    """The numbers of the batch's rows."""
    start = step * batches.size
    there = np.arange(start, min(start + batches.size, batches.rows))
    order = None if underway is None else underway.order
    return there if order is None else order[epochs * batches.rows + there]


def _findings(
    trainer: Any, rows: Array, x: Array, y: Array, weight: Array | None = None
) -> Iterator[tuple[str | None, str]]:
    """The layer, and what is no longer finite there: first what the steps before did, then this one from its start."""
    model, loss = trainer.model, trainer.loss
    layers = [(repr(layer), f"layer {index}, {layer!r},") for index, layer in enumerate(model.layers)]
    for index in _layers_with(model.parameters):
        yield layers[index][0], f"the parameters of {layers[index][1]} are no longer finite"
    signal, work = x, Workspace(True, copy.deepcopy(model.rng))
    for index, layer in enumerate(model.layers):
        signal = layer.forward(signal, work.child(index))
        if not all_finite(signal):
            bad = int(np.argmin(np.isfinite(signal).reshape(len(rows), -1).all(axis=1)))
            yield layers[index][0], f"{layers[index][1]} overflows for row {rows[bad]}"
    value, dz = loss(signal, y, weight)
    if not isfinite(float(value)):
        yield _name(loss), f"the loss, {_name(loss)}, is {value}{_row_of(loss, signal, y, rows)}, its input finite"
    if not isfinite(model.penalty()):
        yield None, "the penalties overflow"
    if not all_finite(dz):
        yield _name(loss), f"the gradient of the loss, {_name(loss)}, is not finite, its value is"
    model.forward(x, training=True)
    model.backward(dz)
    for index in _layers_with(model.gradients):
        yield layers[index][0], f"the gradient of {layers[index][1][:-1]} overflows"


def _layers_with(parameters: Any) -> list[int]:
    """The layers whose numbers are not all finite, the one next to the loss first: from there it spread."""
    return sorted(
        {int(name.split(".")[0]) for name, array in parameters.items() if not all_finite(array)}, reverse=True
    )


def _name(loss: Any) -> str:
    return repr(loss) if isinstance(loss, Loss) else getattr(loss, "__name__", repr(loss))


def _row_of(loss: Any, z: Array, y: Array, rows: Array) -> str:
    """Where a loss by itself is not finite."""
    with suppress(Exception):  # a loss of the user's may not be made for single rows
        for index, row in enumerate(rows):
            if not isfinite(float(loss(z[index : index + 1], y[index : index + 1], None)[0])):
                return f" for row {row}"
    return ""


def _cause(trainer: Any, arrays: list[Array], rows: Array, taken: list[Taken]) -> str:
    """The likeliest: numbers that are too large, a rate that is too high, a loss that is not defined everywhere."""
    some = np.union1d(np.arange(min(len(arrays[1]), MOST_ROWS)), rows)
    x, y = arrays[0][some], arrays[1][some]
    for finding in [*about_scale(x.toarray() if is_sparse(x) else x), *about_targets(y, labels=y.dtype.kind in "iub")]:
        return finding[0].lower() + finding[1:].rstrip(".")
    finite = [loss for loss, _, _ in taken if isfinite(loss)]
    if finite and finite[-1] > 2 * abs(finite[0]):
        return f"the loss rose from {finite[0]:.3g} to {finite[-1]:.3g}: lower the learning rate"
    if isinstance(trainer.loss, Loss):
        return "lower the learning rate"
    return "guard the loss against log(0) and division by 0, or lower the learning rate"
