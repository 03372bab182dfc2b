"""The network for a table, and how it is trained: RealMLP-TD, with three hidden layers of 128 units.

    numbers → waves and themselves (PBLD), or in every other network of an ensemble lines in each of 32 bins
    (PiecewiseLinear);  categories of many values → rows of a table (Embedding)

    h₀ = g ∘ x,   h = dropout(f(h W + b)) three times,   z = h W + b

f is SELU for classes and Mish for numbers; each unit learns how much of it to apply. Data initialise the weights.

The paper writes z = W̃ᵀh / √d + b with W̃ ~ N(0, 1), d the width of h (the NTK parametrisation). This file stores
W = W̃ / √d. Adam moves every weight by the learning rate, whatever its size, so a step of η on W̃ is a step of η / √d on
W, and decay by 1 − η λ is the same share of both. So W has the learning rate factor 1/√d and the decay factor √d.

References
----------
Holzmüller, Grinsztajn and Steinwart, Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data (2024),
arXiv:2407.04491.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from .._support.checks import Array
from ..layers import PBLD, Columns, Dropout, Embedding, Layer, Linear, ParametricActivation, PiecewiseLinear, Scale
from ..model import Sequential
from ..model.data_driven import initialize_from_data
from ..optimizers import Adam
from ..schedules import CosLog4, FlatCos
from ..training.callbacks import LayerScheduler
from .encoding import TableEncoder

#: Four networks of 128 units err as two of 256, in 0.7 of the time (docs/why/tables.md).
WIDTHS = (128, 128, 128)
EMBEDDING = 8
SMOOTHING = 0.1  # of labels, if the metric is accuracy
DECAY = 0.02
BETAS = (0.9, 0.95)
ROWS = 4096  # that determine the initial weights
LINES, BINS, ROWS_OF_BINS = 4, 32, 16_384  # of each number; and how many rows determine the edges of the bins
#: Factors of the learning rate and of the weight decay, by the last part of the parameter's name.
FACTORS = {
    "b": (0.1, 0.0),
    "gain": (6.0, 6.0),
    "amount": (0.1, 0.1),
    **dict.fromkeys(("w1", "b1", "W2", "b2"), (0.1, 0.1)),
}


@dataclass(frozen=True)
class Recipe:
    """What differs between classification and regression."""

    activation: str
    learning_rate: float
    dropout: float


CLASSES = Recipe("selu", 0.04, 0.3)  # twice the paper's dropout: a better log-loss for adult and wine
NUMBERS = Recipe("mish", 0.2, 0.15)


def network(
    encoder: TableEncoder, outputs: int, recipe: Recipe, rng: np.random.Generator, x: Array | None = None
) -> Sequential:
    """Build the network for the outputs of an encoder; with the training rows x, its numbers have bins."""
    inputs: list[tuple[int, Sequence[Layer]]] = []
    for role, same in groupby(encoder.feature_roles):
        start, count = sum(width for width, _ in inputs), len(list(same))
        binned = None if x is None else x[:: max(1, len(x) // ROWS_OF_BINS), start : start + count]
        inputs.append((count, _layers(role, count, binned)))
    inputs += [(1, [Embedding(size, EMBEDDING)]) for size in encoder.code_sizes]
    width = sum(_width(part) for part in inputs)
    layers: list[Layer] = [Columns(inputs), Scale(width)]
    for size in WIDTHS:
        layers += [_linear(width, size), ParametricActivation(size, recipe.activation), Dropout(recipe.dropout)]
        width = size
    return Sequential([*layers, _linear(width, outputs)], rng=rng)


def begin(model: Sequential, x: Array, rng: np.random.Generator) -> None:
    """Initialise the weights from some of the rows."""
    initialize_from_data(model, x[np.sort(rng.permutation(len(x))[:ROWS])], rng)


def optimizer(model: Sequential, recipe: Recipe) -> Adam:
    """Build Adam with four cosine cycles, and factors for each group of parameters."""
    groups = {}
    for name, shape in model.parameters.shapes.items():
        last = name.rpartition(".")[2]
        root = float(np.sqrt(shape[0]))
        rate, decay = (1 / root, root) if last == "W" else FACTORS.get(last, (1.0, 1.0))
        groups[name] = {"learning_rate_factor": rate, "weight_decay_factor": decay}
    return Adam(CosLog4(recipe.learning_rate), betas=BETAS, weight_decay=FlatCos(DECAY), groups=groups)


def fading_dropout(recipe: Recipe) -> LayerScheduler:
    """Build the schedule of the dropout rate: constant for the first half of training, then falling."""
    return LayerScheduler(Dropout, "rate", FlatCos(recipe.dropout))


def _layers(role: str, count: int, binned: Array | None) -> Sequence[Layer]:
    """Return the layers for neighbouring features of one role."""
    if role != "number":
        return []
    return [PBLD(count) if binned is None else PiecewiseLinear.from_quantiles(binned, outputs=LINES, bins=BINS)]


def _width(part: tuple[int, Sequence[Layer]]) -> int:
    count, layers = part
    shape: tuple[int, ...] = (count,)
    for layer in layers:
        shape = layer.output_shape(shape) or shape
    return shape[0]


def _linear(width: int, size: int) -> Linear:
    """Build a linear layer with W ~ N(0, 1/d)."""
    return Linear(width, size, initializer="lecun_normal")
