"""Predicted against true values of a regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import check_shape
from ._style import BLUE, GRAY, canvas, column, dot_area, literal, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
