"""The first layer's weights as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_integer, check_shape, sentence
from ._style import canvas, color_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def first_layer_weights(
    model_or_W: Any,
    image_shape: tuple[int, int],
    count: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the weights of each unit of the first layer: every column of W (I, O) as a small image.

    All images share one colour scale: blue is positive, red is negative, white is zero.

    Parameters
    ----------
    model_or_W : Sequential or array (I, O)
        A model, whose first `W` is drawn, or a matrix W.
    image_shape : (int, int)
        Height and width in pixels; height times width is I.
    count : int, optional
        Number of columns to draw; all up to 64 by default. The title gives both numbers.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If W is not two-dimensional, image_shape does not have I pixels, or count exceeds O.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import plots
    >>> W = np.arange(12.0).reshape(6, 2)  # two units that see 2 by 3 pixels
    >>> figure = plots.first_layer_weights(W, (2, 3))
    >>> figure.axes[0].images[0].get_array()[:, :3].tolist()
    [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]
    """
    who = "first_layer_weights"
    W = _first_matrix(who, model_or_W)
    if np.shape(image_shape) != (2,) or min(image_shape) < 1 or image_shape[0] * image_shape[1] != len(W):
        expected = f"image_shape (height, width) with height times width = {len(W)}, the inputs of W,"
        raise ValueError(sentence(who, expected, str(image_shape)))
    units = W.shape[1]
    shown = check_integer(who, "count", min(units, 64) if count is None else count)
    if shown > units:
        raise ValueError(sentence(who, f"count of at most {units}, the columns of W", str(shown)))
    mosaic = _mosaic(W[:, :shown].T.reshape(shown, *image_shape))
    scale = float(np.abs(W[:, :shown]).max()) or 1.0
    wide = 6.0
    figure, ax = canvas(who, ax, (wide + 0.9, wide * mosaic.shape[0] / mosaic.shape[1] + 0.35))
    image = ax.imshow(mosaic, cmap="RdBu", vmin=-scale, vmax=scale, interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(f"first layer: {shown} of {units} units" if shown < units else f"first layer: {units} units")
    color_bar(ax, image, "weight")
    return figure


def _first_matrix(who: str, model_or_W: Any) -> Array:
    parameters = getattr(model_or_W, "parameters", None)
    if parameters is not None:
        matrices = [value for name, value in parameters.items() if name.split(".")[-1] == "W"]
        if not matrices:
            raise ValueError(sentence(who, "a model with a Linear layer", f"parameters {sorted(parameters)}"))
        model_or_W = matrices[0]
    W = as_numeric(who, "W", model_or_W)
    check_shape(who, "W", W, ("I", "O"))
    check_finite(who, "W", W)
    return W


def _mosaic(images: Array) -> Array:
    """Place images (M, h, w) side by side, row by row, with a line of NaN, which is not drawn, between neighbours."""
    many, height, width = images.shape
    across = int(np.ceil(np.sqrt(many * height / width)))
    down = -(-many // across)
    mosaic = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for k, image in enumerate(images):
        top, left = k // across * (height + 1), k % across * (width + 1)
        mosaic[top : top + height, left : left + width] = image
    return mosaic
