"""Plots of training and results; each function returns a Matplotlib figure.

The plots do not use ``pyplot``: no window opens, no figure stays in memory, and your style settings do not change.
Save a figure with ``figure.savefig("curves.png", dpi=150)``; a notebook shows it on the last line of a cell (after
``%matplotlib inline``). Plots with ``ax=`` draw on your own axes and return their figure; create that figure with
``layout="compressed"``, which leaves room for every label.
"""

from __future__ import annotations

from .answers import confusion, predictions, reliability
from .inside import first_layer_weights, gradients, network
from .inspection import importances, worst
from .surfaces import decision_regions, landscape
from .training import curves, health, learning_rates

__all__ = [
    "confusion",
    "curves",
    "decision_regions",
    "first_layer_weights",
    "gradients",
    "health",
    "importances",
    "landscape",
    "learning_rates",
    "network",
    "predictions",
    "reliability",
    "worst",
]


def __dir__() -> list[str]:
    return __all__  # `answers` and `inside` are files, not plots
