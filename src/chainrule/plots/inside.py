"""Inside a network: its units and connections, its first weights as images, the gradients of its layers."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_integer, check_shape, sentence
from ..diagnostics.health import check_model, examined, one_pass
from ..layers import Linear
from ..losses import LossFunction
from ..model import Sequential
from ._style import BLUE, GRAY, PALETTE, VERMILION, canvas, color_bar, literal, new_figure, tidy

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


# --- weights --------------------------------------------------------------------------------------------------------


def first_layer_weights(
    model_or_W: Any,
    image_shape: tuple[int, int],
    count: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the weights of each unit of the first layer: every column of W (I, O) as a small image.

    All images share one colour scale: blue is positive, red is negative, white is zero.

    Parameters
    ----------
    model_or_W : Sequential or array (I, O)
        A model, whose first `W` is drawn, or a matrix W.
    image_shape : (int, int)
        Height and width in pixels; height times width is I.
    count : int, optional
        Number of columns to draw; all up to 64 by default. The title gives both numbers.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If W is not two-dimensional, image_shape does not have I pixels, or count exceeds O.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import plots
    >>> W = np.arange(12.0).reshape(6, 2)  # two units that see 2 by 3 pixels
    >>> figure = plots.first_layer_weights(W, (2, 3))
    >>> figure.axes[0].images[0].get_array()[:, :3].tolist()
    [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]
    """
    who = "first_layer_weights"
    W = _first_matrix(who, model_or_W)
    if np.shape(image_shape) != (2,) or min(image_shape) < 1 or image_shape[0] * image_shape[1] != len(W):
        expected = f"image_shape (height, width) with height times width = {len(W)}, the inputs of W,"
        raise ValueError(sentence(who, expected, str(image_shape)))
    units = W.shape[1]
    shown = check_integer(who, "count", min(units, 64) if count is None else count)
    if shown > units:
        raise ValueError(sentence(who, f"count of at most {units}, the columns of W", str(shown)))
    mosaic = _mosaic(W[:, :shown].T.reshape(shown, *image_shape))
    scale = float(np.abs(W[:, :shown]).max()) or 1.0
    wide = 6.0
    figure, ax = canvas(who, ax, (wide + 0.9, wide * mosaic.shape[0] / mosaic.shape[1] + 0.35))
    image = ax.imshow(mosaic, cmap="RdBu", vmin=-scale, vmax=scale, interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(f"first layer: {shown} of {units} units" if shown < units else f"first layer: {units} units")
    color_bar(ax, image, "weight")
    return figure


def _first_matrix(who: str, model_or_W: Any) -> Array:
    parameters = getattr(model_or_W, "parameters", None)
    if parameters is not None:
        matrices = [value for name, value in parameters.items() if name.split(".")[-1] == "W"]
        if not matrices:
            raise ValueError(sentence(who, "a model with a Linear layer", f"parameters {sorted(parameters)}"))
        model_or_W = matrices[0]
    W = as_numeric(who, "W", model_or_W)
    check_shape(who, "W", W, ("I", "O"))
    check_finite(who, "W", W)
    return W


def _mosaic(images: Array) -> Array:
    """Place images (M, h, w) side by side, row by row, with a line of NaN, which is not drawn, between neighbours."""
    many, height, width = images.shape
    across = int(np.ceil(np.sqrt(many * height / width)))
    down = -(-many // across)
    mosaic = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for k, image in enumerate(images):
        top, left = k // across * (height + 1), k % across * (width + 1)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


# --- distributions --------------------------------------------------------------------------------------------------

GREEN = PALETTE[2]
BINS, LONGEST_LABEL = 60, 32
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
    names = [textwrap.shorten(repr(layer), LONGEST_LABEL, placeholder=" …") for layer in model.layers]
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
