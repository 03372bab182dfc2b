"""Predictions: re-entrant, in bounded memory, and by compiled kernels if every layer has one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .._support import checks
from .._support.checks import (
    Array,
    as_samples,
    check_finite,
    check_integer,
    is_source,
    is_sparse,
    sentence,
)
from .._support.overrides import is_of_package
from ..layers.base import Layer, all_within, changes
from ..layers.chain import forward_through
from ..layers.columns import check_all_codes
from ..layers.kernels import Dense, Mean, compiled_network, forward
from ..layers.linear import check_takes_sparse
from ..layers.program import programs
from ..layers.workspace import Workspace
from ..ops.fused import compiled, twin
from ..parameters import Parameters
from ..runtime.sharing import share
from ..runtime.threads import available_threads

all_finite = twin(checks.all_finite)

# Rows predicted at a time: fewer make the threads of the BLAS wait for each other more often, more gain nothing.
BATCH_BYTES = 16 << 20  # of the widest activations
LEAST_ROWS, MOST_ROWS = 128, 4096
WORK_A_THREAD = 10_000_000  # multiplications, 0.2 ms: starting a second thread takes twice that


class Network(Protocol):
    """What a prediction needs of a model."""

    layers: list[Layer]
    dtype: np.dtype[Any]
    parameters: Parameters

    @property
    def rng(self) -> np.random.Generator:
        """The generator passed to the layers; none uses it in prediction."""
        ...

    def forward(self, x: Any) -> Array:
        """The outputs of a batch."""
        ...


class Predictor:
    """Predicts for a model, and keeps what the next prediction can reuse.

    Threads never write to shared memory: each call has a workspace of its own.
    """

    def __init__(self, widest: int) -> None:
        self._widest = widest  # of the outputs of all layers
        self._free: list[Workspace] = []  # of finished predictions
        self._made: tuple[int, list[Layer], list[Dense] | Mean | None] | None = None

    def __reduce__(self) -> tuple[type[Predictor], tuple[int]]:
        """Copy without the memory of any batch."""
        return Predictor, (self._widest,)

    def predict(self, model: Network, x: Any, batch_size: int | None, by_forward: bool) -> Array:
        """Compute the outputs of all rows; see ``Sequential.predict``.

        ``by_forward`` is True if ``model.forward`` is overridden and must compute each batch.
        """
        given = x
        if type(x) is not np.ndarray or x.dtype.kind != "f" or not x.ndim:
            if is_source(x):
                return _predict_source(x, lambda part: self.predict(model, part, batch_size, by_forward))
            x = as_batch(model.layers, x)
        size = (
            self._rows_at_a_time(model, x) if batch_size is None else check_integer("predict", "batch_size", batch_size)
        )
        if compiled is not None and isinstance(x, np.ndarray) and x.ndim == 2 and len(x):
            layers = None if by_forward else self._compiled_layers(model)
            if layers and (y := _predict_compiled(model, layers, x, size, given)) is not None:
                return y
        try:
            work = self._free.pop()
        except IndexError:
            work = Workspace(False, model.rng)
        y = _predict_by_layers(model, x, size, given, None if by_forward else work)
        work.forget()
        if batch_size is None:
            self._free.append(work)
        return y

    def _compiled_layers(self, model: Network) -> list[Dense] | Mean | None:
        """Translate the layers for the compiled prediction; cached until a setting of any layer changes."""
        stamp = changes.stamp
        if self._made is not None and self._made[0] == stamp and self._made[1] == model.layers:
            return self._made[2]
        program = programs(model.layers)
        layers = None if program is None else compiled_network(program)
        if all(map(is_of_package, all_within(model.layers))):  # a user's program may depend on anything
            self._made = stamp, list(model.layers), layers
        return layers

    def _rows_at_a_time(self, model: Network, x: Array) -> int:
        if x.shape[0] <= LEAST_ROWS:
            return LEAST_ROWS
        widest = self._widest if is_sparse(x) else max(self._widest, math.prod(x.shape[1:]))
        return min(max(BATCH_BYTES // (widest * model.dtype.itemsize), LEAST_ROWS), MOST_ROWS)


def _predict_source(source: Any, predict: Callable[[Any], Array]) -> Array:
    """Predict the rows of a source, group by group."""
    outputs: list[Array] = []
    for group, rows in enumerate(np.asarray(source.lengths).tolist()):
        found = source.read(group, 0, rows)
        x = found[0] if isinstance(found, (tuple, list)) else found
        if np.shape(x)[:1] != (rows,):
            expected = f"{rows} rows from read({group}, 0, {rows}) of {source!r}"
            raise ValueError(sentence("predict", expected, f"shape {np.shape(x)}"))
        try:
            outputs.append(predict(x))
        except ValueError as error:
            raise ValueError(f"{error} Row 0 is row {sum(map(len, outputs))} of the source.") from None
    if not outputs:
        raise ValueError(sentence("predict", "a source with at least one row", "none"))
    return np.concatenate(outputs)


def as_batch(layers: Sequence[Layer], x: Any, dtype: Any = None) -> Array:
    """Convert the batch to an array, of this dtype if one is given; sparse if the first layer accepts that."""
    batch = as_samples("the model", x, dtype)
    if is_sparse(batch):
        check_takes_sparse(layers)
    return batch


def _predict_by_layers(model: Network, x: Array, size: int, given: Any, work: Workspace | None) -> Array:
    """Predict batch by batch, layer by layer; without a workspace, by the model's forward."""
    rows, y = x.shape[0], np.empty(0)
    for start in range(0, max(rows, 1), size):  # even no rows make one batch: it determines the shape of the outputs
        batch = _checked(model, x, start, size, given)
        outputs = model.forward(batch) if work is None else forward_through(model.layers, batch, work)
        if start == 0:
            y = np.empty((rows, *outputs.shape[1:]), outputs.dtype)
        y[start : start + size] = outputs
    return y


def _predict_compiled(model: Network, layers: list[Dense] | Mean, x: Array, size: int, given: Any) -> Array | None:
    """Predict without the interpreter, and many rows on all threads."""
    work = len(x) * model.parameters.vector.size
    if len(x) <= size and work < 2 * WORK_A_THREAD:
        return forward(layers, _checked(model, x, 0, len(x), given))
    first = forward(layers, _checked(model, x, 0, 1, given))
    if first is None:
        return None  # the layers raise the error
    y = np.empty((len(x), first.shape[1]), model.dtype)
    threads = max(1, min(available_threads(), work // WORK_A_THREAD))
    parts = threads * -(-len(x) // (size * threads))  # as many for each thread
    size = -(-len(x) // parts)

    def predict_part(start: int) -> None:
        forward(layers, _checked(model, x, start, size, given), out=y[start : start + size])

    share(predict_part, range(0, len(x), size), threads)
    return y


def _checked(model: Network, x: Array, start: int, size: int, given: Any) -> Array:
    """Return some rows in the model's dtype; raise unless all are finite."""
    batch = x[start : start + size]
    if batch.dtype != model.dtype:
        batch = as_samples("predict", batch, model.dtype, given, start)
    if not (isinstance(batch, np.ndarray) and all_finite(batch)):
        check_finite("predict", "x", batch, first_row=start, of=given)
    check_all_codes("predict", model.layers, batch, start, given)
    return batch
