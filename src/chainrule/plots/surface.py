"""The loss over a plane through the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import (
    Array,
    RandomState,
    as_numeric,
    as_rng,
    check_finite,
    check_integer,
    check_number,
    check_shape,
    sentence,
)
from ..diagnostics.health import examined
from ..losses import LossFunction
from ..model import Sequential
from ..parameters import Parameters
from ._style import VERMILION, canvas, color_bar, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def landscape(
    model: Sequential,
    x: Any,
    y: Any,
    loss: str | LossFunction | None = None,
    *,
    directions: Any = None,
    path: Any = None,
    span: float = 1.0,
    resolution: int = 25,
    rng: RandomState = 0,
    ax: Axes | None = None,
) -> Figure:
    """Draw the loss over a plane through the parameters, L(θ + a d₁ + b d₂).

    Random directions are, for each unit, as long as its weights (Li et al., NeurIPS 2018): a step along an axis means
    the same for every network. Along the path of a training they are its two principal directions.

    Parameters
    ----------
    model : Sequential
        The model with parameters θ, which is not modified.
    x, y : arrays (N, ...)
        Input and targets, in the form that the loss expects; the first 2,048 rows are used.
    loss : str, Loss, callable or None
        As for :class:`~chainrule.Trainer`; None for the cross-entropy with labels, else the squared error.
    directions : array (2, P), optional
        Directions d₁ and d₂, each like `model.parameters.vector`.
    path : array (T, P), optional
        Copies of `model.parameters.vector` during training, drawn on the plane.
    span : float, > 0
        Largest a and b shown; with a path, the plane is wide enough for it.
    resolution : int, >= 2
        Number of values of a and of b.
    rng : int, numpy.random.Generator or None
        Source of the random directions.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Examples
    --------
    >>> import chainrule as cr
    >>> figure = cr.plots.landscape(cr.MLP([1, 1], rng=0), [[1.0], [2.0]], [[1.0], [3.0]], "squared_error")
    >>> figure.axes[0].get_xlabel(), figure.axes[1].get_ylabel()
    ('direction 1', 'loss')
    """
    who = "landscape"
    model, x, y, loss = examined(who, model, x, y, loss)
    plane, walked = _plane(who, model.parameters, directions, path, as_rng(rng, who))
    a, b = _sides(who, walked, span, resolution)
    values = _losses(who, model, x, y, loss, plane, a, b)
    figure, ax = canvas(who, ax, (6.0, 4.6))
    _draw(ax, a, b, values, walked)
    return figure


def _plane(
    who: str, parameters: Parameters, directions: Any, path: Any, rng: np.random.Generator
) -> tuple[Array, Array | None]:
    """The two directions (2, P), and the path on their plane (2, T), if there is one."""
    centre = parameters.vector.astype(np.float64)
    points = None if path is None else _rows(who, "path", path, ("T", len(centre))) - centre
    if directions is not None:
        plane = _rows(who, "directions", directions, (2, len(centre)))
    elif points is not None:
        plane = np.linalg.svd(points, full_matrices=False)[2][:2]
        if len(plane) < 2:
            raise ValueError(sentence(who, "a path of at least 2 points", str(len(points))))
    else:
        plane = np.stack([_random_direction(parameters, rng) for _ in range(2)])
    return plane, None if points is None else np.linalg.lstsq(plane.T, points.T, rcond=None)[0]


def _rows(who: str, what: str, values: Any, shape: tuple[int | str, int]) -> Array:
    rows = as_numeric(who, what, values, np.float64)
    check_shape(who, what, rows, shape, "pass copies of model.parameters.vector")
    check_finite(who, what, rows)
    return rows


def _random_direction(parameters: Parameters, rng: np.random.Generator) -> Array:
    """Draw a direction in which each column of a matrix, and each other array, is as long as that of the parameters."""
    drawn = []
    for array in parameters.values():
        direction = rng.standard_normal(array.shape)
        axis = 0 if array.ndim == 2 else None
        length = np.linalg.norm(array.astype(np.float64), axis=axis, keepdims=axis == 0)
        drawn.append(np.ravel(direction * length / np.linalg.norm(direction, axis=axis, keepdims=axis == 0)))
    return np.concatenate(drawn)


def _sides(who: str, walked: Array | None, span: float, resolution: int) -> tuple[Array, Array]:
    """The values of a and of b: from −span to span, or around the path and 0."""
    check_number(who, "span", span, above=0)
    check_integer(who, "resolution", resolution, minimum=2)
    sides = []
    for along in np.array([[-span, span]] * 2) if walked is None else walked:
        low, high = min(along.min(), 0.0), max(along.max(), 0.0)
        margin = 0.0 if walked is None else 0.2 * (high - low) or span
        sides.append(np.linspace(low - margin, high + margin, resolution))
    return sides[0], sides[1]


@np.errstate(over="ignore", invalid="ignore")
def _losses(
    who: str, model: Sequential, x: Array, y: Array, loss: LossFunction, plane: Array, a: Array, b: Array
) -> Array:
    """The loss with penalties, (len(b), len(a)); the model is a copy that nobody needs afterwards."""
    centre, values = model.parameters.vector.astype(np.float64), np.empty((len(b), len(a)))
    for row, column in np.ndindex(values.shape):
        model.parameters.vector[:] = centre + a[column] * plane[0] + b[row] * plane[1]
        values[row, column] = float(loss(model.predict(x), y, None)[0]) + model.penalty()
    if not np.isfinite(values).any():
        raise ValueError(sentence(who, "a finite loss somewhere on the plane", "none", "choose a smaller span"))
    return values


def _draw(ax: Axes, a: Array, b: Array, values: Array, walked: Array | None) -> None:
    from matplotlib.ticker import MaxNLocator

    shown = np.ma.masked_invalid(values)
    low, high = float(shown.min()), float(shown.max())
    wide = low > 0 and high > 20 * low
    levels = np.geomspace(low, high, 21) if wide else MaxNLocator(20).tick_values(low, high if high > low else low + 1)
    areas = ax.contourf(a, b, shown, levels=levels, cmap="Blues", norm="log" if wide else None)
    ax.contour(a, b, shown, levels=levels, colors="white", linewidths=0.4)
    bar = color_bar(ax, areas, "loss")
    ticks = levels[:: (len(levels) + 3) // 4]
    bar.set_ticks(list(ticks), labels=[f"{tick:.2g}" for tick in ticks])
    bar.minorticks_off()
    ax.set(xlabel="direction 1", ylabel="direction 2")
    tidy(ax, grid=False)
    if walked is not None:
        ax.plot(*walked, ".-", color=VERMILION, linewidth=1.4, markersize=4)
    ax.plot(0, 0, "o", color=VERMILION, markeredgecolor="white", markersize=8)
