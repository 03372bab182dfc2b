"""Explain training that is no longer finite, and roll it back; or training that learned nothing."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from .._support import checks as _checks
from .._support.checks import Array, is_sparse, sentence
from .._support.errors import DivergenceError
from .._support.notices import warn
from .._support.overrides import is_of_package
from ..data.scale import MOST_ROWS, about_scale, about_targets
from ..layers import Dropout, Flatten, GaussianNoise, Linear
from ..layers.workspace import Workspace
from ..losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    HalfSquaredError,
    Huber,
    LogCosh,
    Loss,
    PoissonNLL,
    SquaredError,
)
from ..model import Sequential
from ..ops.fused import twin
from .callbacks.base import Record, copied
from .engine import Parts
from .inputs import Data
from .state import Stateful, StepRecord, TrainingState, arrays_of, refer, unpack

all_finite = twin(_checks.all_finite)

#: The losses whose best constant is known, at least nearly.
KNOWN = AbsoluteError, BinaryCrossEntropy, CrossEntropy, HalfSquaredError, Huber, LogCosh, PoissonNLL, SquaredError


def advise(parts: Parts, data: Data, history: Record) -> None:
    """Warn, after training that was not interrupted, if there is something to say."""
    if history.rows and not history.interrupted:
        message = after_learning_nothing(parts, data, history.rows[-1]["loss"])
        if message:
            warn(message)


def after_learning_nothing(parts: Parts, data: Data, loss: float) -> str:
    """Return what to scale if a constant is as good as the network, which ended with ``loss``; otherwise "".

    This is never a guess: the sentence gives the network's loss, a constant's loss on the same rows, and the badly
    scaled column.
    """
    x, y, weight = (None if array is None else array[:MOST_ROWS] for array in data)
    if x is None or y is None or is_sparse(x) or not (_begins_dense(parts.model) and is_of_package(parts.loss)):
        return ""
    z = parts.model.predict(x)
    constant = best_constant(parts.loss, y, weight, z.shape[1])
    if constant is None:
        return ""
    mine, least = (float(parts.loss(o, y, weight)[0]) for o in (z, np.broadcast_to(constant.astype(z.dtype), z.shape)))
    if not min(mine, loss) >= least > 0:
        return ""
    found = [*about_scale(x), *about_targets(y, labels=y.dtype.kind in "iub")]
    got = f"a loss of {mine:.3g}, where a constant has {least:.3g}"
    remedy = found[0][0].lower() + found[0][1:].rstrip(".") if found else ""
    return sentence("fit", "a network that learns something", got, remedy) if found else ""


def _begins_dense(model: Sequential) -> bool:
    """Whether x reaches a dense layer unchanged, without a normalization or a user's layer before it."""
    first = next((layer for layer in model.layers if not isinstance(layer, (Dropout, Flatten, GaussianNoise))), None)
    return type(first) is Linear


def best_constant(loss: Any, y: Array, weight: Array | None, outputs: int = 0) -> Array | None:
    """Return the outputs (K,) of a network that knows only the distribution of y; None if unknown."""
    if getattr(loss, "from_logits", True) is False or not isinstance(loss, KNOWN):
        return None
    if weight is not None and not weight.any():
        return None
    if isinstance(loss, CrossEntropy) and y.ndim == 1:
        counts = np.bincount(y.astype(np.intp), weight, outputs)
        return _log(counts / counts.sum())
    mean: Array = np.average(y, axis=0, weights=weight)
    if isinstance(loss, CrossEntropy):
        return _log(mean)
    if isinstance(loss, BinaryCrossEntropy):
        return _log(mean) - _log(1 - mean) if ((mean > 0) & (mean < 1)).all() else None
    if isinstance(loss, PoissonNLL):
        return _log(mean) if (mean > 0).all() else None
    return mean


def _log(shares: Array) -> Array:
    logarithms: Array = np.log(np.maximum(shares, np.finfo(float).tiny))
    return logarithms


SHARE = 0.01  # largest share of the time spent on copies


class Rollback:
    """Recent copies of the parameters, running statistics, the optimizer's state and that of following callbacks.

    A new copy is made whenever copying takes at most a hundredth of the time since the last one. A rollback restores
    the copy before the last, which may date from the steps in which training diverged.
    """

    def __init__(self, state: TrainingState) -> None:
        start = time.perf_counter()
        if not isinstance(state.optimizer.state.get("step"), np.ndarray):
            state.optimizer.prepare(state.model.parameters.vector)  # creates it now, not in the first step
        self._kept = deque([_copied(state, {})])
        self._room = {name: np.empty_like(kept) for name, kept in self._kept[0].items() if isinstance(kept, np.ndarray)}
        self._due = _after(start)

    def keep(self, state: TrainingState) -> None:
        """Check and copy the state, unless the last copy is recent."""
        start = time.perf_counter()
        if start >= self._due:
            self.check(state.model)
            self._kept.append(_copied(state, self._kept.popleft() if len(self._kept) > 1 else self._room))
            self._due = _after(start)

    def check(self, model: Sequential) -> None:
        """Raise unless all parameters are finite."""
        if not all_finite(model.parameters.vector):
            raise DivergenceError("parameters that are not finite")

    @property
    def steps(self) -> int:
        return int(self._kept[0].get("optimizer/step", 0))

    def restore(self, state: TrainingState) -> None:
        kept = self._kept[0]
        for name, array in arrays_of(state.model):
            array[...] = kept[name]
        state.optimizer.state = {
            name.removeprefix("optimizer/"): array for name, array in kept.items() if name.startswith("optimizer/")
        }
        for index, callback in enumerate(_followers(state)):
            callback.load_state(unpack(kept[f"facts/{index}"], kept))


