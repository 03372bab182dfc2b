"""Shared by the plots: colours, axes without pyplot, and checks of the data."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_shape, require, sentence
from .._support.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

# Okabe & Ito (2008), "Color Universal Design": distinguishable with every kind of colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#F0E442")
BLUE, VERMILION = PALETTE[:2]
GRAY = "#888888"
MOST_CHARACTERS = 40  # of a name on a plot


def new_figure(who: str, size: tuple[float, float]) -> Figure:
    """An empty figure, size in inches, that is not registered with pyplot, and that a notebook shows nevertheless."""
    figure: Figure = require("matplotlib.figure", "plots", who).Figure(figsize=size, layout="compressed")
    figure._repr_png_ = partial(as_png, figure)  # type: ignore[attr-defined]
    return figure


def as_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=96, bbox_inches="tight")
    return stream.getvalue()


def canvas(who: str, ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """The given axes and their figure, or new axes on a new figure."""
    if ax is None:
        figure = new_figure(who, size)
        return figure, figure.add_subplot()
    if not isinstance(ax, require("matplotlib.axes", "plots", who).Axes):
        raise TypeError(sentence(who, "ax to be Matplotlib axes", type(ax).__name__, "pass ax=figure.add_subplot()"))
    return ax.figure.figure, ax  # a subfigure's .figure is the whole figure


def tidy(ax: Axes, grid: bool = True) -> None:
    """Two spines, and a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(color=GRAY, alpha=0.2, linewidth=0.6)
        ax.set_axisbelow(True)


def color_bar(ax: Axes, mappable: ScalarMappable, label: str) -> Colorbar:
    """A thin colour bar without a frame, to the right of ``ax``."""
    bar = ax.figure.colorbar(mappable, ax=ax, fraction=0.04, pad=0.02, aspect=25)
    bar.set_label(label)
    bar.outline.set_visible(False)
    return bar


def literal(name: Any) -> str:
    """A name from data as it is written on a plot: one short line, and no formula where it holds ``$``."""
    return printable(str(name), MOST_CHARACTERS).replace("$", r"\$")


def dot_area(count: int) -> float:
    """Area of a dot in points², smaller the more dots there are."""
    return float(np.clip(6000 / count, 6, 28))


def column(who: str, what: str, values: Any) -> Array:
    """Finite numbers of shape (N,), from (N,) or (N, 1); N is at least 1."""
    array = as_numeric(who, what, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    check_shape(who, what, array, ("N",))
    if array.size == 0:
        raise ValueError(sentence(who, f"at least one value in {what}", "none"))
    check_finite(who, what, array)
    return array


def class_probabilities(who: str, probabilities: Any, labels_true: Any) -> tuple[Array, Array]:
    """Probabilities (N, K ≥ 2) and labels (N,), from (N, K), or from (N,) or (N, 1) those of the second of two."""
    p = as_numeric(who, "probabilities", probabilities, np.float64)
    if p.ndim == 1 or p.shape[1:] == (1,):
        p = column(who, "probabilities", p)[:, None]
        p = np.hstack([1 - p, p])
    check_shape(who, "probabilities", p, ("N", "K"))
    check_finite(who, "probabilities", p)
    if p.size and (p.min() < 0 or p.max() > 1):
        got = f"{p.min():g} to {p.max():g}"
        raise ValueError(sentence(who, "probabilities from 0 to 1", got, "take ops.softmax(outputs) of logits first"))
    labels = column(who, "labels_true", labels_true)
    check_shape(who, "labels_true, one for each row of probabilities,", labels, (len(p),))
    strange = labels[(labels != np.floor(labels)) | (labels < 0) | (labels >= p.shape[1])]
    if strange.size:
        raise ValueError(sentence(who, f"labels from 0 to {p.shape[1] - 1}", f"{strange[0]:g}"))
    return p, labels.astype(np.intp)
