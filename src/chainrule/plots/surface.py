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
    """Draw the loss over a plane through the model's parameters θ.

        L(θ + a d₁ + b d₂)

    By default the directions d are random, each unit's part as long as the unit's weights, so that one step along an
    axis means the same for every network; along the path of a training they are its two principal directions.

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
    directions : array (2, P), optional
        The d₁ and d₂, each like `model.parameters.vector`.
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

    Raises
    ------
    ValueError
        If directions or path have other shapes, or the loss is nowhere finite.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> figure = cr.plots.landscape(cr.MLP([2, 8, 1], rng=0), x, x[:, :1], "squared_error", resolution=5)
    >>> figure.axes[0].get_xlabel(), figure.axes[1].get_ylabel()
    ('direction 1', 'loss')

    References
    ----------
    Li et al., Visualizing the loss landscape of neural nets, NeurIPS 2018.
    """
    who = "landscape"
    rng = as_rng(rng, who)
    check_number(who, "span", span, above=0)
    check_integer(who, "resolution", resolution, minimum=2)
    model, x, y, loss = examined(who, model, x, y, loss)
    centre = model.parameters.vector.astype(np.float64)
    points = None if path is None else _rows(who, "path", path, ("T", len(centre))) - centre
    if directions is not None:
        plane = _rows(who, "directions", directions, (2, len(centre)))
    elif points is not None:
        plane = _principal(who, points)
    else:
        plane = np.stack([_random_direction(model.parameters, rng) for _ in range(2)])
    walked = None if points is None else np.linalg.lstsq(plane.T, points.T, rcond=None)[0]
    a, b = (_edges(along, span, resolution) for along in ([None, None] if walked is None else walked))
    vectors = (centre + p * plane[0] + q * plane[1] for q in b for p in a)
    values = np.reshape([_loss_at(model, x, y, loss, vector) for vector in vectors], (len(b), len(a)))
    if not np.isfinite(values).any():
        raise ValueError(sentence(who, "a finite loss somewhere on the plane", "none", "choose a smaller span"))
    figure, ax = canvas(who, ax, (6.0, 4.6))
    _draw_surface(ax, a, b, values)
    if walked is not None:
        ax.plot(*walked, ".-", color=VERMILION, linewidth=1.4, markersize=4, label="path")
    ax.plot(0, 0, "o", color=VERMILION, markeredgecolor="white", markersize=8)
    return figure


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


def _principal(who: str, points: Array) -> Array:
    """The two directions, of length 1, along which the path extends most."""
    directions: Array = np.linalg.svd(points, full_matrices=False)[2][:2]
    if len(directions) < 2:
        raise ValueError(sentence(who, "a path of at least 2 points", str(len(points))))
    return directions


def _edges(along: Array | None, span: float, resolution: int) -> Array:
    """The values of a or b: from −span to span, or around the path and 0."""
    low, high = (-span, span) if along is None else (min(along.min(), 0.0), max(along.max(), 0.0))
    margin = 0.0 if along is None else 0.2 * (high - low) or span
    return np.linspace(low - margin, high + margin, resolution)


@np.errstate(over="ignore", invalid="ignore")
def _loss_at(model: Sequential, x: Array, y: Array, loss: LossFunction, parameters: Array) -> float:
    """The loss with penalties; the model is a copy that nobody needs afterwards."""
    model.parameters.vector[:] = parameters
    return float(loss(model.predict(x), y, None)[0]) + model.penalty()


def _draw_surface(ax: Axes, a: Array, b: Array, values: Array) -> None:
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
