"""One training of the page: the written-out loop, what a picture of its moment shows, and a program that does the same.

The program, to copy, ends with the same weights.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import ops
from .._support.checks import Array, check_integer, sentence
from .._support.errors import DivergenceError
from ..data.batches import batches, steps_per_epoch
from ..layers import Linear, Workspace
from ..model import MLP
from ..training.trainer import Trainer
from .choices import FEATURES, PLAYGROUND, USUAL, Settings, arguments_of, losses_for, optimizer_of
from .data import DOMAIN, Points

METRICS = {"cross_entropy": "accuracy", "binary_cross_entropy": "binary_accuracy"}
REGRESSION_METRIC = "root_mean_squared_error"
MOST_GRIDS = 4  # kept


class Run:
    """A network, its data and its training, made of settings that are complete."""

    def __init__(self, settings: Settings, points: Points, classes: int) -> None:
        loss = USUAL[classes == 0] if settings["loss"] is None else settings["loss"]
        if loss not in losses_for(classes):
            raise ValueError(
                sentence(PLAYGROUND, f"one of the losses {losses_for(classes)} for these data", repr(loss))
            )
        self.settings, self.points, self.classes = settings | {"loss": loss}, points, classes
        self.plane = points.x.shape[1] == 2
        self.x, self.x_test = self.features(points.x), self.features(points.x_test)
        self.y, self.y_test = self._targets(points.y), self._targets(points.y_test)
        sizes = [self.x.shape[1], *settings["hidden"], classes if loss == "cross_entropy" else 1]
        given = {name: settings[name] for name in ("dropout", "l1", "l2", "initializer")}
        self.model = MLP(sizes, settings["activation"], **given, rng=settings["seed"], dtype="float64")
        self.metric = METRICS.get(loss, REGRESSION_METRIC)
        batch_size, optimizer = settings["batch_size"], optimizer_of(settings)
        self.trainer = Trainer(self.model, loss, optimizer, batch_size, [self.metric])
        self.steps_per_epoch = steps_per_epoch(len(self.x), batch_size, False, "all")
        self.total_steps = check_integer(PLAYGROUND, "epochs", settings["epochs"]) * self.steps_per_epoch
        optimizer.setup(self.model.parameters, total_steps=self.total_steps)
        self.epoch = self.step_of_epoch = 0
        self._batches: Iterator[tuple[Array, ...]] = iter(())
        self._grids: dict[int, Array] = {}
        self._draw()
        self.frame()  # what cannot be computed is refused here

    def features(self, x: Array) -> Array:
        """The chosen input features of points in the plane; pixels as they are."""
        if not self.plane:
            return x
        return np.column_stack([FEATURES[name][2](x) for name in self.settings["features"]])

    def _targets(self, y: Array) -> Array:
        return y[:, None].astype(np.float64) if self.settings["loss"] == "binary_cross_entropy" else y

    # --- the loop ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        trainer, model = self.trainer, self.model
        z = model.forward(self.xb, training=True)
        value, dz = trainer.loss(z, self.yb)
        _finite(value)
        model.backward(dz)
        trainer.optimizer.step(model.parameters.vector, model.gradients.vector)
        self.step_of_epoch += 1
        self._draw()

    def _draw(self) -> None:
        """Draw the batch that comes next; after the last of an epoch, the first of a new one."""
        batch = next(self._batches, None)
        if batch is None:
            if self.step_of_epoch:
                self._end_epoch()
            rows = np.arange(len(self.x))
            self._batches = batches(self.x, rows, size=self.settings["batch_size"], rng=self.model.rng)
            batch = next(self._batches)
        self.xb, self.rows = batch
        self.yb = self.y[self.rows]

    def _end_epoch(self) -> None:
        self.epoch, self.step_of_epoch = self.epoch + 1, 0
        rate = self.trainer.optimizer.learning_rate
        if hasattr(rate, "observe"):
            rate.observe(self.trainer.evaluate(self.x_test, self.y_test)["loss"])

    def advance(self, steps: int = 0, epochs: int = 0, milliseconds: float = 0) -> None:
        """Take so many steps, then so many epochs, then steps for so many milliseconds."""
        for _ in range(steps + epochs * self.steps_per_epoch):
            self.step()
        end = time.perf_counter() + milliseconds / 1000
        while time.perf_counter() < end:
            self.step()

    # --- a picture of the moment ------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """What stays the same during the training."""
        y = self.points.y
        return {
            "settings": self.settings,
            "plane": self.plane,
            "image": None if self.plane else [8, 8],
            "inputs": [FEATURES[name][0] for name in self.settings["features"]] if self.plane else self.x.shape[1],
            "layers": [repr(layer) for layer in self.model.layers],
            "shapes": [list(layer.W.shape) for layer in self.linear],
            "metric": self.metric,
            "input_std": self.x.std(axis=0).tolist(),
            "range": [0.0, 1.0] if self.classes else [float(y.min()), float(y.max())],
            "steps_per_epoch": self.steps_per_epoch,
        }

    def frame(self) -> dict[str, Any]:
        """Numbers of the present moment: scores, weights, gradients of the next batch, statistics of each unit."""
        loss = self.look_ahead()
        layers = []
        for layer, y in zip(self.linear, self.outputs(self.x), strict=True):
            numbers = {"W": layer.W, "b": layer.b, "dW": layer.dW, "db": layer.db}
            numbers |= {"mean": y.mean(axis=0), "std": y.std(axis=0)}
            layers.append({name: array.tolist() for name, array in numbers.items()})
        return {
            "epoch": self.epoch,
            "step": self.trainer.optimizer.steps_taken,
            "step_of_epoch": self.step_of_epoch,
            "learning_rate": self.trainer.optimizer.current_learning_rate,
            "train": self.trainer.evaluate(self.x, self.y),
            "test": self.trainer.evaluate(self.x_test, self.y_test),
            "batch": {"loss": loss, "rows": self.rows.tolist()},
            "layers": layers,
        }

    def look_ahead(self) -> float:
        """The loss of the next batch, penalties included, and its gradient in the model; dropout as it will be."""
        model, generator = self.model, self.model.rng.bit_generator
        state = generator.state
        z = model.forward(self.xb, training=True)
        generator.state = state
        value, dz = self.trainer.loss(z, self.yb)
        model.backward(dz)
        return _finite(value + model.penalty())

    @property
    def linear(self) -> list[Linear]:
        return [layer for layer in self.model.layers if isinstance(layer, Linear)]

    def outputs(self, x: Array) -> list[Array]:
        """The output of each dense layer for these features, without dropout."""
        found = []
        for layer in self.linear:
            x = layer.forward(x, Workspace(False, self.model.rng))
            found.append(x)
        return found

    def answers(self, z: Array) -> Array:
        """What the page shows of outputs z: the probability of class 1, or of each class, or the number itself."""
        if not self.classes:
            return z
        if z.shape[1] == 1:
            return ops.sigmoid(z)
        p = ops.softmax(z)
        return p[:, 1:] if self.classes == 2 else p

    def surfaces(self, side: int, unit_side: int) -> dict[str, Any]:
        """The answer, and the output of each hidden unit, on grids over the plane; row 0 is the top, x₂ = DOMAIN."""
        if not self.plane:
            return {}
        answer = self.answers(self.outputs(self._grid(side))[-1])
        units = self.outputs(self._grid(unit_side))[:-1]
        return {
            "surface": packed(answer.T.reshape(-1, side, side)),
            "units": [packed(y.T.reshape(-1, unit_side, unit_side)) for y in units],
        }

    def _grid(self, side: int) -> Array:
        if side not in self._grids:
            if len(self._grids) == MOST_GRIDS:
                self._grids.clear()
            self._grids[side] = self.features(grid(side))
        return self._grids[side]


def grid(side: int) -> Array:
    """The points of a square grid over the plane, row by row from the top left (−DOMAIN, DOMAIN)."""
    ticks = np.linspace(-DOMAIN, DOMAIN, side)
    x2, x1 = np.meshgrid(ticks[::-1], ticks, indexing="ij")
    return np.column_stack([x1.ravel(), x2.ravel()])


def packed(array: Array) -> dict[str, Any]:
    """An array as its shape and its numbers in little-endian float32, in base64."""
    return {"shape": list(array.shape), "float32": base64.b64encode(array.astype("<f4").tobytes()).decode()}


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        remedy = "lower the learning rate, and reset the network"
        raise DivergenceError(sentence(PLAYGROUND, "a finite loss", str(loss), remedy))
    return loss


def program(run: Run) -> str:
    """The program, for the steps taken so far."""
    settings = run.settings
    lines = ["import chainrule as cr", *_data(run), ""]
    if run.plane and settings["features"] != ["x1", "x2"]:
        columns = ", ".join(FEATURES[name][1] for name in settings["features"])
        lines = ["import numpy as np", "", *lines, f"x, x_test = (np.column_stack([{columns}]) for x in (x, x_test))"]
    lines += [*_network(run), f'loss = "{settings["loss"]}"', f"optimizer = {_optimizer(run)}"]
    size, metric = settings["batch_size"], run.metric
    lines += [f'trainer = cr.Trainer(model, loss, optimizer, batch_size={size}, metrics=["{metric}"])']
    if run.epoch:
        every = f"every={max(run.epoch // 20, 1)}"
        lines += [f"trainer.fit(x, y, validation=(x_test, y_test), epochs={run.epoch}, {every})"]
    if run.step_of_epoch:
        lines += _rest(run)
    return "\n".join([*lines, "print(trainer.evaluate(x_test, y_test))", ""])


def _data(run: Run) -> list[str]:
    settings = run.settings
    common = f"test_share={settings['test_share']}, seed={settings['data_seed']}"
    n = settings["points"]
    if settings["data"] == "table":
        return [
            "from chainrule.playground.data import table_columns, table_points",
            "",
            'columns = table_columns(open("table.csv").read())  # your file',
            f"points, classes = table_points(columns, {settings['columns']!r}, {settings['target']!r}, {n}, {common})",
            "x, y, x_test, y_test = points",
        ]
    noise = "" if settings["data"] == "digits" else f"noise={settings['noise']}, "
    drawn = f'x, y, x_test, y_test = points("{settings["data"]}", {n}, {noise}{common})'
    return ["from chainrule.playground.data import points", "", drawn]


def _network(run: Run) -> list[str]:
    settings = run.settings
    sizes = [run.x.shape[1], *settings["hidden"], run.linear[-1].out_features]
    given = {name: settings[name] for name in ("dropout", "l1", "l2", "initializer") if settings[name]}
    given |= {"rng": settings["seed"], "dtype": "float64"}
    first = f'{sizes}, "{settings["activation"]}"'
    lines = [f"model = cr.MLP({_call(first, given)})"]
    if settings["loss"] == "binary_cross_entropy":
        lines.insert(0, "y, y_test = y[:, None], y_test[:, None]")
    return lines


def _optimizer(run: Run) -> str:
    settings = run.settings
    rate = str(settings["learning_rate"])
    if settings["schedule"] is not None:
        schedule = f"cr.schedules.{settings['schedule']}({_call(rate, arguments_of('schedule', settings))})"
        watches = hasattr(run.trainer.optimizer.learning_rate, "observe")
        rate = schedule if watches else f"lambda step, _: {schedule}(step, {run.total_steps})"
    return f"cr.{type(run.trainer.optimizer).__name__}({_call(rate, arguments_of('optimizer', settings))})"


def _call(first: str, arguments: dict[str, object]) -> str:
    """The arguments of a call; text among them is one of the library's names."""
    written = {name: f'"{value}"' if isinstance(value, str) else repr(value) for name, value in arguments.items()}
    return ", ".join([first, *(f"{name}={value}" for name, value in written.items())])


def _rest(run: Run) -> list[str]:
    """The steps of an epoch that is not complete, written out."""
    drawn = f"cr.batches(x, y, size={run.settings['batch_size']}, rng=model.rng)"
    return [
        "",
        f"optimizer.setup(model.parameters, total_steps={run.total_steps})",
        "step = cr.losses.get_loss(loss)",
        f"for _, (xb, yb) in zip(range({run.step_of_epoch}), {drawn}):",
        "    value, dz = step(model.forward(xb, training=True), yb)",
        "    model.backward(dz)",
        "    optimizer.step(model.parameters.vector, model.gradients.vector)",
        "",
    ]
