"""Training as a plan: many steps in one compiled call.

The interpreter needs some microseconds for every operation; a small network needs little more for a whole step. If the
layers, the loss and the optimizer all have compiled kernels, they become a list of stages over fixed arrays, and one
call takes as many steps as fit into a twentieth of a second. A network without a plan, because of a user's layer for
example, is trained operation by operation, with the same result to rounding.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from math import inf, isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, is_sparse, sentence
from .._support.overrides import is_of_package, overrides
from ..data.batches import Augmentation, Batches
from ..distributed.serial import Serial
from ..layers import BatchNorm
from ..layers.base import all_within
from ..layers.program import program_of
from ..losses import Loss
from ..losses.base import loss_kernel
from ..model import Sequential
from ..ops.fused import ABSENT, compiled
from ..optimizers.rule import rule_kernel
from ..runtime.signals import atomic
from ..runtime.threads import available_threads, chosen_threads, threads_of_process
from .engine import ENDLESS_GRADIENT, Average, Parts, same, values_of
from .inputs import Targets
from .stages import Stage, stages_of
from .state import EpochState, StepRecord
from .tempo import Tempo

if TYPE_CHECKING:
    from ..data.augmentation import MixUp

CALL_SECONDS = 0.05  # of a call, between which Ctrl-C and progress are handled
ROWS_A_THREAD = 8  # fewer rows would leave half of the registers of a product's tile empty
WORK_A_THREAD = 250_000  # multiplications of a step, about 5 µs, to pay for the traffic between the threads
MULTIPLICATIONS_OF_A_WAVE = 16  # the cosine, and some mixtures
SLOWEST = 5e9  # multiplications per second of any processor, for the first guess of a call's length
READ_BY_EVERY_CALL = {"learning_rate", "weight_decay", "total_steps"}  # of the optimizer

_RUNNING: set[int] = set()  # ids of the engines of this process that take steps: they share its processors
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_RUNNING.clear)


class Compiled:
    """The engine for training whose parts all have compiled kernels.

    Callbacks may replace the numbers and arrays that it was made from: :meth:`obeys` returns whether they are the same.
    """

    def __init__(self, kernel: Any, parts: Parts, batches: Batches, work: int, mixing: MixUp | None = None) -> None:
        self.failure: str | None = None
        self._mixing = mixing
        self._kernel, self._parts, self._batches = kernel, parts, batches
        threads: int = min(available_threads(), compiled.MOST_THREADS)
        shared = inf if chosen_threads() else threads_of_process()
        ranks = parts.communicator.size
        most = max(1, min(threads, batches.size // ranks // ROWS_A_THREAD, work // ranks // WORK_A_THREAD))
        self._tempo = Tempo(most, lambda: max(1, shared / max(1, len(_RUNNING))), work)
        #: How many steps fit into CALL_SECONDS: first a cautious guess, then measured.
        self.pace = CALL_SECONDS / (work / SLOWEST + 1e-6)
        self._origin = _Origin(parts)

    def obeys(self, parts: Parts) -> bool:
        return self._origin.is_that_of(parts)

    def begin(self, most: int) -> EpochState:
        """Draw the order of up to ``most`` epochs and, if there are several, the keys of their noise."""
        if most == 1 or self._mixing is not None:  # whose numbers are drawn between the orders
            return EpochState(self._batches.order())
        drawn = [(self._batches.order(), self._draw_keys(len(self._batches))) for _ in range(most)]
        orders, keys = zip(*drawn, strict=True)
        order = None if orders[0] is None else np.concatenate(orders).astype(np.int64, copy=False)
        return EpochState(order, count=most, keys=None if keys[0] is None else np.concatenate(keys))

    def steps(
        self, epoch: EpochState, record_outputs: bool, single_step: bool, average: Average | None = None
    ) -> Generator[list[StepRecord], None, None]:
        """Take many steps at a time; outputs can be recorded only for a single epoch."""
        self._check(epoch)
        batches, communicator = self._batches, self._parts.communicator
        if record_outputs and not epoch.outputs:
            outputs = np.zeros((batches.rows, self._kernel.outputs), self._parts.model.dtype)
            like = self._targets(slice(1))
            epoch.outputs = [outputs, *(np.zeros((batches.rows, *one.shape[1:]), one.dtype) for one in like)]
        weights = self._weights(epoch.order, epoch.count)
        steps = epoch.count * len(batches)
        _RUNNING.add(id(self))
        try:
            while epoch.done < steps:
                first, most = epoch.done, 1 if single_step else min(steps - epoch.done, max(1, int(self.pace)))
                threads, count = self._tempo.choose(most)
                losses, rates = self._call(epoch, threads, min(communicator.agree(count)), average)
                epoch.done += len(losses)
                yield list(zip(losses, weights[first : epoch.done], rates, strict=True))
        finally:
            _RUNNING.discard(id(self))

    def step(self, order: Array | None) -> float:
        """Take the step of an epoch that is one batch, in this order of its rows; return its loss."""
        loss = np.empty(1)
        self._kernel.begin(order, 0, self._parts.optimizer.plan(1), self._draw_keys(1), loss, None)
        if not self._kernel.run(self._tempo.choose(1)[0]):
            self.failure = ENDLESS_GRADIENT
        return float(loss[0])

    def _check(self, epoch: EpochState) -> None:
        keys, expected = epoch.keys, (epoch.count * len(self._batches), self._kernel.draws)
        if keys is not None and not (keys.shape == expected and keys.dtype == np.uint64):
            raise ValueError(
                sentence("fit", f"keys of shape {expected}", "others", "resume with the network as it was")
            )
        shape = (self._batches.rows, self._kernel.outputs)
        if epoch.outputs and (epoch.outputs[0].shape, epoch.outputs[0].dtype) != (shape, self._parts.model.dtype):
            raise ValueError(sentence("fit", f"outputs of shape {shape}", f"{epoch.outputs[0].shape}"))

    def _call(
        self, epoch: EpochState, threads: int, count: int, average: Average | None = None
    ) -> tuple[list[float], list[float]]:
        """Take steps, and return their losses and learning rates; if there is a failure, the last was not taken."""
        first, outputs, optimizer = epoch.done, epoch.outputs[0] if epoch.outputs else None, self._parts.optimizer
        updates, losses = optimizer.plan(count), np.empty(count)
        if outputs is not None:
            rows = slice(self._rows(first).start, self._rows(first + count - 1).stop)
            seen = self._targets(rows if epoch.order is None else epoch.order[rows])
            for room, array in zip(epoch.outputs[1:], seen, strict=True):
                room[rows] = array
        mixtures, keys = None, epoch.keys
        if self._mixing is not None:
            mixtures, keys = self._draw_mixtures(self._mixing, epoch, count)
        else:
            keys = self._draw_keys(count) if keys is None else keys[first : first + count]
        start = time.perf_counter()
        with atomic:
            self._kernel.begin(epoch.order, first, updates, keys, losses, outputs, mixtures)
            if average is not None:
                self._kernel.average(*average(count))
            taken: int = self._kernel.run(threads)
        elapsed = max(time.perf_counter() - start, 1e-9)  # a mocked clock may stand still
        self._tempo.learn(threads, count, elapsed)
        self.pace = min(count * CALL_SECONDS / elapsed, 2 * self.pace + 8)
        if outputs is not None:
            self._share_outputs(outputs, range(first, first + count))
        values, rates = losses[: taken + 1].tolist(), updates[: taken + 1, 0].tolist()
        if not isfinite(values[-1]):
            self.failure = f"a loss of {values[-1]}"
        elif taken < count:
            self.failure = ENDLESS_GRADIENT
        return values, rates

    def _share_outputs(self, outputs: Array, steps: range) -> None:
        """Give each rank the outputs of the others; those of a batch of fewer rows than ranks it has."""
        communicator, rows = self._parts.communicator, [self._rows(step) for step in (steps[0], steps[-1])]
        lone = rows[1].stop - rows[1].start < communicator.size
        communicator.allreduce(outputs[rows[0].start : rows[1].start if lone else rows[1].stop])

    def _rows(self, step: int) -> slice:
        """Where the rows of the step are in the order of the epochs."""
        size, rows = self._batches.size, self._batches.rows
        epoch, within = divmod(step, len(self._batches))
        return slice(epoch * rows + within * size, epoch * rows + min((within + 1) * size, rows))

    def _targets(self, rows: Any) -> list[Array]:
        """Return the targets and weights of these rows of the data; targets that are mixed as numbers."""
        y, *weight = (array[rows] for array in self._batches.arrays[1:])
        if self._mixing is not None:
            from ..data.augmentation import as_numbers

            y = as_numbers(self._mixing, y, self._parts.model.dtype)
        return [y, *weight]

    def _draw_mixtures(self, mixing: MixUp, epoch: EpochState, count: int) -> tuple[tuple[Array, Array], Array]:
        """Draw shares, partners and keys as single steps would, and mix the targets that are recorded."""
        from ..data.augmentation import draw_mixture, mixed

        shares, partners = np.empty(count), np.zeros((count, self._batches.size), np.int64)
        keys = np.empty((count, self._kernel.draws), np.uint64)
        for i, step in enumerate(range(epoch.done, epoch.done + count)):
            rows = self._rows(step)
            shares[i], others = draw_mixture(mixing, rows.stop - rows.start, self._parts.rng)
            chosen = others + rows.start % self._batches.rows if epoch.order is None else epoch.order[rows][others]
            partners[i, : len(others)] = chosen
            if keys.size:
                keys[i] = self._draw_keys(1) if epoch.keys is None else epoch.keys[step]
            if epoch.outputs:
                epoch.outputs[1][rows] = mixed(epoch.outputs[1][rows], others, shares[i])
        return (shares, partners), keys

    def _weights(self, order: Array | None, count: int) -> list[float]:
        """Return the weight of each batch of ``count`` epochs: its rows, or the sum of their sample weights."""
        batches = self._batches
        if len(batches.arrays) == 2:
            last = batches.rows - batches.size * (len(batches) - 1)
            return [*[float(batches.size)] * (len(batches) - 1), float(last)] * count
        starts = (np.arange(count)[:, None] * batches.rows + np.arange(0, batches.rows, batches.size)).ravel()
        weight = batches.arrays[2]
        ordered = np.tile(weight[: batches.rows], count) if order is None else weight[order]
        sums: list[float] = np.add.reduceat(ordered, starts, dtype=np.float64).tolist()
        return sums

    def _draw_keys(self, steps: int) -> Array | None:
        """Draw a key for each dropout and noise in each step, in the order in which the layers would."""
        shape = (steps, self._kernel.draws)
        return draw_keys(self._parts.model.rng, shape) if shape[1] else None


def draw_keys(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return ``rng.integers(0, 2**64, shape, uint64)``, in a microsecond if they are the generator's raw numbers."""
    source = rng.bit_generator
    if type(source) in (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64):
        keys: Array = source.random_raw(shape[0] * shape[1]).reshape(shape)
        return keys
    return rng.integers(0, 2**64, size=shape, dtype=np.uint64)


