"""The loop: batches in a given order, the loss with the penalties, one step for each batch, the record of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .layers import Layer, Linear, walk
from .losses import Loss
from .optimizers import Optimizer
from .rounding import Rounding

Array = np.ndarray[Any, Any]


class Network:
    """Layers in a row, with all their parameters by name."""

    def __init__(self, layers: list[Layer], rounding: Rounding) -> None:
        self.layers = layers
        self.everything = list(walk(layers))
        for _, layer in self.everything:
            layer.rounding = rounding
        self.parameters = {p + name: a for p, layer in self.everything for name, a in layer.parameters().items()}
        self.buffers = {p + name: a for p, layer in self.everything for name, a in layer.buffers().items()}

    def forward(self, x: Array, training: bool, rng: Any = None) -> Array:
        for layer in self.layers:
            x = layer.forward(x, training, rng)
        return x

    def backward(self, dz: Array) -> dict[str, Array]:
        """The gradients of the loss by all parameters, without the penalties."""
        for layer in reversed(self.layers):
            dz = layer.backward(dz)
        return {p + name: a for p, layer in self.everything for name, a in layer.gradients().items()}

    def penalty(self) -> float:
        return sum(layer.penalty() for _, layer in self.everything)

    def penalty_gradients(self) -> dict[str, Array]:
        return {f"{p}W": layer.penalty_gradient() for p, layer in self.everything if isinstance(layer, Linear)}


class Training:
    """A network that is trained, with the record of every epoch in ``history``."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Optimizer,
        *,
        batch_size: int | None,
        drop_last: bool,
        average_penalty: bool,
        rng: np.random.Generator,
    ) -> None:
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.batch_size, self.drop_last, self.average_penalty, self.rng = batch_size, drop_last, average_penalty, rng

    def fit(self, x, y, weight, validation, orders) -> Iterator[dict[str, float]]:
        """An epoch for each order of the rows; its record."""
        size = len(x) if self.batch_size is None else min(self.batch_size, len(x))
        steps = len(x) // size if self.drop_last else -(-len(x) // size)
        self.optimizer.total_steps = self.optimizer.t + steps * len(orders)
        for order in orders:
            losses, weights = [], []
            row = {"learning_rate": self.optimizer.now(self.optimizer.learning_rate)}
            for step in range(steps):
                rows = order[step * size : (step + 1) * size]
                losses.append(self.step(x[rows], y[rows], None if weight is None else weight[rows]))
                weights.append(len(rows) if weight is None else weight[rows].sum())
            row["loss"] = np.dot(losses, weights) / np.sum(weights) if np.sum(weights) else 0.0
            if validation is not None:
                row["validation_loss"] = self.evaluate(*validation)
            if hasattr(self.optimizer.learning_rate, "observe"):
                seen = row.get("validation_loss", row["loss"])
                self.optimizer.rounding.kink(np.array(self.optimizer.learning_rate.observe(seen)))
            yield row

    def step(self, x, y, weight) -> float:
        z = self.network.forward(x, True, self.rng)
        value, dz = self.loss(z, y, weight)
        share = self.share_of_penalty(z, y, weight)
        value += share * self.network.penalty()
        gradients = self.network.backward(dz)
        for name, gradient in self.network.penalty_gradients().items():
            gradients[name] = gradients[name] + share * gradient
        self.optimizer.step(self.network.parameters, gradients)
        return value

    def share_of_penalty(self, z, y, weight) -> float:
        """1, or 1 / Σ w where the penalty is averaged as the loss is."""
        if not self.average_penalty:
            return 1.0
        total = self.loss.weights(z, y, weight).sum()
        return 1 / total if total else 0.0

    def evaluate(self, x, y) -> float:
        z = self.network.forward(x, False)
        return self.loss(z, y, None)[0] + self.share_of_penalty(z, y, None) * self.network.penalty()
