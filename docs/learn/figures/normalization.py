"""The figures of chapter 11: what standardisation removes, the three ways of its gradient, batch against running."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from figures.style import GRADIENT, GREY, VALUE, WEIGHT

X = np.array([1.0, 7.0, 9.0, 15.0])
DY = np.array([1.0, 0.0, 0.0, 0.0])
MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 2) -> str:
    """The number with a proper minus sign, without trailing zeros."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".").replace("-", MINUS)


def arrow(ax: Axes, start: Any, end: Any, color: str = GREY, bend: float = 0.0, **style: Any) -> None:
    """Draw an arrow, bent to one side if asked."""
    style = {"mutation_scale": 13, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0} | style
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", color=color, connectionstyle=f"arc3,rad={bend}", **style)
    )


def same_output() -> None:
    """Show a batch, the batch shifted and the batch stretched, and the one output of all three."""
    rows = {"x": X, "x + 8": X + 8, "2 x": 2 * X}
    _, (above, below) = plt.subplots(2, 1, figsize=(7.0, 3.3), height_ratios=[3, 1])
    for place, (name, x) in enumerate(rows.items()):
        y = -float(place)
        mean, deviation = x.mean(), x.std()
        above.plot([mean - deviation, mean + deviation], [y, y], color=VALUE, alpha=0.22, linewidth=9, zorder=1)
        above.plot([mean, mean], [y - 0.24, y + 0.24], color=GREY, linewidth=1.5, zorder=2)
        above.scatter(x, np.full(4, y), s=48, color=VALUE, zorder=3)
        for value in x:
            above.text(value, y + 0.2, number(value), ha="center", va="bottom", fontsize=9, color=VALUE)
        above.text(-2.2, y, f"${name}$", ha="right", va="center", fontsize=12)
        above.text(
            34.5,
            y,
            f"$\\mu={number(mean)},\\ s={number(deviation)}$",
            ha="left",
            va="center",
            fontsize=10.5,
            color=GREY,
        )
    above.set(xlim=(-6, 44), ylim=(-2.5, 0.75))
    standard = (X - X.mean()) / X.std()
    below.plot([-1.7, 1.7], [0, 0], color=GREY, linewidth=0.8, zorder=1)
    below.scatter(standard, np.zeros(4), s=48, color=VALUE, zorder=3)
    for value in standard:
        below.text(value, 0.2, number(value), ha="center", va="bottom", fontsize=9, color=VALUE)
    below.text(-2.05, 0, r"$\hat{y}$", ha="right", va="center", fontsize=13)
    below.text(1.95, 0, "the same for all three", ha="left", va="center", fontsize=10.5, color=GREY)
    below.set(xlim=(-2.45, 3.1), ylim=(-0.35, 0.75))
    for ax in (above, below):
        ax.axis("off")


def node(ax: Axes, place: tuple[float, float], text: str) -> None:
    """Draw a value of the graph as a circle."""
    ax.scatter(*place, s=1500, facecolor="white", edgecolor=VALUE, linewidth=1.8, zorder=3)
    ax.text(*place, text, ha="center", va="center", fontsize=15, color=VALUE, zorder=4)


def way(ax: Axes, points: list[tuple[float, float]], bends: list[float]) -> None:
    """Draw one way from x to the output: forward."""
    for start, end, bend in zip(points[:-1], points[1:], bends, strict=True):
        arrow(ax, start, end, VALUE, bend, shrinkA=23, shrinkB=23, linewidth=1.2, mutation_scale=11)


def three_ways() -> None:
    """Show the graph from x to the output: directly, through the mean, through the deviation."""
    _, ax = plt.subplots(figsize=(7.0, 4.1))
    x, mean, deviation, y = (0.0, 0.0), (4.2, 0.0), (4.2, -2.9), (8.4, 0.0)
    way(ax, [x, y], [-0.5])
    way(ax, [x, mean, y], [0.0, 0.0])
    way(ax, [x, deviation, y], [0.22, 0.22])
    node(ax, x, "$x$")
    node(ax, mean, r"$\mu$")
    node(ax, deviation, "$s$")
    node(ax, y, r"$\hat{y}$")
    ways = [
        (2.55, "1  directly", r"$+\,\mathrm{d}y\,/\,s$"),
        (0.82, "2  through the mean", r"$-\,\mathrm{mean}(\mathrm{d}y)\,/\,s$"),
        (-1.95, "3  through the deviation", r"$-\,\hat{y}\,\mathrm{mean}(\mathrm{d}y\cdot\hat{y})\,/\,s$"),
    ]
    for height, name, term in ways:
        ax.text(4.2, height + 0.45, name, ha="center", va="center", fontsize=10, color=GREY)
        ax.text(4.2, height, term, ha="center", va="center", fontsize=13, color=GRADIENT)
    ax.text(-0.75, 0, r"$\mathrm{d}x$", ha="right", va="center", fontsize=15, color=GRADIENT)
    ax.text(9.15, 0, r"$\mathrm{d}y$", ha="left", va="center", fontsize=15, color=GRADIENT)
    ax.text(-0.75, -0.75, "= 1 + 2 + 3", ha="right", va="center", fontsize=10, color=GRADIENT)
    ax.text(8.75, -0.95, r"$\hat{y} = (x - \mu)\,/\,s$", ha="left", va="center", fontsize=12, color=VALUE)
    ax.set(xlim=(-2.5, 11.4), ylim=(-3.6, 3.3))
    ax.axis("off")