def compiled_engine(parts: Parts, batches: Batches, targets: Targets | None) -> Compiled | None:
    """Return the engine, or None if a part has no compiled kernel or changes the batches.

    The optimizer must be set up for the model; ``targets`` are the checked y and weights of all rows.
    """
    model, loss, optimizer, _, average_penalty, augment, communicator, products = parts
    if compiled is None or not isinstance(loss, Loss) or targets is None:
        return None
    if not is_of_package(loss):
        return None  # a user's loss may keep state
    if overrides(model, Sequential, "forward", "backward", "penalty"):
        return None
    mixing = _mixing(augment) if augment else None
    if is_sparse(batches.arrays[0]) or (augment and mixing is None):
        return None
    y, weight = targets
    if mixing is not None and mixing.classes is not None:
        targets = np.broadcast_to(model.dtype.type(0), (len(y), mixing.classes)), weight
    if products is not None and model.dtype != np.float32:
        expected, remedy = "a model of float32", "pass dtype=np.float32 to the model, or X in float32 to an estimator"
        raise ValueError(sentence(f"Trainer(products={products!r})", expected, str(model.dtype), remedy))
    kernel, rule = loss_kernel(loss, targets[0]), rule_kernel(optimizer)
    stages = stages_of(model, batches.arrays[0])
    if kernel is None or rule is None or stages is None or not _normalizes(stages, batches, communicator):
        return None
    if mixing is not None and not _can_mix(mixing, loss, batches.arrays[1], stages):
        return None
    if not _takes(kernel, targets, batches.arrays[0].shape[0], np.zeros((2, stages[-1].outputs), model.dtype)):
        return None
    arrays, runs = optimizer.prepare(model.parameters.vector)
    state = arrays, optimizer.state["step"]
    plan = compiled.Plan(
        stages,
        model.parameters.vector,
        communicator.room(model.gradients.vector),
        batches.arrays[0],
        np.ascontiguousarray(y),
        None if weight is None else np.ascontiguousarray(weight, np.float64),
        batches.size,
        batches.rows,
        (compiled.LOSSES[kernel[0]], kernel[1]),
        (compiled.OPTIMIZERS[rule], *state, optimizer.clip_norm or 0.0, optimizer.clip_value or 0.0),
        runs,
        average_penalty,
        products == "bfloat16",
    )
    if communicator.size > 1:
        plan.share(communicator)
    return Compiled(plan, parts, batches, _work_of(stages, batches.size), mixing)


