"""The figures of chapter 7: a network on paper, and the surface that it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from .style import GRADIENT, GREY, SKY, VALUE, WEIGHT, YELLOW

CLASSES = SKY, YELLOW
PLANE = LinearSegmentedColormap.from_list("classes", [SKY, "white", YELLOW])
BOXES = ("affine", "relu", "affine", "cross-\nentropy")
VALUES = ("$x$", "$z_1$", "$h$", "$z_2$", "$L$")
GRADIENTS = (r"$\mathrm{d}x$", r"$\mathrm{d}z_1$", r"$\mathrm{d}h$", r"$\mathrm{d}z_2$")


def flow() -> None:
    """The four boxes, with the names of what flows between them and of what they keep."""
    below = {0: "$\\mathrm{d}W_1,\\ \\mathrm{d}b_1$", 2: "$\\mathrm{d}W_2,\\ \\mathrm{d}b_2$"}
    _chain(VALUES, GRADIENTS, ("keeps $x$", "keeps $h$", "keeps $h$", "keeps $p - t$"), below)


def by_hand() -> None:
    """The four boxes with the numbers of the example."""
    below = {
        0: "$\\mathrm{d}W_1$ = ((0.5, 0), (1, 0))\n$\\mathrm{d}b_1$ = (0.5, 0)",
        2: "$\\mathrm{d}W_2$ = ((−1.5, 1.5), (0, 0))\n$\\mathrm{d}b_2$ = (−0.5, 0.5)",
    }
    values = ("(1, 2)", "(3, −1)", "(3, 0)", "(6, 6)", "0.693")
    _chain(values, ("(0.5, 0.5)", "(0.5, 0)", "(0.5, 1.5)", "(−0.5, 0.5)"), ("", "", "", "$t$ = (1, 0)"), below)


def data(x: np.ndarray, labels: np.ndarray) -> None:
    """The points, in the colours of their classes."""
    _, ax = plt.subplots(figsize=(7.0, 3.0))
    _points(ax, x, labels, 22)
    _bare(ax)


def surfaces(start: Callable, forward: Callable, train: Callable, x: np.ndarray, labels: np.ndarray) -> None:
    """The probability of the classes all over the plane, at three moments of the training."""
    rng = np.random.default_rng(0)
    layers = start([2, 16, 16, 2], rng)
    _, axes = plt.subplots(1, 3, figsize=(7.0, 2.0))
    for ax, epochs, title in zip(axes, (0, 5, 95), ("before", "5 epochs", "100 epochs"), strict=True):
        train(layers, x, labels, rng, epochs=epochs)
        _surface(ax, forward, layers)
        _points(ax, x[:150], labels[:150], 7)
        ax.set_title(title, fontsize=11)
        _bare(ax)


def bends(forward: Callable, layers: list[Any], x: np.ndarray, labels: np.ndarray) -> None:
    """The lines where the units of the first layer are 0, and the border between the classes."""
    _, ax = plt.subplots(figsize=(7.0, 3.6))
    _points(ax, x, labels, 14, alpha=0.45)
    (W, b), ends = layers[0], np.array([-9.0, 9.0])
    for (w1, w2), bias in zip(W.T, b, strict=True):
        n = np.hypot(w1, w2)
        ax.plot(-bias * w1 / n**2 - ends * w2 / n, -bias * w2 / n**2 + ends * w1 / n, color=WEIGHT, lw=0.9)
    grid, first, second = _grid(301)
    z = forward(grid, layers)[0]
    ax.contour(first, second, (z[:, 1] - z[:, 0]).reshape(first.shape), [0.0], colors="black", linewidths=2.2)
    _bare(ax)


def same_curve(losses: list[float], theirs: list[float]) -> None:
    """The loss of the forty lines as a line, that of the library as dots."""
    _, ax = plt.subplots(figsize=(7.0, 2.9))
    epochs = np.arange(1, len(losses) + 1)
    ax.plot(epochs, losses, color=VALUE, lw=1.6)
    ax.plot(epochs[::6], theirs[::6], "o", color="black", mfc="white", ms=6)
    ax.annotate("forty lines", (25, losses[24]), (31, 0.27), color=VALUE, arrowprops={"arrowstyle": "-", "color": GREY})
    ax.annotate("chainrule", (55, theirs[54]), (61, 0.2), arrowprops={"arrowstyle": "-", "color": GREY})
    ax.set(xlabel="epoch", ylabel="loss of all rows", xlim=(0, 102), ylim=(0, None))


def _chain(values: tuple, gradients: tuple, kept: tuple, below: dict[int, str]) -> None:
    _, ax = plt.subplots(figsize=(7.0, 2.5))
    width, gap, size = 0.9, 0.95, 11 if "$" in values[0] else 9.6
    for k, (name, note) in enumerate(zip(BOXES, kept, strict=True)):
        left = gap + k * (width + gap)
        edge = WEIGHT if k in below else GREY
        ax.add_patch(plt.Rectangle((left, -0.62), width, 1.24, fill=False, ec=edge, lw=1.8))
        ax.text(left + width / 2, 0, name, ha="center", va="center", fontsize=11)
        ax.text(left + width / 2, 0.72, note, ha="center", va="bottom", fontsize=9.5, color=GREY)
        if k in below:
            _arrow(ax, (left + width / 2, -0.62), (left + width / 2, -1.12), GRADIENT)
            ax.text(left + width / 2, -1.2, below[k], ha="center", va="top", color=GRADIENT, linespacing=1.5)
    for k, name in enumerate(values):
        left = k * (width + gap)
        _arrow(ax, (left, 0.34), (left + gap, 0.34), VALUE)
        ax.text(left + gap / 2, 0.43, name, ha="center", va="bottom", color=VALUE, fontsize=size)
        if k < len(gradients):
            _arrow(ax, (left + gap, -0.34), (left, -0.34), GRADIENT)
            ax.text(left + gap / 2, -0.46, gradients[k], ha="center", va="top", color=GRADIENT, fontsize=size)
    ax.set(xlim=(0, 4 * width + 5 * gap), ylim=(-1.85, 1.0))
    ax.axis("off")


def _arrow(ax: plt.Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.6, "shrinkA": 2, "shrinkB": 2})


def _grid(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = np.meshgrid(np.linspace(-1.8, 2.8, n), np.linspace(-1.3, 1.8, n))
    return np.column_stack([first.ravel(), second.ravel()]), first, second


def _surface(ax: plt.Axes, forward: Callable, layers: list[Any]) -> None:
    grid, first, second = _grid(81)
    z = forward(grid, layers)[0]
    p = 1 / (1 + np.exp(z[:, 0] - z[:, 1]))
    ax.contourf(first, second, p.reshape(first.shape), np.linspace(0, 1, 11), cmap=PLANE, alpha=0.75)
    ax.contour(first, second, p.reshape(first.shape), [0.5], colors="black", linewidths=1.2)


def _points(ax: plt.Axes, x: np.ndarray, labels: np.ndarray, size: float, alpha: float = 1.0) -> None:
    for k, color in enumerate(CLASSES):
        ax.scatter(*x[labels == k].T, s=size, color=color, ec="black", lw=0.4, alpha=alpha)


def _bare(ax: plt.Axes) -> None:
    ax.set(xlim=(-1.8, 2.8), ylim=(-1.3, 1.8), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
