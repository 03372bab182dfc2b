"""Confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.checks import Array, as_numeric, check_finite, check_shape, sentence
from .._support.labels import as_labels
from ._style import canvas, color_bar, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALE = "#AAAAAA"  # for zeros, which should not stand out


def confusion(
    labels_true: Any,
    labels_predicted: Any,
    class_names: Sequence[Any] | None = None,
    normalize: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """Draw the confusion matrix: C[i, j] is the number of samples of class i that were predicted as class j.

    Colours show the share of the row, C[i, j] / Σⱼ C[i, j], on a square-root scale that keeps rare errors visible. The
    title gives the accuracy, Σᵢ C[i, i] / Σᵢⱼ C[i, j].

    Parameters
    ----------
    labels_true, labels_predicted : arrays (N,) or (N, 1)
        Labels, integers or text.
    class_names : list, optional
        Names of the classes 0 to K-1 for integer labels; for text labels, the classes in the order of the axes. The
        sorted labels by default.
    normalize : bool
        Whether to write percentages of the row instead of counts.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the arrays have different shapes or no samples, or a label is not among the classes.

    Examples
    --------
    >>> from chainrule import plots
    >>> figure = plots.confusion([0, 0, 1, 1], [0, 1, 1, 1], class_names=["ham", "spam"])
    >>> [cell.get_text() for cell in figure.axes[0].texts]
    ['1', '1', '0', '2']
    >>> figure.axes[0].get_title()
    'accuracy 75.0 % (3 of 4)'
    """
    from_true, from_predicted, names = _class_indices("confusion", labels_true, labels_predicted, class_names)
    classes = len(names)
    counts = np.bincount(from_true * classes + from_predicted, minlength=classes**2).reshape(classes, classes)
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)
    words = max(len(name) for name in names)
    side = min(max(2.4, 0.6 + 0.36 * classes, min(5.0, 0.1 * words * classes)), 14.0)
    turned = 0.09 * words > side / classes
    size = (side + 1.6 + 0.08 * words, side + 0.9 + 0.06 * words * turned)
    figure, ax = canvas("confusion", ax, size)
    image = _image(ax, share)
    _write_cells(ax, image, np.char.mod("%d", counts) if not normalize else _percentages(share, totals), share)
    _name_axes(ax, names, turned)
    right = int(np.trace(counts))
    ax.set_title(f"accuracy {100 * right / counts.sum():.1f} % ({right:,} of {counts.sum():,})")
    return figure


def _name_axes(ax: Axes, names: Sequence[str], turned: bool) -> None:
    slant: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    ax.set_xticks(range(len(names)), names, **slant)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")


def _image(ax: Axes, share: Array) -> Any:
    from matplotlib.colors import PowerNorm

    image = ax.imshow(share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    bar = color_bar(ax, image, "share of the true class")
    bar.set_ticks([0, 0.01, 0.1, 0.25, 0.5, 1], labels=["0", "1 %", "10 %", "25 %", "50 %", "100 %"])
    return image


def _class_indices(who: str, true: Any, predicted: Any, names: Sequence[Any] | None) -> tuple[Array, Array, list[str]]:
    """Return both label arrays as indices 0..K-1, and the K names."""
    labels = [_labels(who, "labels_true", true), _labels(who, "labels_predicted", predicted)]
    check_shape(who, "labels_predicted", labels[1], labels[0].shape, "pass one prediction per label")
    if (labels[0].dtype.kind == "U") != (labels[1].dtype.kind == "U"):
        raise TypeError(sentence(who, "two arrays of numbers or two of text", f"{labels[0].dtype}, {labels[1].dtype}"))
    if {labels[0].dtype.kind, labels[1].dtype.kind} == {"i", "u"}:  # together they would become floats
        labels = [each.astype(object) for each in labels]
    both = np.concatenate(labels)
    if both.size == 0:
        raise ValueError(sentence(who, "at least one label", "none"))
    if names is None:
        known, indices = np.unique(both, return_inverse=True)
    elif both.dtype.kind == "U":
        known = np.array([str(name) for name in names])
        order = np.argsort(known)
        indices = order[np.searchsorted(known, both, sorter=order).clip(max=len(known) - 1)]
    else:
        known, indices = np.arange(len(names)), both.clip(0, len(names) - 1).astype(np.int64)
    strange = both[known[indices] != both]
    if strange.size:
        allowed = ", ".join(map(str, known[:5])) + (", ..." if len(known) > 5 else "")
        raise ValueError(sentence(who, f"labels among {allowed} ({len(known)} classes)", str(strange[0])))
    half = len(both) // 2
    return indices[:half], indices[half:], [literal(name) for name in (known if names is None else names)]


def _labels(who: str, what: str, values: Any) -> Array:
    array = np.asarray(as_labels(who, what, values))
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    text = array.dtype.kind == "T" or (array.dtype.kind == "O" and array.size and isinstance(array.flat[0], str))
    array = array.astype(str) if text or array.dtype.kind == "U" else as_numeric(who, what, array)
    check_shape(who, what, array, ("N",), "take outputs.argmax(axis=1) first" if array.ndim > 1 else "")
    check_finite(who, what, array)
    return array


def _percentages(share: Array, totals: Array) -> Array:
    text = np.char.mod("%.1f", 100 * share)
    text[share == 0], text[share == 1] = "0", "100"
    return np.where(totals == 0, "–", text)


def _write_cells(ax: Axes, image: Any, text: Array, share: Array) -> None:
    """Write one text per cell, as large as fits, in black or white by the luminance (WCAG 2) of the cell."""
    box = ax.get_position()
    inches = ax.figure.figure.get_size_inches()
    points = 72 * min(box.width * inches[0], box.height * inches[1]) / len(text)
    size = min(12.0, points / (0.7 * max(2, np.char.str_len(text).max())))
    colors = image.to_rgba(share)[..., :3]
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    dark = linear @ [0.2126, 0.7152, 0.0722] < 0.3
    for (row, column), word in np.ndenumerate(text):
        ink = PALE if share[row, column] == 0 else "white" if dark[row, column] else "black"
        ax.text(column, row, word, ha="center", va="center", color=ink, fontsize=size)
