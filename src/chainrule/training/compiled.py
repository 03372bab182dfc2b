"""Training as a plan: the steps of whole epochs as one compiled call.

The interpreter takes some microseconds for every operation, a small network little more for the whole step. So where
the layers, the loss and the optimizer all have compiled kernels, they are written down once, as a list of stages over
arrays that are laid out once, and a call carries out as many steps as fit into a twentieth of a second. What has no
kernel (a layer of the user's own, say) has no plan, and is trained operation by operation, with the same result to
rounding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any, TypeAlias

import numpy as np

from .._support.checks import Array, is_sparse, sentence
from ..data.batches import Augmentation, Batches
from ..layers import Activation, BatchNorm, Dropout, Flatten, Layer, LayerNorm, Linear
from ..layers.kernels import activation_kernel
from ..losses import Loss, LossFunction
from ..model import Sequential
from ..ops.fused import compiled
from ..optimizers import Optimizer
from ..runtime.threads import available_threads
from .interpreted import ENDLESS_GRADIENT, Taken, Underway

Stage: TypeAlias = dict[str, Any]
Targets: TypeAlias = "tuple[Array, Array | None]"  # y and the weights, as the loss takes them

CALL_SECONDS = 0.05  # of a call, after which Ctrl-C and progress have their turn
ROWS_A_THREAD = 8  # fewer rows would leave the registers of a product's tile half empty
WORK_A_THREAD = 250_000  # multiplications of a step, some 5 µs, to pay for what the threads read of each other
SLOWEST = 5e9  # multiplications a second that any processor takes, for the first guess of a call's length


class Plan:
    """The compiled steps of one training, with the interface of :class:`~chainrule.training.interpreted.Steps`."""

    def __init__(
        self,
        kernel: Any,
        model: Sequential,
        optimizer: Optimizer,
        batches: Batches,
        work: int,
    ) -> None:
        self._kernel, self._model, self._optimizer, self.batches = kernel, model, optimizer, batches
        threads: int = min(available_threads(), compiled.MOST_THREADS)
        self._threads = max(1, min(threads, batches.size // ROWS_A_THREAD, work // WORK_A_THREAD))
        self.underway: Underway | None = None  # assign one to go on with it
        self.seen: list[Array] = []  # outputs, targets and weights of the last epoch, if they were to be kept
        self.fault: str | None = None  # what was not finite, where the last step was not taken
        #: How many steps fit into CALL_SECONDS: a cautious guess at first, then learned from call to call.
        self._at_once = CALL_SECONDS / (work / SLOWEST + 1e-6)

    def epochs(self, count: int, keep: bool, one_by_one: bool) -> Iterator[list[Taken]]:
        """Train for ``count`` epochs, and tell of the steps as they are taken, many at a time unless ``one_by_one``.

        The outputs, targets and weights are then in ``seen``, if told to ``keep`` them; ``count`` must be 1 then, as it
        must where an epoch is under way, which is gone on with.
        """
        batches = self.batches
        if self.underway is not None:
            self._check(self.underway)
        epoch = self.underway = self.underway or self._draw(count)
        if keep and not epoch.seen:
            chosen = slice(batches.rows) if epoch.order is None else epoch.order
            outputs = np.zeros((batches.rows, self._kernel.outputs), self._model.dtype)
            epoch.seen = [outputs, *(array[chosen] for array in batches.arrays[1:])]
        weights = self._weights(epoch.order, count)
        steps = count * len(batches)
        while epoch.done < steps:
            first, size = epoch.done, 1 if one_by_one else min(steps - epoch.done, max(1, int(self._at_once)))
            losses, rates = self._call(epoch, size)
            epoch.done += len(losses)
            yield list(zip(losses, weights[first : first + size], rates, strict=False))
        self.underway, self.seen = None, epoch.seen

    def _check(self, epoch: Underway) -> None:
        """Raise unless the arrays of an epoch that is gone on with are those that the kernel reads and writes."""
        epochs = 1 if epoch.order is None else len(epoch.order) // self.batches.rows
        keys = (epochs * len(self.batches), self._kernel.dropouts)
        if keys[1] and (epoch.keys is None or epoch.keys.shape != keys or epoch.keys.dtype != np.uint64):
            raise ValueError(sentence("fit", f"keys of shape {keys}", "others", "resume with the network as it was"))
        outputs = (self.batches.rows, self._kernel.outputs)
        if epoch.seen and (epoch.seen[0].shape != outputs or epoch.seen[0].dtype != self._model.dtype):
            raise ValueError(sentence("fit", f"outputs of shape {outputs}", f"{epoch.seen[0].shape}"))

    def _draw(self, count: int) -> Underway:
        """The order of the rows and the keys of the dropouts for some epochs."""
        orders, keys = zip(*((self.batches.order(), self._draw_keys()) for _ in range(count)), strict=True)
        order = None if orders[0] is None else np.concatenate(orders).astype(np.int64, copy=False)
        return Underway(order, None if keys[0] is None else np.concatenate(keys))

    def _call(self, epoch: Underway, count: int) -> tuple[list[float], list[float]]:
        """Take steps, and tell their losses and learning rates; the last of them was not taken if it has a fault."""
        first, keys, outputs = epoch.done, epoch.keys, epoch.seen[0] if epoch.seen else None
        updates, losses = self._optimizer.plan(count), np.empty(count)
        part = None if keys is None else keys[first : first + count]
        start = time.perf_counter()
        with interrupts_later():
            self._kernel.begin(epoch.order, first, updates, part, losses, outputs)
            taken: int = self._kernel.run(self._threads)
        self._at_once = min(count * CALL_SECONDS / (time.perf_counter() - start), 2 * self._at_once + 8)
        told = slice(min(taken + 1, count))
        if not np.isfinite(last := losses[told][-1]):
            self.fault = f"a loss of {last}"
        elif taken < count:
            self.fault = ENDLESS_GRADIENT
        return losses[told].tolist(), updates[told, 0].tolist()

    def _weights(self, order: Array | None, count: int) -> list[float]:
        """The weight of each batch of ``count`` epochs: its rows, or the sum of their sample weights."""
        batches = self.batches
        starts = (np.arange(count)[:, None] * batches.rows + np.arange(0, batches.rows, batches.size)).ravel()
        if len(batches.arrays) == 2:
            sizes: list[float] = np.diff(starts, append=count * batches.rows).astype(float).tolist()
            return sizes
        weight = batches.arrays[2]
        ordered = np.tile(weight[: batches.rows], count) if order is None else weight[order]
        sums: list[float] = np.add.reduceat(ordered, starts, dtype=np.float64).tolist()
        return sums

    def _draw_keys(self) -> Array | None:
        """One for each dropout in each step of an epoch, in the order in which the layers would draw them."""
        shape = (len(self.batches), self._kernel.dropouts)
        return self._model.rng.integers(0, 2**64, size=shape, dtype=np.uint64) if shape[1] else None


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C waits until the end: in between, threads would wait for one that never comes, and steps go uncounted."""
    if current_thread() is not main_thread():
        yield  # only the main thread is ever interrupted
        return
    import signal  # its enumerations would be a sixtieth of the package's import

    pending: list[tuple[Any, ...]] = []
    handler = signal.signal(signal.SIGINT, lambda *arguments: pending.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pending and callable(handler):
        handler(*pending[0])


def plan_training(
    model: Sequential,
    loss: LossFunction,
    optimizer: Optimizer,
    batches: Batches,
    average_penalty: bool,
    augment: Sequence[Augmentation],
    targets: Targets | None,
) -> Plan | None:
    """The plan of a training, or None if a part of it has no compiled kernel, or changes the batches.

    The optimizer must have been set up for the model; ``targets`` are the checked y and weights of all rows.
    """
    if compiled is None or optimizer.kernel is None or not isinstance(loss, Loss) or targets is None:
        return None
    if is_sparse(batches.arrays[0]) or augment:
        return None
    y, weight = targets
    kernel = loss.kernel(y)
    stages = _stages(model, batches.arrays[0])
    if kernel is None or stages is None or _has_lone_row(stages, batches):
        return None  # a batch of one row has no variance: the layer itself says so
    arrays, runs = optimizer.prepare(model.parameters.vector)
    state = arrays, optimizer.state["step"]
    plan = compiled.Plan(
        stages,
        model.parameters.vector,
        model.gradients.vector,
        batches.arrays[0],
        np.ascontiguousarray(y),
        None if weight is None else np.ascontiguousarray(weight, np.float64),
        batches.size,
        batches.rows,
        (compiled.LOSSES.index(kernel[0]), kernel[1]),
        (compiled.OPTIMIZERS[optimizer.kernel], *state, optimizer.clip_norm or 0.0, optimizer.clip_value or 0.0),
        runs,
        average_penalty,
    )
    return Plan(plan, model, optimizer, batches, _work_of(stages, batches.size))


def _work_of(stages: list[Stage], batch: int) -> int:
    """The multiplications of a step."""
    products: int = sum(stage["inputs"] * stage["outputs"] for stage in stages if stage["kind"] == "affine")
    return 3 * batch * products


def _has_lone_row(stages: list[Stage], batches: Batches) -> bool:
    """Whether BatchNorm would meet a batch of one row."""
    lone = batches.size == 1 or batches.rows % batches.size == 1
    return lone and any(stage["kind"] == "batch_norm" for stage in stages)


def _stages(model: Sequential, x: Array) -> list[Stage] | None:
    """The layers as stages, or None if one of them has no kernel or nothing is to be learned."""
    layers = [layer for layer in model.layers if not _does_nothing(layer)]
    if x.ndim < 2 or (x.ndim > 2 and not isinstance(model.layers[0], Flatten)):
        return None
    width = int(np.prod(x.shape[1:]))
    stages: list[Stage] = []
    for layer in layers:
        stage = _stage(layer, width)
        if stage is None or stage["inputs"] != width:
            return None
        stages.append(stage)
        width = stage["outputs"]
    return stages if any("W" in stage for stage in stages) else None


def _does_nothing(layer: Layer) -> bool:
    """Flatten, since batches are laid out by rows, and dropout of nothing."""
    return type(layer) is Flatten or (type(layer) is Dropout and layer.rate == 0)


def _stage(layer: Layer, width: int) -> Stage | None:
    """What kernels/plan.h needs of a layer; a subclass may compute something else, so it has no kernel."""
    if type(layer) is Linear:
        return _linear(layer)
    if type(layer) is Dropout:
        return {"kind": "dropout", "inputs": width, "outputs": width, "a": layer.rate}
    if type(layer) in (BatchNorm, LayerNorm):
        return _normalization(layer)
    activation = _activation(layer)
    return None if activation is None else {"kind": "activation", "inputs": width, "outputs": width} | activation


def _linear(layer: Linear) -> Stage | None:
    activation = {} if layer._activation is None else _activation(layer._activation)
    if activation is None:
        return None
    stage = {"kind": "affine", "inputs": layer.in_features, "outputs": layer.out_features, "W": layer.W, "dW": layer.dW}
    bias = {"b": layer.b, "db": layer.db} if layer.bias else {}
    return stage | bias | {"l1": layer.l1, "l2": layer.l2} | activation


def _normalization(layer: Any) -> Stage:
    stage = {"inputs": layer.features, "outputs": layer.features, "a": layer.epsilon}
    stage |= {"W": layer.gain, "b": layer.bias, "dW": layer.dgain, "db": layer.dbias}
    if isinstance(layer, LayerNorm):
        return stage | {"kind": "layer_norm"}
    running = {"running_mean": layer.running_mean, "running_variance": layer.running_variance}
    return stage | running | {"kind": "batch_norm", "momentum": layer.momentum}


def _activation(layer: Layer | None) -> Stage | None:
    """The kernel of an activation, its parameter, and whether its pull-back needs the input."""
    kernel = activation_kernel(layer)
    if kernel is None or not isinstance(layer, Activation):
        return None
    return {"activation": kernel[0], "a": kernel[1], "keeps_input": layer.keeps_input}
