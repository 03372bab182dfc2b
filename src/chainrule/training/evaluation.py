"""The loss and metrics on data, for Trainer.evaluate and the validation after an epoch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._support.checks import Array, sentence
from .._support.errors import DivergenceError
from ..layers import TabM
from ..losses.base import total_weight
from ..metrics import Metric
from ..metrics.names import of_probabilities
from ..runtime.signals import released
from .engine import Parts
from .inputs import are_logits
from .state import EpochState, Row, StepRecord, epoch_summary


@np.errstate(over="ignore", invalid="ignore")
def evaluated(
    who: str, parts: Parts, metrics: Mapping[str, Metric], x: Array, y: Array, weight: Array | None
) -> dict[str, float]:
    """Compute the loss, penalties included, and the metrics, without dropout."""
    model, loss = parts.model, parts.loss
    communicator, rows = parts.communicator, x.shape[0]
    with released:
        z = model.predict(x if communicator.size == 1 else x[communicator.rows(rows)])
    communicator.agree()  # that none of them was interrupted
    z = communicator.whole(z, rows)
    with released:
        value, penalty = float(loss(z, y, weight)[0]), model.penalty()
    if parts.average_penalty:
        total = total_weight(loss, z, y, weight)
        penalty = penalty / total if total else 0.0
    value += penalty
    if not np.isfinite(value):
        remedy = "lower the learning rate, or standardise x (and y for a regression)"
        raise DivergenceError(sentence(who, "a finite loss on these data", f"{value}: the outputs overflow", remedy))
    return {"loss": value} | (measured(parts, metrics, z, y, weight) if metrics else {})


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
    if metrics and epoch.outputs:
        z, y, *weight = epoch.outputs
        scores = measured(parts, metrics, z, y, *weight)
        rows = [{"loss": rows[0]["loss"]} | scores | {"learning_rate": rows[0]["learning_rate"]}]
    return [row | {"seconds": seconds / epoch.count} for row in rows]
