"""What tests read back from figures: lines, legends, cells and regions; and a model that answers as a test wants."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

from matplotlib.colors import to_rgba as to_rgba
from matplotlib.figure import Figure as Figure

HISTORY = {
    "loss": [2.0, 0.7, 0.3, 0.1, 0.05],
    "validation_loss": [1.9, 0.8, 0.5, 0.6, 0.7],
    "accuracy": [0.3, 0.7, 0.9, 0.97, 0.99],
    "validation_accuracy": [0.3, 0.6, 0.8, 0.85, 0.84],
    "learning_rate": [0.1, 0.08, 0.05, 0.02, 0.0],
    "seconds": [1.0, 1.1, 0.9, 1.0, 1.0],
}


class Model:
    """Answers ``function(x)`` and remembers what it was asked."""

    def __init__(self, function):
        self.function = function

    def predict(self, x):
        self.asked = x
        return self.function(x)


def lines(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def ticks(labels):
    return [tick.get_text() for tick in labels]


def cells(figure):
    return np.array([text.get_text() for text in figure.axes[0].texts])


def region_at(figure, point):
    """The class painted at a point, as Matplotlib itself reads it under a mouse."""
    x, y = figure.axes[0].transData.transform(point)
    return figure.axes[0].images[0].get_cursor_data(SimpleNamespace(x=x, y=y))
