"""Random trainings: each described once, as code, and from that built with the library and with the oracle."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

import chainrule as cr
from fuzz.drawing import Of
from fuzz.oracle import activations, layers, losses, optimizers, schedules
from fuzz.oracle.rounding import Rounding, clear_of_kinks
from fuzz.oracle.training import Network, Training
from public import public_things

Array = np.ndarray[Any, Any]
ORACLE = SimpleNamespace(
    **{k: v for module in (schedules, optimizers, losses, layers, activations) for k, v in vars(module).items()}
)
LIBRARY = SimpleNamespace(**public_things())
TAME = 1e4  # a number larger than this is on its way to infinity


@dataclass(frozen=True)
class Case:
    """A training, all of it: ``repr`` is the code that makes it again."""

    seed: int  # of the data, the first parameters, the order of rows and the masks
    layers: list[Of]
    loss: Of
    optimizer: Of
    rows: int
    inputs: tuple[int, ...]
    target: str  # "numbers", "counts", "labels", "soft labels", "shares"
    targets: int  # how many columns of y, or how many classes
    batch_size: int | None
    drop_last: bool
    average_penalty: bool
    weights: str  # "none", "some" or "with zeros"
    validation: bool
    fits: tuple[int, ...]  # epochs of each call of fit
    dtype: str
    watched: bool  # whether a callback looks at the model after every epoch

    def data(self) -> tuple[Array, Array, Array | None, list[list[Array]]]:
        """x, y, sample weights and the order of the rows in every epoch of every fit, all exact in the dtype."""
        rng = np.random.default_rng(self.seed)
        x = rng.normal(size=(self.rows, *self.inputs)).astype(self.dtype).astype(float)
        y = self.some_targets(rng)
        weight = None if self.weights == "none" else rng.uniform(0.2, 3, self.rows)
        if weight is not None and self.weights == "with zeros":
            weight[1:][rng.random(self.rows - 1) < 0.4] = 0
        draw = rng.integers if rng.random() < 0.2 else lambda low, high, size: rng.permutation(high)
        orders = [[draw(0, self.rows, self.rows) for _ in range(epochs)] for epochs in self.fits]
        return x, y, weight, orders

    def some_targets(self, rng: np.random.Generator) -> Array:
        shape = self.rows, self.targets
        if self.target == "labels":
            return rng.integers(0, self.targets, self.rows)
        if self.target == "counts":
            return rng.poisson(2.0, shape).astype(float)
        y = rng.normal(size=shape) if self.target == "numbers" else rng.random(shape)
        if self.target == "soft labels":
            y /= y.sum(axis=1, keepdims=True)
        return y.astype(self.dtype).astype(float)

    def first_value(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Of a parameter; nowhere zero or one, which would hide much."""
        kind = name.rpartition(".")[2]
        center, spread = {"W": (0, 0.9 / shape[0] ** 0.5), "gain": (1, 0.3), "slope": (0.25, 0.1)}.get(kind, (0, 0.3))
        return (center + spread * rng.normal(size=shape)).astype(self.dtype).astype(float)


Seen = dict[tuple[int, str], Array]  # (epoch, name of what was seen) → values


def by_oracle(case: Case, rounding: Rounding) -> Seen:
    """What an independent float64 implementation ends with after every epoch."""
    network = Network([of.build(ORACLE) for of in case.layers], rounding)
    rng = np.random.default_rng(case.seed + 1)
    for name, array in network.parameters.items():
        array[...] = rounding(case.first_value(name, array.shape, rng))
    loss, optimizer = case.loss.build(ORACLE), case.optimizer.build(ORACLE)
    loss.rounding = optimizer.rounding = rounding
    training = Training(
        network,
        loss,
        optimizer,
        batch_size=case.batch_size,
        drop_last=case.drop_last,
        average_penalty=case.average_penalty,
        rng=np.random.default_rng(case.seed + 2),
    )
    x, y, weight, orders = case.data()
    validation = (x[::2], y[::2]) if case.validation else None
    seen: Seen = {}
    epoch = 0
    for some in orders:
        for row in training.fit(rounding(x), y, weight, validation, some):
            epoch += 1
            numbers = row | network.parameters | network.buffers
            seen |= {(epoch, name): np.array(value) for name, value in numbers.items()}
    return seen


