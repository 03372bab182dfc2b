"""The network for a table, and how it is trained: RealMLP-TD, one network with three hidden layers of 256 units.

    h₀ = g ∘ x,   h = dropout(f(h W + b)) three times,   z = h W + b         f is SELU for classes, Mish for numbers

The paper writes z = W̃ᵀh / √d + b with W̃ ~ N(0, 1), d the width of h (the NTK parametrisation). Here W = W̃ / √d is what
is kept. Adam moves every weight by the learning rate, whatever its size, so that a step of η on W̃ is one of η / √d on
W; and decay by 1 − η λ is the same share of either. So W has the learning rate factor 1/√d and the decay factor √d.

References
----------
Holzmüller, Grinsztajn and Steinwart, Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data (2024),
arXiv:2407.04491.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layers import SELU, Activation, Dropout, Layer, Linear, Mish, Scale
from ..model import Sequential
from ..optimizers import Adam
from ..schedules import CosLog4, FlatCos
from .encoding import TableEncoder

WIDTHS = (256, 256, 256)
BATCH = 256
EPOCHS = 256
DROPOUT = 0.15
SMOOTHING = 0.1  # of labels, where accuracy is what counts
DECAY = 0.02
BETAS = (0.9, 0.95)
OF_BIASES, OF_SCALE = 0.1, 6.0  # learning rate factors
SCALE_DECAY = 6.0  # which with the factor above makes 36, as published results have it


@dataclass(frozen=True)
class Recipe:
    """What differs between classes and numbers."""

    activation: type[Activation]
    learning_rate: float


CLASSES = Recipe(SELU, 0.04)
NUMBERS = Recipe(Mish, 0.2)


def encoder() -> TableEncoder:
    """One that gives what the network takes."""
    return TableEncoder(max_one_hot=None)


def network(encoder: TableEncoder, outputs: int, recipe: Recipe, rng: np.random.Generator) -> Sequential:
    """The network for what an encoder gives."""
    width = len(encoder.feature_names)
    layers: list[Layer] = [Scale(width)]
    for size in WIDTHS:
        layers += [_linear(width, size, recipe.activation()), Dropout(DROPOUT)]
        width = size
    return Sequential([*layers, _linear(width, outputs)], rng=rng)


def optimizer(model: Sequential, recipe: Recipe) -> Adam:
    """Adam along four cosine cycles, with factors for each group of parameters."""
    groups = {
        "*.b": {"learning_rate_factor": OF_BIASES, "weight_decay_factor": 0.0},
        "*.gain": {"learning_rate_factor": OF_SCALE, "weight_decay_factor": SCALE_DECAY},
    }
    for name, shape in model.parameters.shapes.items():
        if name.endswith(".W"):
            root = float(np.sqrt(shape[0]))
            groups[name] = {"learning_rate_factor": 1 / root, "weight_decay_factor": root}
    return Adam(CosLog4(recipe.learning_rate), betas=BETAS, weight_decay=FlatCos(DECAY), groups=groups)


def _linear(width: int, size: int, activation: Activation | None = None) -> Linear:
    """W ~ N(0, 1/d)."""
    return Linear(width, size, activation=activation, initializer="lecun_normal")
