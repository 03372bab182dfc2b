"""What a classifier or a regression answers: the confusion matrix, the calibration, predictions over true values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_integer, check_shape, sentence
from .._support.labels import as_labels
from ..metrics.probability import BINS, confidence_bins, expected_calibration_error
from ._style import BLUE, GRAY, canvas, class_probabilities, color_bar, column, dot_area, literal, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALE = "#AAAAAA"  # for zeros, which should not stand out


def confusion(
    labels_true: Any,
    labels_predicted: Any,
    class_names: Sequence[Any] | None = None,
    normalize: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """Draw the confusion matrix: C[i, j] is the number of samples of class i that were predicted as class j.

    Colours show the share of the row, C[i, j] / Σⱼ C[i, j], on a square-root scale that keeps rare errors visible. The
    title gives the accuracy, Σᵢ C[i, i] / Σᵢⱼ C[i, j].

    Parameters
    ----------
    labels_true, labels_predicted : arrays (N,) or (N, 1)
        Labels, integers or text.
    class_names : list, optional
        Names of the classes 0 to K-1 for integer labels; for text labels, the classes in the order of the axes. The
        sorted labels by default.
    normalize : bool
        Whether to write percentages of the row instead of counts.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the arrays have different shapes or no samples, or a label is not among the classes.

    Examples
    --------
    >>> from chainrule import plots
    >>> figure = plots.confusion([0, 0, 1, 1], [0, 1, 1, 1], class_names=["ham", "spam"])
    >>> [cell.get_text() for cell in figure.axes[0].texts]
    ['1', '1', '0', '2']
    >>> figure.axes[0].get_title()
    'accuracy 75.0 % (3 of 4)'
    """
    from_true, from_predicted, names = _class_indices("confusion", labels_true, labels_predicted, class_names)
    classes = len(names)
    counts = np.bincount(from_true * classes + from_predicted, minlength=classes**2).reshape(classes, classes)
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)
    words = max(len(name) for name in names)
    side = min(max(2.4, 0.6 + 0.36 * classes, min(5.0, 0.1 * words * classes)), 14.0)
    turned = 0.09 * words > side / classes
    size = (side + 1.6 + 0.08 * words, side + 0.9 + 0.06 * words * turned)
    figure, ax = canvas("confusion", ax, size)
    image = _image(ax, share)
    _write_cells(ax, image, np.char.mod("%d", counts) if not normalize else _percentages(share, totals), share)
    _name_axes(ax, names, turned)
    right = int(np.trace(counts))
    ax.set_title(f"accuracy {100 * right / counts.sum():.1f} % ({right:,} of {counts.sum():,})")
    return figure


def _name_axes(ax: Axes, names: Sequence[str], turned: bool) -> None:
    slant: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    ax.set_xticks(range(len(names)), names, **slant)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")


def _image(ax: Axes, share: Array) -> Any:
    from matplotlib.colors import PowerNorm

    image = ax.imshow(share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    bar = color_bar(ax, image, "share of the true class")
    bar.set_ticks([0, 0.01, 0.1, 0.25, 0.5, 1], labels=["0", "1 %", "10 %", "25 %", "50 %", "100 %"])
    return image


def _class_indices(who: str, true: Any, predicted: Any, names: Sequence[Any] | None) -> tuple[Array, Array, list[str]]:
    """Return both label arrays as indices 0..K-1, and the K names."""
    labels = [_labels(who, "labels_true", true), _labels(who, "labels_predicted", predicted)]
    check_shape(who, "labels_predicted", labels[1], labels[0].shape, "pass one prediction per label")
    if (labels[0].dtype.kind == "U") != (labels[1].dtype.kind == "U"):
        raise TypeError(sentence(who, "two arrays of numbers or two of text", f"{labels[0].dtype}, {labels[1].dtype}"))
    if {labels[0].dtype.kind, labels[1].dtype.kind} == {"i", "u"}:  # together they would become floats
        labels = [each.astype(object) for each in labels]
    both = np.concatenate(labels)
    if both.size == 0:
        raise ValueError(sentence(who, "at least one label", "none"))
    if names is None:
        known, indices = np.unique(both, return_inverse=True)
    elif both.dtype.kind == "U":
        known = np.array([str(name) for name in names])
        order = np.argsort(known)
        indices = order[np.searchsorted(known, both, sorter=order).clip(max=len(known) - 1)]
    else:
        known, indices = np.arange(len(names)), both.clip(0, len(names) - 1).astype(np.int64)
    strange = both[known[indices] != both]
    if strange.size:
        allowed = ", ".join(map(str, known[:5])) + (", ..." if len(known) > 5 else "")
        raise ValueError(sentence(who, f"labels among {allowed} ({len(known)} classes)", str(strange[0])))
    half = len(both) // 2
    return indices[:half], indices[half:], [literal(name) for name in (known if names is None else names)]


def _labels(who: str, what: str, values: Any) -> Array:
    array = np.asarray(as_labels(who, what, values))
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    text = array.dtype.kind == "T" or (array.dtype.kind == "O" and array.size and isinstance(array.flat[0], str))
    array = array.astype(str) if text or array.dtype.kind == "U" else as_numeric(who, what, array)
    check_shape(who, what, array, ("N",), "take outputs.argmax(axis=1) first" if array.ndim > 1 else "")
    check_finite(who, what, array)
    return array


def _percentages(share: Array, totals: Array) -> Array:
    text = np.char.mod("%.1f", 100 * share)
    text[share == 0], text[share == 1] = "0", "100"
    return np.where(totals == 0, "–", text)


def _write_cells(ax: Axes, image: Any, text: Array, share: Array) -> None:
    """Write one text per cell, as large as fits, in black or white by the luminance (WCAG 2) of the cell."""
    box = ax.get_position()
    inches = ax.figure.figure.get_size_inches()
    points = 72 * min(box.width * inches[0], box.height * inches[1]) / len(text)
    size = min(12.0, points / (0.7 * max(2, np.char.str_len(text).max())))
    colors = image.to_rgba(share)[..., :3]
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    dark = linear @ [0.2126, 0.7152, 0.0722] < 0.3
    for (row, place), word in np.ndenumerate(text):
        ink = PALE if share[row, place] == 0 else "white" if dark[row, place] else "black"
        ax.text(place, row, word, ha="center", va="center", color=ink, fontsize=size)


# --- calibration ----------------------------------------------------------------------------------------------------

SURE = 1.96  # standard deviations, for 95 %


def reliability(probabilities: Any, labels_true: Any, bins: int = BINS, ax: Axes | None = None) -> Figure:
    """Draw the reliability diagram: the share of correct predictions by confidence.

    The confidence is the largest probability of a row. A dot shows a bin's mean confidence and its share of correct
    rows, with Wilson's 95 % interval; the bars count its rows. The title gives the expected calibration error.

    Parameters
    ----------
    probabilities : array (N, K), (N,) or (N, 1)
        Probabilities of K ≥ 2 classes, or of the second of two classes.
    labels_true : array (N,)
        Labels from 0 to K-1.
    bins : int
        Number of bins of equal width.
    ax : matplotlib.axes.Axes, optional
        Axes for the diagram without the bars; both on a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If lengths differ, there is no row, a probability is outside 0..1 or a label outside 0..K-1.

    Examples
    --------
    >>> from chainrule import plots
    >>> figure = plots.reliability([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.8, 0.2]], [0, 0, 0, 1])
    >>> figure.axes[0].get_title()
    'calibration error 5.0 %'

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks (2017).
    """
    p, labels = class_probabilities("reliability", probabilities, labels_true)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    place = confidence_bins(confidence, check_integer("reliability", "bins", bins))
    counts = np.bincount(place, minlength=bins)
    below = None
    if ax is None:
        figure = new_figure("reliability", (5.2, 5.6))
        ax, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    else:
        figure, ax = canvas("reliability", ax, (0, 0))
    ax.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--", zorder=1, label="as sure as right")
    _dots(ax, confidence, right, place, counts)
    ax.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="share that is right")
    error = expected_calibration_error(labels, p, from_logits=False, bins=bins)
    ax.set_title(f"calibration error {100 * error:.1f} %")
    ax.legend(frameon=False, loc="lower right")
    tidy(ax)
    if below is not None:
        _bars(below, counts)
        figure.align_ylabels([ax, below])
    (ax if below is None else below).set_xlabel("confidence: probability of the predicted class")
    return figure


def _bars(ax: Axes, counts: Array) -> None:
    bins = len(counts)
    ax.bar((np.arange(bins) + 0.5) / bins, counts, width=0.9 / bins, color=BLUE)
    ax.set_ylabel("rows")
    ax.locator_params(axis="y", nbins=2, integer=True)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    tidy(ax)


def _dots(ax: Axes, confidence: Array, right: Array, place: Array, counts: Array) -> None:
    """Draw a dot for each bin that has rows, with its 95 % interval."""
    there = counts > 0
    n = counts[there]
    mean = np.bincount(place, confidence, len(counts))[there] / n
    share = np.bincount(place, right, len(counts))[there] / n
    middle = (share + SURE**2 / (2 * n)) / (1 + SURE**2 / n)  # Wilson (1927)
    half = SURE / (1 + SURE**2 / n) * np.sqrt(share * (1 - share) / n + SURE**2 / (4 * n**2))
    reach = np.clip([share - (middle - half), middle + half - share], 0, None)
    ax.errorbar(mean, share, reach, fmt="o", color=BLUE, ecolor=GRAY, elinewidth=1.2, markersize=6)
    ax.containers[-1].set_label("share, with 95 % interval")


# --- regression -----------------------------------------------------------------------------------------------------


def predictions(y_true: Any, y_pred: Any, target: str = "value", ax: Axes | None = None) -> Figure:
    """Draw the predictions of a regression against the true values; perfect predictions lie on the diagonal.

    The title gives R² = 1 − Σ(y−ŷ)² / Σ(y−ȳ)² (omitted if y is constant) and RMSE = √mean (y−ŷ)², in the units of y.

    Parameters
    ----------
    y_true, y_pred : arrays (N,) or (N, 1)
        Targets and predictions in the same units.
    target : str
        Name and unit of y for the axis labels, such as "house value (100,000 $)".
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the lengths differ, there are several outputs or no samples, or a value is not finite.

    Examples
    --------
    >>> from chainrule import plots
    >>> figure = plots.predictions([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], target="height (m)")
    >>> figure.axes[0].get_title()
    'R² = 0.500, RMSE = 0.577'
    """
    who = "predictions"
    true = column(who, "y_true", y_true).astype(np.float64)
    predicted = column(who, "y_pred", y_pred).astype(np.float64)
    check_shape(who, "y_pred", predicted, true.shape, "pass one prediction per target")
    figure, ax = canvas(who, ax, (5.2, 5.2))
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    margin = 0.04 * (high - low) or 0.5
    ends = [low - margin, high + margin]
    ax.plot(ends, ends, color=GRAY, linewidth=1, zorder=1)
    style: dict[str, Any] = {"s": dot_area(true.size), "alpha": float(np.clip(300 / true.size, 0.15, 0.8))}
    ax.scatter(true, predicted, color=BLUE, linewidths=0, rasterized=true.size > 5000, **style)
    squares, spread = np.sum((true - predicted) ** 2), np.sum((true - true.mean()) ** 2)
    fit = f"R² = {1 - squares / spread:.3f}, " if spread > 0 else ""
    ax.set_title(f"{fit}RMSE = {np.sqrt(squares / true.size):.3g}")
    ax.set(xlim=ends, ylim=ends, aspect="equal", xlabel=f"true {literal(target)}")
    ax.set_ylabel(f"predicted {literal(target)}")
    tidy(ax)
    return figure
