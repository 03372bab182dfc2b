"""How much each input matters."""

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

    A bar is the mean over the repetitions; a line shows ± one standard deviation where there are several.

    Parameters
    ----------
    values : (C,), or (C, R) of R repetitions, such as `importances` of scikit-learn's `permutation_importance`.
    names : C names.
    label : what is measured, for the axis.
    count : draw the `count` largest. The title says so if these are not all.
    ax : axes to draw on; None makes a new figure.

    Raises
    ------
    ValueError if there are not C names or no values, or a value is not finite.

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
    repeated = repeated.reshape(len(repeated), -1)
    mean, spread = repeated.mean(axis=1), repeated.std(axis=1)
    order = np.argsort(-mean, kind="stable")[: check_integer(who, "count", count)]
    words = [literal(names[k]) for k in order]
    figure, ax = canvas(who, ax, (5.0 + 0.08 * max(map(len, words)), 0.9 + 0.3 * len(order)))
    places = np.arange(len(order))
    line = {"ecolor": PALETTE[6], "elinewidth": 1.2, "capsize": 0}
    ax.barh(places, mean[order], 0.7, xerr=spread[order] if repeated.shape[1] > 1 else None, color=BLUE, error_kw=line)
    ax.axvline(0, color=PALETTE[6], linewidth=0.8)
    ax.set_yticks(places, words)
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(literal(label))
    if len(order) < len(mean):
        ax.set_title(f"the first {len(order)} of {len(mean)}")
    tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False, axis="y")
    return figure
