"""Surfaces over a plane: the loss over two directions of the parameters, a model's outputs over two inputs."""

from __future__ import annotations

from collections.abc import Sequence
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
from ._style import PALETTE, VERMILION, canvas, color_bar, column, dot_area, literal, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
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
    for row, place in np.ndindex(values.shape):
        model.parameters.vector[:] = centre + a[place] * plane[0] + b[row] * plane[1]
        values[row, place] = float(loss(model.predict(x), y, None)[0]) + model.penalty()
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


def decision_regions(
    model: Any,
    x: Any,
    y: Any,
    class_names: Sequence[Any] | None = None,
    resolution: int = 200,
    threshold: float | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the predictions of a model with two inputs over the plane around the data, with the data on top.

    K ≥ 2 outputs are the scores of K classes; the largest is predicted. One output, with only 0 and 1 in y, predicts
    class 1 above the threshold; with any other y it is a regression, drawn as filled contours.

    Parameters
    ----------
    model : object with `predict(x)`
        Maps (N, 2) to (N, K), (N, 1) or (N,); integers of shape (N,) are labels.
    x : array (N, 2)
        Inputs, in the units that the model was trained on.
    y : array (N,) or (N, 1)
        Labels from 0 to K-1, or regression targets.
    class_names : list, optional
        K names for the legend; class 0, class 1, ... by default.
    resolution : int
        Number of grid cells along each input.
    threshold : float, optional
        Decision threshold for one output; by default 0 for logits, or 0.5 if all predictions are between 0 and 1.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If x does not have two columns, lengths differ, a label is outside 0..K-1, or there are not K names.

    Examples
    --------
    >>> from chainrule import plots
    >>> class Diagonal:
    ...     predict = staticmethod(lambda x: x[:, :1] - x[:, 1:])  # a logit: class 1 where the first input is larger
    >>> figure = plots.decision_regions(Diagonal(), [[0.0, 1.0], [2.0, 1.0]], [0, 1])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['class 0', 'class 1']
    """
    who = "decision_regions"
    x, y = _points(who, x, y)
    grid, extent = _grid(x, check_integer(who, "resolution", resolution, minimum=2))
    figure, ax = canvas(who, ax, (6.4, 4.8))
    z = _outputs(who, model, grid)
    if z.ndim == 2 and z.shape[1] == 1 and not np.isin(y, (0, 1)).all():
        _regression_surface(ax, _square(z), extent, x, y)
    else:
        _class_regions(ax, _scores(who, z, y, threshold), extent, x, y, class_names)
    return figure


def _finish(ax: Axes, extent: tuple[float, float, float, float]) -> None:
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel="input 1", ylabel="input 2")
    tidy(ax, grid=False)


def _points(who: str, x: Any, y: Any) -> tuple[Array, Array]:
    """Return x (N, 2) and y (N,)."""
    x, y = as_numeric(who, "x", x), column(who, "y", y)
    check_shape(who, "x", x, ("N", 2), "only a model with two inputs can be drawn on a plane")
    check_shape(who, "x, one row per value in y,", x, (len(y), 2))
    check_finite(who, "x", x)
    return x, y


def _grid(x: Array, resolution: int) -> tuple[Array, tuple[float, float, float, float]]:
    """Return cell centres (resolution², 2), row by row from below, and their rectangle (left, right, bottom, top)."""
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    low, high = low - margin, high + margin
    steps = low + (high - low) * (np.arange(resolution)[:, None] + 0.5) / resolution
    across, up = np.meshgrid(steps[:, 0], steps[:, 1])
    grid = np.column_stack([across.ravel(), up.ravel()])
    dtype = x.dtype if x.dtype.kind == "f" else np.float64
    return grid.astype(dtype), (float(low[0]), float(high[0]), float(low[1]), float(high[1]))


def _outputs(who: str, model: Any, grid: Array) -> Array:
    """(M, K) numbers, or (M,) labels, for the M cells."""
    z = np.asarray(model.predict(grid))
    if z.shape[:1] != (len(grid),) or z.ndim > 2:
        raise ValueError(sentence(who, f"model.predict to return ({len(grid)}, K) outputs", str(z.shape)))
    check_finite(who, "the model's outputs", z)
    return z[:, None] if z.ndim == 1 and z.dtype.kind not in "iub" else z


def _scores(who: str, z: Array, y: Array, threshold: float | None) -> Array:
    """Return scores (M, K); the largest is predicted, and decision boundaries are where two of them are equal."""
    if z.ndim == 1:
        return np.eye(int(max(z.max(), y.max())) + 1)[z.astype(np.int64)]
    if z.shape[1] > 1:
        return z
    if threshold is None:
        threshold = 0.5 if z.min() >= 0 and z.max() <= 1 else 0.0
    above = z - check_number(who, "threshold", threshold)
    return np.hstack([-above, above])


def _names(who: str, y: Array, class_names: Sequence[Any] | None, count: int) -> list[str]:
    """Return the names of the classes; y must hold labels of these."""
    strange = y[(y != np.floor(y)) | (y < 0) | (y >= count)]
    if strange.size:
        raise ValueError(sentence(who, f"labels from 0 to {count - 1}", f"{strange[0]:g}"))
    if class_names is None:
        return [f"class {k}" for k in range(count)]
    if len(class_names) != count:
        raise ValueError(sentence(who, f"{count} class_names, one per class", str(len(class_names))))
    return [literal(name) for name in class_names]


def _palette(count: int) -> list[Any]:
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 1, count)))


def _square(z: Array) -> Array:
    """Return the numbers of the cells by row and column, (R, R) or (R, R, K)."""
    side = round(len(z) ** 0.5)
    return z.reshape(side, side, *z.shape[1:]).squeeze()


def _class_regions(
    ax: Axes, z: Array, extent: tuple[float, float, float, float], x: Array, y: Array, class_names: Sequence[Any] | None
) -> None:
    from matplotlib.colors import ListedColormap

    names = _names("decision_regions", y, class_names, z.shape[1])
    scores = _square(z)
    colors = _palette(len(names))
    style: dict[str, Any] = {"extent": extent, "origin": "lower"}
    top = len(names) - 0.5
    regions = scores.argmax(axis=2)
    ax.imshow(regions, cmap=ListedColormap(colors), vmin=-0.5, vmax=top, alpha=0.25, aspect="auto", **style)
    for k in np.unique(regions)[1:]:
        lead = scores[..., k] - np.delete(scores, k, axis=2).max(axis=2)
        ax.contour(lead, levels=[0.0], colors=[ax.get_facecolor()], linewidths=1.8, **style)
    for k, name in enumerate(names):
        _dots(ax, x[y == k], len(y), color=colors[k], label=name)
    scale = float(np.sqrt(28 / dot_area(len(y))))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, handletextpad=0.2, markerscale=scale)
    _finish(ax, extent)


def _regression_surface(ax: Axes, z: Array, extent: tuple[float, float, float, float], x: Array, y: Array) -> None:
    low, high = min(z.min(), y.min()), max(z.max(), y.max())
    levels = np.linspace(low, high if high > low else low + 1, 13)
    ax.contourf(z, levels=levels, extent=extent, origin="lower", cmap="viridis")
    points = _dots(ax, x, len(y), c=y, vmin=levels[0], vmax=levels[-1], cmap="viridis")
    color_bar(ax, points, "output (areas), target (points)")
    _finish(ax, extent)


def _dots(ax: Axes, x: Array, count: int, **style: Any) -> PathCollection:
    """Draw dots with an edge in the background colour, which separates neighbours."""
    return ax.scatter(x[:, 0], x[:, 1], s=dot_area(count), edgecolors=[ax.get_facecolor()], linewidths=0.5, **style)