def _copied(state: TrainingState, rooms: dict[str, Any]) -> dict[str, Any]:
    """Copy the state that changes with every step, into the memory of an earlier copy if it fits."""
    arrays: dict[str, Any] = dict(arrays_of(state.model))
    arrays |= {f"optimizer/{name}": array for name, array in state.optimizer.state.items()}
    facts = {}
    for index, callback in enumerate(_followers(state)):
        facts[f"facts/{index}"] = refer(callback.state(), f"callback/{index}", arrays)
    earlier = [rooms[name] for name in arrays if name in rooms]
    return dict(zip(arrays, copied(list(arrays.values()), earlier), strict=True)) | facts


def _followers(state: TrainingState) -> list[Stateful]:
    return [callback for callback in state.callbacks if callback.follows]


def _after(start: float) -> float:
    """Return when the next copy is due, after one that began at ``start``."""
    end = time.perf_counter()
    return end + (end - start) / SHARE


class Failure(NamedTuple):
    """The step that failed, or that led to non-finite parameters."""

    reason: str
    epoch: int  # from 1
    step: int  # in the epoch, from 0
    rows: Array  # the places of the batch's rows in the arrays
    numbers: Array  # and in the data
    records: list[StepRecord]  # of the epoch so far


def divergence_error(failure: Failure, parts: Parts, arrays: list[Array], returned_to: int) -> DivergenceError:
    """Return the error to raise, with the step, the layer and the likely cause.

    ``arrays`` are x, y and the weights, if any; ``returned_to`` is the step of the restored weights.
    """
    batch = [array[failure.rows] for array in arrays]
    layer: str | None = None
    found = ""
    with np.errstate(all="ignore"):
        with suppress(Exception):  # an error in a user's layer or loss must not hide this one
            layer, found = next(_findings(parts, failure.numbers, *batch), (None, ""))
        cause = _cause(parts.loss, arrays, failure)
    epoch, step, rate = failure.epoch, failure.step + 1, parts.optimizer.current_learning_rate
    got = f"{failure.reason} in epoch {epoch}, step {step}, at learning rate {rate:g}" + (f": {found}" if found else "")
    error = DivergenceError(
        f"{sentence('fit', 'finite numbers', got, cause)} The model has its weights of step {returned_to} again."
    )
    error.epoch, error.step, error.layer = epoch, step, layer
    return error


def _findings(
    parts: Parts, rows: Array, x: Array, y: Array, weight: Array | None = None
) -> Iterator[tuple[str | None, str]]:
    """Yield each layer and what is not finite there: first from earlier steps, then from this one."""
    model, loss = parts.model, parts.loss
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
    """List the layers with non-finite numbers, beginning at the loss, from where they spread."""
    return sorted(
        {int(name.split(".")[0]) for name, array in parameters.items() if not all_finite(array)}, reverse=True
    )


def _name(loss: Any) -> str:
    return repr(loss) if isinstance(loss, Loss) else getattr(loss, "__name__", repr(loss))


def _row_of(loss: Any, z: Array, y: Array, rows: Array) -> str:
    with suppress(Exception):  # a user's loss may not accept single rows
        for index, row in enumerate(rows):
            if not isfinite(float(loss(z[index : index + 1], y[index : index + 1], None)[0])):
                return f" for row {row}"
    return ""


def _cause(loss: Any, arrays: list[Array], failure: Failure) -> str:
    """Return the likeliest cause: large numbers, a high learning rate, or a loss that is not defined everywhere."""
    some = np.union1d(np.arange(min(len(arrays[1]), MOST_ROWS)), failure.rows)
    x, y = arrays[0][some], arrays[1][some]
    for finding in [*about_scale(x.toarray() if is_sparse(x) else x), *about_targets(y, labels=y.dtype.kind in "iub")]:
        return finding[0].lower() + finding[1:].rstrip(".")
    finite = [value for value, _, _ in failure.records if isfinite(value)]
    if finite and finite[-1] > 2 * abs(finite[0]):
        return f"the loss rose from {finite[0]:.3g} to {finite[-1]:.3g}: lower the learning rate"
    if isinstance(loss, Loss):
        return "lower the learning rate"
    return "guard the loss against log(0) and division by 0, or lower the learning rate"