def without_plan(parts: Parts, batches: Batches) -> str:
    """Say why products other than those of the model's dtype cannot be had; nothing if a layer will say it."""
    expected, remedy = "all parts of the training to have compiled kernels", "pass products=None"
    if compiled is None:
        got = f"kernels of NumPy ({ABSENT or 'CHAINRULE_KERNELS=numpy'})"
    else:
        layers = parts.model.layers
        lacking: list[Any] = [layer for layer in layers if program_of(layer, training=True) is None]
        lacking += [parts.loss] * (not is_of_package(parts.loss))
        lacking += [parts.optimizer] * (rule_kernel(parts.optimizer) is None)
        got = ", ".join(map(repr, lacking)) or "data, an augmentation or an order of layers without them"
        if not lacking and _leaves_one(batches) and any(isinstance(one, BatchNorm) for one in all_within(layers)):
            return ""
    return sentence(f"Trainer(products={parts.products!r})", expected, got, remedy)


def _mixing(augment: tuple[Augmentation, ...]) -> MixUp | None:
    """Return the only augmentation if it is MixUp."""
    from ..data.augmentation import MixUp

    return augment[0] if len(augment) == 1 and type(augment[0]) is MixUp else None


def _can_mix(mixing: MixUp, loss: Loss, y: Array, stages: list[Stage]) -> bool:
    """Whether rows, targets and weights can be mixed in a plan; if not, operations do it, or raise."""
    if getattr(loss, "class_weight", None) is not None or stages[0].kind == "columns":  # codes have no mixture
        return False
    if mixing.classes is None:
        return y.dtype.kind == "f"
    return y.ndim == 1 and y.dtype.kind in "iub" and mixing.classes == stages[-1].outputs


