"""The loss and metrics on data, for Trainer.evaluate and the validation after an epoch."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing

import numpy as np

from .._support.checks import Array, sentence
from .._support.errors import DivergenceError
from ..layers import TabM
from ..losses.base import total_weight
from ..metrics import Metric
from ..metrics.names import of_probabilities
from ..runtime.signals import released
from .engine import Parts
from .inputs import Data, are_logits
from .state import EpochState, Row, StepRecord, epoch_summary


@np.errstate(over="ignore", invalid="ignore")
def evaluated(who: str, parts: Parts, metrics: Mapping[str, Metric], data: Data | Iterable[Data]) -> dict[str, float]:
    """Compute the loss, penalties included, and the metrics, without dropout, on data or on the windows of a stream."""
    model, loss = parts.model, parts.loss
    communicator = parts.communicator
    value, scores = Means({}, 0.0), Means({}, 0.0)
    with closing(_windows_of(data)) as windows:
        for x, y, weight in windows:
            own = x if communicator.size == 1 else x[communicator.rows(x.shape[0])]
            with released:
                z = model.predict(own)
            communicator.agree()  # that none of them was interrupted
            z = communicator.whole(z, x.shape[0])
            with released:
                value.add({"loss": float(loss(z, y, weight)[0])}, total_weight(loss, z, y, weight))
            if metrics:
                scores.add(measured(parts, metrics, z, y, weight), weight_of(y, weight))
    with released:
        penalty = model.penalty()
    if parts.average_penalty:
        penalty = penalty / value.weight if value.weight else 0.0
    value.values["loss"] += penalty
    if not np.isfinite(value.values["loss"]):
        got = f"{value.values['loss']}: the outputs overflow"
        remedy = "lower the learning rate, or standardise x (and y for a regression)"
        raise DivergenceError(sentence(who, "a finite loss on these data", got, remedy))
    return value.values | scores.values


def _windows_of(data: Data | Iterable[Data]) -> Generator[Data, None, None]:
    yield from [data] if isinstance(data, tuple) else data


def measured(
    parts: Parts, metrics: Mapping[str, Metric], z: Array, y: Array, weight: Array | None = None
) -> dict[str, float]:
    """Compute each metric of these outputs, which the model and the loss define as logits or probabilities."""
    if metrics and not are_logits(parts.model, parts.loss):
        metrics = {name: of_probabilities(metric) for name, metric in metrics.items()}
    last = parts.model.layers[-1]
    if isinstance(last, TabM) and z.ndim > 2:  # in training, of each member
        z = last._averaged(z)
    with released:
        return {name: float(metric(y, z, weight)) for name, metric in metrics.items()}


def rows_of_epochs(
    parts: Parts,
    epoch: EpochState,
    records: list[StepRecord],
    each: int,
    metrics: Mapping[str, Metric],
    seconds: float,
) -> list[Row]:
    """Return the row of each epoch of ``each`` steps; metrics need the recorded outputs of a single epoch."""
    rows = [epoch_summary(records[i * each : (i + 1) * each]) for i in range(epoch.count)]
    measure_outputs(parts, metrics, epoch)
    if metrics:
        rows[0] = {"loss": rows[0]["loss"]} | epoch.means | {"learning_rate": rows[0]["learning_rate"]}
    return [row | {"seconds": seconds / epoch.count} for row in rows]


def measure_outputs(parts: Parts, metrics: Mapping[str, Metric], epoch: EpochState) -> None:
    """Replace the recorded outputs of an epoch, or of a part of it, by their share in the means of the metrics."""
    if metrics and epoch.outputs:
        z, y, *weight = epoch.outputs
        means = Means(epoch.means, epoch.weight)
        total = weight_of(y, *weight)
        if total or epoch.seed is None:  # not of the windows of a stream whose rows all weigh nothing
            means.add(measured(parts, metrics, z, y, *weight), total)
        epoch.means, epoch.weight, epoch.outputs = means.values, means.weight, []


def weight_of(y: Array, weight: Array | None = None) -> float:
    """Return the sum of the weights of rows."""
    return float(len(y) if weight is None else weight.sum(dtype=np.float64))


class Means:
    """The weighted means of numbers by name: of a single part, exactly its numbers."""

    def __init__(self, values: Mapping[str, float], weight: float) -> None:
        self.values, self.weight = dict(values), weight

    def add(self, values: Mapping[str, float], weight: float) -> None:
        self.weight += weight
        share = weight / self.weight if self.weight else 1.0
        for name, value in values.items():
            self.values[name] = value if share == 1 else (1 - share) * self.values[name] + share * value
