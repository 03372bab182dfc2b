"""The time to 98.42 % on MNIST's test images, with one recipe in PyTorch and in ours."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from chainrule._support.checks import Array
from chainrule.data.named import NamedData, load_named
from chainrule.model import MLP, Sequential
from chainrule.optimizers import Adam
from chainrule.schedules import WarmupCosine
from chainrule.training.callbacks import Callback, Row, Training
from chainrule.training.trainer import Trainer

from . import grid
from .grid import Problem
from .peers import PEERS
from .peers import pytorch as pytorch_peer
from .timing import PAUSE

TARGET = 0.9842
SIZES, DROPOUT, BATCH, EPOCHS = (784, 512, 256, 10), 0.2, 128, 15
SCHEDULE = WarmupCosine(1e-3, warmup=0.1)
RECIPE = f"{'-'.join(map(str, SIZES))}, relu, dropout {DROPOUT}, Adam, {SCHEDULE}, batch {BATCH}, {EPOCHS} epochs"
Curve = list[tuple[float, float]]  # seconds of training so far and test accuracy, after each epoch


def measure(seeds: Iterable[int], epochs: int = EPOCHS, target: float = TARGET) -> dict[str, Any]:
    """Each library once for every seed, in turn; the images are test and not training data, as everyone has it."""
    data = load_named("mnist")
    sides: dict[str, Callable[[NamedData, int, int, float], Curve]] = {"ours": ours}
    if PEERS["pytorch"].installed:
        sides["pytorch"] = pytorch
    curves: dict[str, list[Curve]] = {key: [] for key in sides}
    for seed in seeds:
        for key, train in sides.items():
            time.sleep(PAUSE)
            curves[key].append(train(data, seed, epochs, target))
    return {
        "recipe": RECIPE,
        "target": target,
        "sides": {key: summary(each, target) for key, each in curves.items()},
    }


def summary(curves: list[Curve], target: float) -> dict[str, Any]:
    """Seconds to the target, None for a seed that did not get there, and their median over the seeds that did."""
    reached = [next((seconds for seconds, accuracy in curve if accuracy >= target), None) for curve in curves]
    times = [seconds for seconds in reached if seconds is not None]
    return {"median": statistics.median(times) if times else None, "reached": reached, "curves": curves}


def make_model(seed: int) -> Sequential:
    """The network of the recipe."""
    return MLP(SIZES, dropout=DROPOUT, rng=seed)


class Clock(Callback):
    """Counts the seconds of the epochs, and between them tests, and stops at the target."""

    def __init__(self, data: NamedData, target: float) -> None:
        self.data, self.target = data, target
        self.seconds = self.start = 0.0
        self.curve: Curve = []

    def on_epoch_begin(self, trainer: Training) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, trainer: Training, row: Row) -> None:
        """Stop it, and look."""
        self.seconds += time.perf_counter() - self.start
        accuracy = share_right(trainer.model.predict(self.data.x_test), self.data.y_test)
        self.curve.append((self.seconds, accuracy))
        trainer.stop = accuracy >= self.target


def ours(data: NamedData, seed: int, epochs: int, target: float) -> Curve:
    """By ``Trainer.fit``."""
    clock = Clock(data, target)
    trainer = Trainer(make_model(seed), "cross_entropy", Adam(SCHEDULE), batch_size=BATCH, callbacks=[clock])
    trainer.fit(data.x, data.y, epochs=epochs, verbose=0)
    return clock.curve


def pytorch(data: NamedData, seed: int, epochs: int, target: float) -> Curve:
    """The same first parameters and the same rate at every step; batches and dropout are its own."""
    import torch

    torch.manual_seed(seed)
    model = as_torch(make_model(seed))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    x, y, x_test = (torch.from_numpy(array) for array in (data.x, data.y.astype(np.int64), data.x_test))
    steps = -(-len(x) // BATCH)
    rates = iter([SCHEDULE(step, epochs * steps) for step in range(epochs * steps)])
    curve, seconds = [], 0.0
    for _ in range(epochs):
        start = time.perf_counter()
        for rows in torch.randperm(len(x)).split(BATCH):  # type: ignore[no-untyped-call, unused-ignore]
            optimizer.param_groups[0]["lr"] = next(rates)
            optimizer.zero_grad(set_to_none=True)
            z = model(x.index_select(0, rows))
            loss: Any = torch.nn.functional.cross_entropy(z, y.index_select(0, rows))
            loss.backward()
            optimizer.step()
        seconds += time.perf_counter() - start
        model.eval()
        with torch.inference_mode():
            curve.append((seconds, share_right(model(x_test).numpy(), data.y_test)))
        model.train()
        if curve[-1][1] >= target:
            break
    return curve


def as_torch(model: Sequential) -> Any:
    """Our network as PyTorch's, with its parameters."""
    names = [name[:-1] for name in model.parameters if name.endswith("W")]
    weights: list[tuple[Array, Array | None]] = [
        (model.parameters[name + "W"], model.parameters[name + "b"]) for name in names
    ]
    empty = np.empty(0)
    return pytorch_peer.make_model(Problem(grid.Row(SIZES, BATCH, dropout=DROPOUT), empty, empty, weights))


def share_right(outputs: Array, y: Array) -> float:
    """The test accuracy."""
    return float((outputs.argmax(axis=1) == y).mean())
