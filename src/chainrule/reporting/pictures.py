"""Figures as images embedded in a page."""

from __future__ import annotations

import base64
import io
import warnings
from typing import TYPE_CHECKING

from .._support.checks import Array, require
from .answers import WHO

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 144
PIXELS_PER_INCH = 96  # of CSS


def as_image(figure: Figure, description: str) -> str:
    """Return an ``<img>`` of the figure with its size in CSS pixels; the description must be escaped."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the font lacks are drawn as boxes
        figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    width, height = (round(PIXELS_PER_INCH * inches) for inches in figure.get_size_inches())
    return f'<img alt="{description}" width="{width}" height="{height}" src="{_data(stream)}">'


def as_small_images(images: Array) -> list[str]:
    """Return an ``<img>`` of each image of (M, height, width); large values are dark."""
    imsave = require("matplotlib.image", "plots", WHO).imsave
    low, high = float(images.min()), float(images.max())
    found = []
    for image in images:
        stream = io.BytesIO()
        imsave(stream, image, cmap="gray_r", vmin=low, vmax=high if high > low else low + 1, format="png")
        found.append(f'<img alt="" src="{_data(stream)}">')
    return found


def _data(stream: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
