"""Predictions over the plane of two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_integer, check_number, check_shape, sentence
from ._style import PALETTE, canvas, color_bar, column, dot_area, literal, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure


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
