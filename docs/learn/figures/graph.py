"""Graphs drawn by code: round nodes, arrows with a label on the line, and tables of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from .style import GREY

INK, LINE, PAPER = "#1F2933", "#9AA5B1", "#FFFFFF"
INCHES = 0.87  # of one unit; the smaller, the larger the letters are beside the drawing
Point = tuple[float, float]


def canvas(width: float, height: float) -> Any:
    """An empty drawing of this size in units, with (0, 0) at the lower left."""
    figure = plt.figure(figsize=(width * INCHES, height * INCHES))
    figure.set_layout_engine("none")  # constrained layout is for plots with axes
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return ax


def node(ax: Any, at: Point, text: str, color: str = INK, radius: float = 0.27, size: float = 12) -> None:
    """A circle with its text inside."""
    ax.add_patch(Circle(at, radius, facecolor=PAPER, edgecolor=color, linewidth=1.6, zorder=3))
    ax.text(*at, text, color=color, ha="center", va="center", fontsize=size, zorder=4)


def arrow(
    ax: Any,
    start: Point,
    end: Point,
    label: str = "",
    color: str = LINE,
    text: str | None = None,
    *,
    where: float = 0.5,
    bend: float = 0.0,
    gap: float = 0.3,
    width: float = 1.4,
    size: float = 11,
) -> None:
    """An arrow between two nodes, with its label on the line: ``text`` is the colour of the label."""
    a, b = np.array(start, dtype=float), np.array(end, dtype=float)
    along = (b - a) / np.linalg.norm(b - a)
    style = f"arc3,rad={bend}"
    ax.add_patch(
        FancyArrowPatch(
            tuple(a + gap * along),
            tuple(b - gap * along),
            arrowstyle="-|>",
            mutation_scale=12,
            color=color,
            linewidth=width,
            shrinkA=0,
            shrinkB=0,
            connectionstyle=style,
            zorder=2,
        )
    )
    if label:
        across = np.array([along[1], -along[0]]) * bend * np.linalg.norm(b - a) * 0.5
        at = a + where * (b - a) + across
        say(ax, (at[0], at[1]), label, text or color, size=size)


def say(ax: Any, at: Point, text: str, color: str = INK, size: float = 11, **options: Any) -> None:
    """Text on a patch of paper, so that a line behind it does not cross it."""
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
    place = {"ha": "center", "va": "center"} | options
    ax.text(*at, text, color=color, fontsize=size, zorder=5, bbox=box, **place)


def grid(
    ax: Any,
    at: Point,
    numbers: Sequence[Sequence[Any]],
    color: str,
    name: str = "",
    *,
    lit: Any = None,
    cell: float = 0.46,
    size: float = 11,
) -> None:
    """A table of numbers with its upper left corner at ``at``; ``lit(i, j)`` says which cells are filled."""
    rows, columns = len(numbers), len(numbers[0])
    for i in range(rows):
        for j in range(columns):
            on = lit is not None and lit(i, j)
            corner = (at[0] + j * cell, at[1] - (i + 1) * cell)
            face = color if on else PAPER
            rim = PAPER if on else color
            ax.add_patch(Rectangle(corner, cell, cell, facecolor=face, edgecolor=rim, linewidth=1.0, zorder=2 - on))
            text = numbers[i][j]
            said = text if isinstance(text, str) else f"{text:g}".replace("-", "−")
            ink = PAPER if on else INK
            ax.text(
                corner[0] + cell / 2,
                corner[1] + cell / 2,
                said,
                ha="center",
                va="center",
                color=ink,
                fontsize=size,
                zorder=3,
            )
    if name:
        ax.text(at[0] + columns * cell / 2, at[1] + 0.12, name, ha="center", va="bottom", color=color, fontsize=12)


def note(ax: Any, at: Point, text: str, color: str = GREY, size: float = 10, **options: Any) -> None:
    """A remark in small grey letters."""
    ax.text(*at, text, color=color, fontsize=size, **({"ha": "center", "va": "center"} | options))
