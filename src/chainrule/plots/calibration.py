"""Reliability diagram: whether predicted probabilities are true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, check_integer
from ..metrics.probability import BINS, confidence_bins, expected_calibration_error
from ._style import BLUE, GRAY, canvas, class_probabilities, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
