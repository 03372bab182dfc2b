"""The default network and training settings of ``chainrule train``."""

from __future__ import annotations

from dataclasses import dataclass

from .._support.checks import check_name
from ..model import MLP, Sequential
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules import WarmupCosine

# The peak learning rate for each optimizer; others use their own default.
RATES = {"adam": 2e-3, "adamw": 2e-3, "nadam": 2e-3, "lion": 4e-4, "sgd": 0.1}
WARMUP = 0.1
LEAST_EPOCHS, MOST_EPOCHS = 20, 200
LEAST_STEPS = 1000  # so that a small table gets more epochs
IMAGE_DROPOUT = (
    0.3  # neighbouring pixels are redundant; on six tables of 5,000 to 20,000 rows dropout reduced the accuracy
)


@dataclass(frozen=True)
class Recipe:
    """The network and its training settings."""

    hidden: tuple[int, ...] = (512, 256)
    activation: str = "relu"
    dropout: float = 0.0
    optimizer: str = "adamw"
    learning_rate: float = RATES["adamw"]
    batch_size: int = 128
    epochs: int = LEAST_EPOCHS

    def make_model(self, inputs: int, outputs: int, seed: int) -> Sequential:
        """Build a multilayer perceptron."""
        return MLP([inputs, *self.hidden, outputs], self.activation, dropout=self.dropout, rng=seed)

    def make_optimizer(self) -> Optimizer:
        """Build the optimizer, with a linear warm-up and cosine decay of its learning rate."""
        return OPTIMIZERS[self.optimizer](WarmupCosine(self.learning_rate, warmup=WARMUP))


def default_rate(optimizer: str) -> float:
    """Return the peak learning rate for the optimizer of this name."""
    cls = OPTIMIZERS[check_name("train", "an optimizer", optimizer, OPTIMIZERS)]
    return RATES.get(optimizer) or cls().current_learning_rate


def default_epochs(rows: int, batch_size: int) -> int:
    """Return the number of epochs for ``LEAST_STEPS`` steps, within bounds."""
    steps_per_epoch = -(-rows // batch_size)
    return min(max(LEAST_EPOCHS, -(-LEAST_STEPS // steps_per_epoch)), MOST_EPOCHS)
