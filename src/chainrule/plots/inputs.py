"""The importance of each input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import as_numeric, check_finite, check_integer, sentence
from ._style import BLUE, PALETTE, canvas, literal, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