def _takes(kernel: tuple[str, tuple[float, ...]], targets: Targets, rows: int, z: Array) -> bool:
    """Whether the loss's kernel accepts these targets for outputs like z."""
    y, weight = targets
    if not isinstance(y, np.ndarray) or y.ndim not in (1, 2) or len(y) != rows:
        return False
    if weight is not None and np.shape(weight) != (rows,):
        return False
    some = np.array([y.min(), y.max()]) if y.ndim == 1 else np.ascontiguousarray(y[:2])  # all labels lie between these
    return compiled.compiled_loss(*kernel, z[: len(some)], some, None, None) is not None


class _Origin:
    """The objects that a plan was made from, to detect replacements.

    Numbers are immutable, and kernels read arrays of parameters and state in place, so comparing identities is enough.
    The attributes of the loss are compared by value.
    """

    def __init__(self, parts: Parts) -> None:
        self._optimizer = parts.optimizer
        self._attributes = [vars(layer) for layer in all_within(parts.model.layers)]
        self._of_optimizer = itemgetter(*(vars(parts.optimizer).keys() - READ_BY_EVERY_CALL))
        self._objects, self._values = self._within(parts), values_of(parts.loss)

    def is_that_of(self, parts: Parts) -> bool:
        if parts.optimizer is not self._optimizer or not same(self._within(parts), self._objects):
            return False
        return values_of(parts.loss) == self._values

    def _within(self, parts: Parts) -> list[Any]:
        model, optimizer = parts.model, parts.optimizer
        objects = [*parts.identities(), len(vars(model)), len(vars(optimizer))]  # one more if a method is replaced
        objects += [model.parameters.vector, model.gradients.vector, *optimizer.state.values()]
        objects += self._of_optimizer(vars(optimizer))
        for attributes in self._attributes:
            objects += attributes.values()
        return objects


def _work_of(stages: list[Stage], batch: int) -> int:
    products = sum(stage.inputs * stage.outputs for stage in stages if stage.kind == "affine")
    waves = sum(arrays[0].size for stage in stages for op, _, arrays in stage.parts if op == "pbld")
    return 3 * batch * (products + MULTIPLICATIONS_OF_A_WAVE * waves)


def _normalizes(stages: list[Stage], batches: Batches, communicator: Serial) -> bool:
    """Whether a plan has the rows for statistics of batches: more than one, for the layer raises, and all of them."""
    has_rows = not _leaves_one(batches) and communicator.size == 1
    return has_rows or not any(stage.kind == "batch_norm" for stage in stages)


def _leaves_one(batches: Batches) -> bool:
    return batches.size == 1 or batches.rows % batches.size == 1
