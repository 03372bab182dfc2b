"""Where to look: the images with the largest errors of a classifier, and the inputs that a model relies on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_integer, sentence
from ._style import BLUE, GRAY, PALETTE, canvas, class_probabilities, literal, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST, LETTER, WIDTH = 1.15, 0.068, 8.0  # inches: an image's minimum width, a letter's width, the total width
CAPTION, GAP = 0.42, 0.12  # inches: the height of two lines, the space between images


def worst(
    probabilities: Any,
    labels_true: Any,
    x: Any,
    image_shape: tuple[int, int],
    class_names: Sequence[Any] | None = None,
    count: int = 18,
    ax: Axes | None = None,
) -> Figure:
    """Draw the images with the highest loss, −log p of their true class: the most confident mistakes come first.

    The true class is above each image; the model's answer and its probability are below.

    Parameters
    ----------
    probabilities : array (N, K), (N,) or (N, 1)
        Probabilities of K ≥ 2 classes, or of the second of two classes.
    labels_true : array (N,)
        Labels from 0 to K-1.
    x : array (N, height · width) or (N, height, width)
        Images; large values are dark.
    image_shape : (int, int)
        Height and width in pixels.
    class_names : list, optional
        K names; the labels by default.
    count : int
        Number of images.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If lengths or image_shape do not fit, a probability is outside 0..1 or a label outside 0..K-1.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import plots
    >>> images = np.arange(12.0).reshape(3, 4)
    >>> figure = plots.worst([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], [0, 0, 1], images, (2, 2), ["cat", "dog"], count=2)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['true cat\\nsaid dog, 80 %', 'true dog\\nsaid dog, 60 %']
    """
    who = "worst"
    p, labels = class_probabilities(who, probabilities, labels_true)
    images = _images(who, x, image_shape, len(p))
    rows = np.argsort(p[np.arange(len(p)), labels], kind="stable")[: check_integer(who, "count", count)]
    captions = _captions(who, p[rows], labels[rows], class_names)
    tile = max(LEAST, *(LETTER * len(line) for lines in captions for line in lines))
    across = min(len(rows), int(WIDTH // (tile + GAP)))
    down, height = -(-len(rows) // across), tile * images.shape[1] / images.shape[2] + CAPTION
    figure, ax = canvas(who, ax, (across * (tile + GAP), down * (height + GAP)))
    _draw(ax, images[rows], captions, images.shape[2] / tile, across, down)
    return figure


def _draw(ax: Axes, images: Array, captions: list[tuple[str, str]], unit: float, across: int, down: int) -> None:
    """Draw images with their captions, so many ``across`` and ``down``, with ``unit`` pixels in an inch."""
    step = images.shape[2] + GAP * unit, images.shape[1] + (CAPTION + GAP) * unit
    corners = [(place % across * step[0], place // across * step[1]) for place in range(len(images))]
    _tiles(ax, images, corners)
    for (left, top), lines in zip(corners, captions, strict=True):
        text = ax.text(left, top - 0.05 * unit, "\n".join(lines), fontsize=8, va="bottom", linespacing=1.15)
        text.set_in_layout(False)  # its position is fixed
    ax.set(xlim=(-0.02 * unit, across * step[0]), ylim=(down * step[1] - CAPTION * unit, -CAPTION * unit))
    ax.set_axis_off()


def _captions(who: str, p: Array, labels: Array, class_names: Sequence[Any] | None) -> list[tuple[str, str]]:
    """What stands above each image, in two lines."""
    names = range(p.shape[1]) if class_names is None else class_names
    if len(names) != p.shape[1]:
        raise ValueError(sentence(who, f"{p.shape[1]} class_names, one per class", str(len(names))))
    said = p.argmax(axis=1)
    return [
        (f"true {_short(names[label])}", f"said {_short(names[k])}, {_percent(row[k])}")
        for label, k, row in zip(labels, said, p, strict=True)
    ]


def _images(who: str, x: Any, image_shape: tuple[int, int], rows: int) -> Array:
    images = as_numeric(who, "x", x)
    if np.shape(image_shape) != (2,) or min(image_shape) < 1:
        raise ValueError(sentence(who, "image_shape (height, width)", str(image_shape)))
    height, width = image_shape
    if images.shape not in ((rows, height * width), (rows, height, width)):
        expected = f"x of shape {(rows, height * width)} for {rows} images of {height} by {width} pixels"
        raise ValueError(sentence(who, expected, str(images.shape)))
    check_finite(who, "x", images.reshape(rows, -1))
    return images.reshape(rows, height, width)


def _tiles(ax: Axes, images: Array, corners: Sequence[tuple[float, float]]) -> None:
    """Draw the images at these upper left corners, each in a thin frame; large values are dark."""
    from matplotlib.patches import Rectangle

    _, height, width = images.shape
    shade: dict[str, Any] = {"cmap": "gray_r", "vmin": images.min(), "vmax": max(images.max(), images.min() + 1e-12)}
    for (left, top), image in zip(corners, images, strict=True):
        ax.imshow(image, extent=(left, left + width, top + height, top), interpolation="nearest", **shade)
        ax.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=GRAY, linewidth=0.5))


def _short(name: Any) -> str:
    text = str(name)
    return literal(text if len(text) <= 12 else text[:11] + "…")


def _percent(share: float) -> str:
    """Format a share; below 1, never as 100 %."""
    return f"{math.floor(100 * share)} %" if share > 0.995 else f"{100 * share:.0f} %"


# --- inputs ---------------------------------------------------------------------------------------------------------


def importances(
    values: Any, names: Sequence[Any], label: str = "importance", count: int = 20, ax: Axes | None = None
) -> Figure:
    """Draw the importance of each input as a bar, the largest on top.

    Parameters
    ----------
    values : array (C,) or (C, R)
        Importances; R repetitions are drawn as mean ± standard deviation.
    names : list of C names
        Names of the inputs.
    label : str
        Label of the axis.
    count : int
        Number of the largest to draw; the title gives the total.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If there are not C names or no values, or a value is not finite.

    Examples
    --------
    >>> from chainrule import plots
    >>> figure = plots.importances([[0.1, 0.2], [0.3, 0.5]], ["width", "height"])
    >>> [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    ['height', 'width']
    """
    who = "importances"
    repeated = as_numeric(who, "values", values, np.float64)
    if repeated.ndim not in (1, 2) or repeated.size == 0:
        raise ValueError(sentence(who, "values of shape (C,) or (C, R)", str(repeated.shape)))
    check_finite(who, "values", repeated)
    if len(names) != len(repeated):
        raise ValueError(sentence(who, f"{len(repeated)} names, one per value", str(len(names))))
    mean, spread = (f(repeated.reshape(len(repeated), -1), axis=1) for f in (np.mean, np.std))
    order = np.argsort(-mean, kind="stable")[: check_integer(who, "count", count)]
    words = [literal(names[k]) for k in order]
    figure, ax = canvas(who, ax, (5.0 + 0.08 * max(map(len, words)), 0.9 + 0.3 * len(order)))
    line = {"ecolor": PALETTE[6], "elinewidth": 1.2, "capsize": 0}
    bars = spread[order] if repeated.ndim > 1 and repeated.shape[1] > 1 else None
    ax.barh(range(len(order)), mean[order], 0.7, xerr=bars, color=BLUE, error_kw=line)
    ax.axvline(0, color=PALETTE[6], linewidth=0.8)
    ax.set_yticks(range(len(order)), words)
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(literal(label))
    if len(order) < len(mean):
        ax.set_title(f"the first {len(order)} of {len(mean)}")
    tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False, axis="y")
    return figure