def bars(ax: Axes, heights: np.ndarray, title: str, below: str, color: str, alpha: float = 1.0) -> None:
    """Draw four gradients as bars, each with its number."""
    ax.bar(range(4), heights, width=0.62, color=color, alpha=alpha)
    ax.axhline(0, color="black", linewidth=0.8)
    for k, height in enumerate(heights):
        up = height >= 0
        ax.text(
            k, height + (0.04 if up else -0.04), number(height), ha="center", va="bottom" if up else "top", fontsize=9
        )
    ax.set_title(title, fontsize=12.5, color=GRADIENT)
    ax.text(1.5, -0.72, below, ha="center", va="top", fontsize=9.5, color=GREY)
    ax.set(ylim=(-0.7, 1.2), xlim=(-0.6, 3.6))
    ax.axis("off")


def three_terms(x: np.ndarray = X, dy: np.ndarray = DY) -> None:
    """Show dy, what is subtracted from it, and what is left, for a batch of four rows."""
    y = (x - x.mean()) / x.std()
    shift, stretch = np.full(4, dy.mean()), y * np.mean(dy * y)
    _, axes = plt.subplots(1, 4, figsize=(7.4, 2.8), sharey=True)
    bars(axes[0], dy, r"$\mathrm{d}y$", "what the loss\nasks of each output", GRADIENT)
    bars(axes[1], shift, r"$\mathrm{mean}(\mathrm{d}y)$", "the part that moves\nall rows alike", GRADIENT, 0.4)
    bars(
        axes[2],
        stretch,
        r"$\hat{y}\,\mathrm{mean}(\mathrm{d}y\cdot\hat{y})$",
        "the part that\nstretches the batch",
        GRADIENT,
        0.4,
    )
    bars(axes[3], dy - shift - stretch, r"$s\,\mathrm{d}x$", "what is left\nfor the layer before", GRADIENT)
    for ax, sign in zip(axes[1:], (MINUS, MINUS, "="), strict=True):
        ax.text(-1.0, 0.03, sign, ha="center", va="center", fontsize=17, clip_on=False)


def axes_of_batch(rows: int = 5, features: int = 4) -> None:
    """Show the batch as a table: batch normalisation takes a column, layer normalisation a row."""
    _, both = plt.subplots(1, 2, figsize=(6.2, 2.7))
    chosen = [("BatchNorm: each column", lambda n, i: i == 1), ("LayerNorm: each row", lambda n, i: n == 1)]
    for ax, (title, inside) in zip(both, chosen, strict=True):
        for n in range(rows):
            for i in range(features):
                color = VALUE if inside(n, i) else "white"
                ax.add_patch(
                    Rectangle((i, -n), 0.92, -0.92, facecolor=color, alpha=0.85, edgecolor=GREY, linewidth=0.8)
                )
        ax.set_title(title, fontsize=11)
        ax.text(features / 2, -rows - 0.15, "$I$ features", ha="center", va="top", fontsize=11, color=GREY)
        ax.text(-0.2, -rows / 2, "$N$ rows", ha="right", va="center", fontsize=11, color=GREY, rotation=90)
        ax.set(xlim=(-0.9, features + 0.3), ylim=(-rows - 0.9, 0.2), aspect="equal")
        ax.axis("off")


def running(means: np.ndarray, followed: np.ndarray, true: float) -> None:
    """Show the mean of each batch, and the running mean that follows them."""
    _, ax = plt.subplots(figsize=(7.0, 2.8))
    steps = np.arange(1, len(means) + 1)
    ax.axhline(true, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    ax.text(0.6, true + 0.08, "true mean", va="bottom", ha="left", color=GREY, fontsize=10)
    ax.scatter(steps, means, s=16, color=VALUE, alpha=0.45)
    ax.plot(steps, followed, color=WEIGHT, linewidth=2)
    ax.text(steps[-1] + 0.8, followed[-1], "running mean:\nused in prediction", color=WEIGHT, va="center", fontsize=10)
    ax.text(22, means.min() - 0.3, "mean of one batch: used in training", color=VALUE, va="top", ha="left", fontsize=10)
    ax.set(xlabel="training step", ylabel="mean of the feature", xlim=(0, steps[-1] + 15), ylim=(-0.4, None))