class Same(cr.Layer):
    """Does nothing, and has no compiled kernel: a network with it is trained operation by operation."""

    def forward(self, x: Array, work: Any) -> Array:
        return x

    def backward(self, dy: Array, work: Any, input_gradient: bool = True) -> Array:
        return dy


class Look(cr.Callback):
    """Takes the parameters and running statistics after every epoch."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Array]] = []

    def on_epoch_end(self, trainer: Any, row: Any) -> None:
        self.taken.append(learned(trainer.model))


def learned(model: cr.Sequential) -> dict[str, Array]:
    return {name: np.array(array, float) for name, array in [*model.parameters.items(), *model.buffers.items()]}


def by_library(case: Case, *, op_by_op: bool) -> Seen:
    """The same by chainrule; without a callback only the last epoch of each fit shows the parameters."""
    parts = [of.build(LIBRARY) for of in case.layers]
    model = cr.Sequential([*parts, Same()] if op_by_op else parts, rng=0, dtype=case.dtype)
    rng = np.random.default_rng(case.seed + 1)
    for name, array in model.parameters.items():
        array[...] = case.first_value(name, array.shape, rng)
    model.rng = np.random.default_rng(case.seed + 2)
    x, y, weight, orders = case.data()
    order = itertools.chain(*orders)
    look = Look()
    trainer = cr.Trainer(
        model,
        case.loss.build(LIBRARY),
        case.optimizer.build(LIBRARY),
        batch_size=case.batch_size,
        callbacks=[look] if case.watched else [],
        rng=0,
        sample=lambda rows: next(order),
        drop_last=case.drop_last,
        average_penalty=case.average_penalty,
    )
    seen: Seen = {}
    done = 0
    for some in orders:
        look.taken = []
        validation = (x[::2], y[::2]) if case.validation else None
        history = trainer.fit(x, y, weight, validation, epochs=len(some), verbose=0)
        for index, row in enumerate(history.rows):
            held = look.taken[index] if case.watched else learned(model) if index == len(some) - 1 else {}
            numbers = {name: value for name, value in row.items() if name != "seconds"} | held
            seen |= {(done + index + 1, name): np.array(value) for name, value in numbers.items()}
        done += len(some)
    return seen


SLACK, FLOOR = 20, 20


def bounds(case: Case) -> tuple[Seen, Seen] | None:
    """What is right, and how far from it rounding may lead; None where that is so far that it would prove nothing.

    Three trainings of the oracle, every number of which is disturbed by up to a unit in the last place of the dtype,
    show how far. A right implementation rounds otherwise, in sums of some dozen terms and in functions that are
    accurate to a few units, so that it may be ``SLACK`` times as far away; ``FLOOR`` units of the largest number are
    for what three trainings happen to leave near. What is left of a number must be half of its digits or more.
    """
    unit = float(np.finfo(case.dtype).eps)
    exact, disturbed = Rounding(), [Rounding(unit, seed) for seed in range(3)]
    with np.errstate(all="ignore"):
        right = by_oracle(case, exact)
        others = [by_oracle(case, rounding) for rounding in disturbed]
    tame = all(np.abs(values).max(initial=0) < TAME for values in right.values())  # NaN is not
    if not tame or not clear_of_kinks(exact, disturbed):
        return None
    largest: dict[str, float] = {}
    for (_, name), values in right.items():
        largest[name] = max(largest.get(name, 0.0), np.abs(values).max(initial=0))
    apart = {}
    for key, values in right.items():
        spread = np.max([np.abs(other[key] - values).max(initial=0) for other in others])
        if SLACK * spread > unit**0.5 * max(largest[key[1]], 1):
            return None
        apart[key] = SLACK * spread + FLOOR * unit * largest[key[1]]
    return right, apart


def differences(case: Case, right: Seen, apart: Seen, *, op_by_op: bool) -> Iterator[str]:
    """Where the library ends elsewhere than it may."""
    for key, values in by_library(case, op_by_op=op_by_op).items():
        distance = np.abs(values - right[key]).max(initial=0)
        if not (values.shape == right[key].shape and distance <= apart[key]):
            engine = "operation by operation" if op_by_op else "compiled, where it can be"
            yield f"{engine}: {key[1]} after epoch {key[0]} is {distance:.3g} away, {apart[key]:.3g} allowed"
