"""A network as units and weighted edges."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, check_integer, sentence
from ..diagnostics.health import check_model
from ..layers import Linear
from ..model import Sequential
from ._style import BLUE, PALETTE, canvas, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POSITIVE, NEGATIVE = PALETTE[2], PALETTE[3]
RADIUS, APART = 0.13, 0.4  # of a unit, and between the centres of two, in inches
ACROSS, LONGEST_NAME = 2.1, 26  # inches from layer to layer, and characters of what is written there


def network(model: Sequential, most_units: int = 12, ax: Axes | None = None) -> Figure:
    """Draw a network: a column of units for each dense layer, and its weights W (I, O) as edges.

    The thicker and darker an edge, the larger the weight, relative to the largest of its layer; green is positive,
    purple is negative. Of a wide layer, evenly spaced units are drawn, with dots for those between. Other layers are
    named in their place.

    Parameters
    ----------
    model : Sequential
        The model.
    most_units : int, >= 2
        Largest number of units drawn for a layer.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    TypeError
        If model is no Sequential model.
    ValueError
        If the model has no Linear layer.

    Examples
    --------
    >>> import chainrule as cr
    >>> figure = cr.plots.network(cr.MLP([2, 3, 1], activation="tanh", rng=0))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['Linear(2 → 3, tanh)', 'Linear(3 → 1)', '2', '3', '1']
    """
    who = "network"
    check_model(who, model)
    check_integer(who, "most_units", most_units, minimum=2)
    counts, links = _columns_and_links(model)
    if not links:
        raise ValueError(sentence(who, "a model with a Linear layer", repr(model)))
    heights = [_heights(count, most_units) for count in counts]
    top = max(float(column[0]) for column in heights) + 0.3
    figure, ax = canvas(who, ax, (ACROSS * len(links) + 0.8, 2 * top + 0.8))
    for place, (names, W) in enumerate(links):
        ax.text(ACROSS * (place + 0.5), top, "\n".join(names), ha="center", va="bottom", size="small")
        if W is not None:
            _draw_edges(ax, ACROSS * place, heights[place], heights[place + 1], W)
    for place, (count, column) in enumerate(zip(counts, heights, strict=True)):
        _draw_units(ax, ACROSS * place, column, count)
    for label, color in (("positive weight", POSITIVE), ("negative weight", NEGATIVE)):
        ax.plot([], [], color=color, linewidth=2, label=label)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False, fontsize="small")
    ax.set(xlim=(-0.4, ACROSS * len(links) + 0.4), ylim=(-top, top + 0.2), aspect="equal")
    ax.set_axis_off()
    return figure


def _columns_and_links(model: Sequential) -> tuple[list[int], list[tuple[list[str], Array | None]]]:
    """The number of units of each column, and between two columns the names of the layers and W, if one joins them."""
    counts: list[int] = []
    links: list[tuple[list[str], Array | None]] = []
    before: list[str] = []
    for index, layer in enumerate(model.layers):
        name = literal(textwrap.shorten(repr(layer), LONGEST_NAME, placeholder=" …"))
        if not isinstance(layer, Linear):
            (links[-1][0] if links else before).append(name)
            continue
        W = model.parameters[f"{index}.W"]
        if not counts:
            counts.append(len(W))
        elif counts[-1] != len(W):  # a layer between them changes the width
            counts.append(len(W))
            links.append(([], None))
        counts.append(W.shape[1])
        links.append(([*before, name], W))
        before = []
    return counts, links


def _heights(count: int, most: int) -> Array:
    """The heights of the units drawn, from the top, around 0; NaN in the middle, for those that are not, if any."""
    shown = min(count, most)
    places = APART * (np.arange(shown + (count > most)) - (shown - (count <= most)) / 2)[::-1]
    if count > most:
        places[(shown + 1) // 2] = np.nan
    return places


def _draw_edges(ax: Axes, left: float, sources: Array, targets: Array, W: Array) -> None:
    """Draw the weights between the drawn units, the largest on top."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    sources, targets = (column[~np.isnan(column)] for column in (sources, targets))
    drawn = zip(W.shape, (sources, targets), strict=True)
    rows, columns = (np.linspace(0, count - 1, len(column)).round().astype(int) for count, column in drawn)
    weights = np.nan_to_num(W[np.ix_(rows, columns)].astype(np.float64)).ravel()
    size = np.abs(weights) / (np.abs(weights).max(initial=0) or 1)
    ends = np.array([[(left, a), (left + ACROSS, b)] for a in sources for b in targets])
    colors = [(*to_rgb(POSITIVE if w > 0 else NEGATIVE), 0.15 + 0.85 * s) for w, s in zip(weights, size, strict=True)]
    order = np.argsort(size)
    style: dict[str, Any] = {"linewidths": 0.3 + 2.7 * size[order], "colors": [colors[i] for i in order], "zorder": 1}
    ax.add_collection(LineCollection(list(ends[order]), **style))


def _draw_units(ax: Axes, x: float, heights: Array, count: int) -> None:
    from matplotlib.patches import Circle

    style: dict[str, Any] = {"facecolor": ax.get_facecolor(), "edgecolor": BLUE, "linewidth": 1.5, "zorder": 2}
    for y in heights[~np.isnan(heights)]:
        ax.add_patch(Circle((x, float(y)), RADIUS, **style))
    if np.isnan(heights).any():
        gap = float(np.nanmean(heights[np.flatnonzero(np.isnan(heights))[0] + np.array([-1, 1])]))
        ax.plot([x] * 3, gap + 0.09 * np.arange(-1, 2), ".", color=BLUE, markersize=3, zorder=2)
    ax.text(x, float(np.nanmin(heights)) - 0.2, f"{count:,}", ha="center", va="top", size="small")
