"""How the numbers in a network are distributed: activations, weights and gradients of each layer."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array
from ..diagnostics.health import examined, one_pass
from ..losses import LossFunction
from ..model import Sequential
from ._style import BLUE, GRAY, PALETTE, VERMILION, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN = PALETTE[2]
BINS, LONGEST_NAME = 60, 32
OUTSIDE = 0.1  # per cent of the numbers that may lie beyond either end of an axis


def gradients(model: Sequential, x: Any, y: Any, loss: str | LossFunction | None = None) -> Figure:
    """Draw the distributions of activations, weights and gradients, a row for each layer, the first at the top.

    Gradients are drawn by size on a logarithmic scale: if they vanish on their way to the first layer, the hills move
    to the left from row to row. Numbers that are exactly 0 are left out, and their share is written at the right.

    Parameters
    ----------
    model : Sequential
        The model, which is not modified.
    x : array (N, ...)
        Input; the first 2,048 rows are used.
    y : array (N,) or (N, O)
        Targets, in the form that the loss expects.
    loss : str, Loss, callable or None
        As for :class:`~chainrule.Trainer`; None for the cross-entropy with labels, else the squared error.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> figure = cr.plots.gradients(cr.MLP([3, 8, 1], activation="tanh", rng=0), x, x[:, :1])
    >>> [panel.get_xlabel() for panel in figure.axes]
    ['activations', 'weights', 'gradients of the weights, by size']
    """
    model, x, y, loss = examined("gradients", model, x, y, loss)
    outputs, _ = one_pass(model, x, y, loss)
    count = len(model.layers)
    weights, slopes = (
        [_of_layer(arrays, index) for index in range(count)] for arrays in (model.parameters, model.gradients)
    )
    figure = new_figure("gradients", (10, 0.9 + 0.5 * count))
    panels = figure.subplots(1, 3, sharey=True)
    _draw_hills(panels[0], outputs, BLUE)
    _draw_hills(panels[1], weights, GREEN)
    _draw_hills(panels[2], slopes, VERMILION, by_size=True)
    for panel, label in zip(panels, ("activations", "weights", "gradients of the weights, by size"), strict=True):
        panel.set_xlabel(label)
        panel.tick_params(axis="y", length=0)
        tidy(panel)
    names = [textwrap.shorten(repr(layer), LONGEST_NAME, placeholder=" …") for layer in model.layers]
    panels[0].set_yticks(range(count), [f"{name}  {index}" for index, name in enumerate(names)], parse_math=False)
    panels[0].set_ylim(count - 0.7, -0.95)
    return figure


def _of_layer(arrays: Any, index: int) -> Array:
    """All numbers of a layer's weight matrices, or if it has none, of all its arrays."""
    mine = [array for name, array in arrays.items() if name.startswith(f"{index}.")]
    chosen = [array for array in mine if array.ndim > 1] or mine
    return np.concatenate([np.ravel(array) for array in chosen]).astype(np.float64) if chosen else np.empty(0)


def _draw_hills(ax: Axes, rows: list[Array], color: str, by_size: bool = False) -> None:
    """Draw a histogram for each row, all on one axis, each as high as its row."""
    finite = [np.ravel(row)[np.isfinite(np.ravel(row))] for row in rows]
    sized = [np.abs(row[row != 0]) if by_size else row[row != 0] for row in finite]
    ends = [np.percentile(row, [OUTSIDE, 100 - OUTSIDE]) for row in sized if row.size] or [np.array([0.1, 1.0])]
    low, high = float(np.min(ends)), float(np.max(ends))
    if high - low <= 1e-6 * abs(high):
        low, high = high - abs(high) / 2, high + abs(high) / 2
    if by_size:
        ax.set_xscale("log")
        bins, right = np.geomspace(low, high, BINS + 1), high * (high / low) ** 0.15
    else:
        bins, right = np.linspace(low, high, BINS + 1), high + 0.15 * (high - low)
        ax.axvline(0, color=GRAY, linewidth=0.8, zorder=1)
    for place, (row, numbers) in enumerate(zip(rows, sized, strict=True)):
        heights = np.histogram(numbers, bins)[0] / max(np.histogram(numbers, bins)[0].max(), 1)
        if numbers.size:
            ax.stairs(place - 0.85 * heights, bins, baseline=place, fill=True, color=color, alpha=0.75)
        zeros = np.mean(np.ravel(row) == 0) if np.size(row) else 0.0
        if zeros >= 0.005:
            style: dict[str, Any] = {"ha": "right", "va": "bottom", "size": "x-small"}
            ax.text(0.99, place - 0.02, f"{zeros:.0%} are 0", transform=ax.get_yaxis_transform(), **style)
    ax.set_xlim(low, right)
