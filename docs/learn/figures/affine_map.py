"""Figures of chapter 2: a layer, one weight in every sample, dW as a product of matrices and as a sum over samples."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from .graph import INK, LINE, arrow, canvas, grid, node, note, say
from .style import GRADIENT, GREY, VALUE, WEIGHT

X = np.array([[2, 3], [1, 0], [4, 1]])
W = np.array([[3, 1], [1, 2]])
DY = np.array([[1, 0], [-2, 1], [0, 3]])


def layer() -> None:
    """Two neurons that share their inputs; each has a column of W."""
    ax = canvas(6.4, 2.5)
    inputs, outputs = [(0.6, 1.85), (0.6, 0.65)], [(3.0, 1.85), (3.0, 0.65)]
    for i, start in enumerate(inputs):
        for o, end in enumerate(outputs):
            arrow(ax, start, end, f"W{'₁₂'[i]}{'₁₂'[o]}", LINE, WEIGHT, where=0.32, gap=0.36)
        node(ax, start, f"x{'₁₂'[i]}", VALUE)
    for o, at in enumerate(outputs):
        node(ax, at, "Σ", INK, radius=0.32, size=15)
        arrow(ax, at, (at[0] + 1.35, at[1]), f"y{'₁₂'[o]}", LINE, VALUE, gap=0.36, where=0.47)
    grid(ax, (4.6, 2.05), [["W₁₁", "W₁₂"], ["W₂₁", "W₂₂"]], WEIGHT, "W", cell=0.8)
    note(ax, (5.0, 0.3), "neuron 1", size=9)
    note(ax, (5.8, 0.3), "neuron 2", size=9)


def sharing() -> None:
    """The same weight in three samples: three paths from it to the loss."""
    ax = canvas(6.4, 3.2)
    weight, loss = (0.75, 1.6), (5.75, 1.6)
    for n, at in enumerate((2.7, 1.6, 0.5)):
        y = (3.3, at)
        arrow(ax, weight, y, f"x{'₁₂₃'[n]}₁ = {X[n, 0]}", VALUE, gap=0.38, where=0.55)
        arrow(ax, loss, y, f"dy{'₁₂₃'[n]}₂ = {DY[n, 1]}", GRADIENT, gap=0.38, where=0.5)
        node(ax, y, f"y{'₁₂₃'[n]}₂", INK, radius=0.32)
    node(ax, weight, "W₁₂", WEIGHT, radius=0.36)
    node(ax, loss, "L", INK, radius=0.36, size=14)


def product() -> None:
    """dW = xᵀ dy: the entry (1, 2) is column 1 of x times column 2 of dy, added over the samples."""
    ax = canvas(6.4, 2.15)
    first = lambda _, j: j == 0  # noqa: E731
    second = lambda _, j: j == 1  # noqa: E731
    grid(ax, (0.45, 1.7), X.tolist(), VALUE, "x", lit=first)
    grid(ax, (2.35, 1.7), DY.tolist(), GRADIENT, "dy", lit=second)
    grid(ax, (4.45, 1.45), (X.T @ DY).tolist(), GRADIENT, "dW = xᵀ dy", lit=lambda i, j: (i, j) == (0, 1))
    say(ax, (1.85, 1.0), "·", INK, size=16)
    say(ax, (3.85, 1.0), "→", INK, size=16)
    note(ax, (0.68, 0.14), "input 1", VALUE)
    note(ax, (3.04, 0.14), "neuron 2", GRADIENT)
    note(ax, (4.95, 0.3), "2 · 0 + 1 · 1 + 4 · 3 = 13", INK, size=11)
    for n in range(3):
        note(ax, (0.2, 1.47 - 0.46 * n), f"{n + 1}", size=9.5)


def outer() -> None:
    """dW as the sum of what each sample contributes: the outer product of its input and its gradient."""
    ax = canvas(6.4, 1.7)
    for n in range(3):
        left = 0.55 + 1.55 * n
        grid(ax, (left, 1.25), np.outer(X[n], DY[n]).tolist(), GRADIENT, cell=0.42)
        for i in range(2):
            note(ax, (left - 0.17, 1.04 - 0.42 * i), f"{X[n, i]}", VALUE, size=11)
            note(ax, (left + 0.21 + 0.42 * i, 1.4), f"{DY[n, i]}".replace("-", "−"), GRADIENT, size=11)
        note(ax, (left + 0.42, 0.2), f"sample {n + 1}")
        say(ax, (left + 1.1, 0.83), "+" if n < 2 else "=", INK, size=15)
    grid(ax, (5.2, 1.25), (X.T @ DY).tolist(), GRADIENT, cell=0.42, lit=lambda *_: True)
    note(ax, (5.62, 0.2), "dW")


def shapes() -> None:
    """The three products as rectangles: the side that two factors share disappears."""
    ax = canvas(6.4, 4.5)
    n, i, o = 1.0, 0.55, 0.8
    rows = (
        (3.75, ("x", n, i, "NI", VALUE), ("W", i, o, "IO", WEIGHT), ("y", n, o, "NO", VALUE)),
        (2.25, ("dy", n, o, "NO", GRADIENT), ("Wᵀ", o, i, "OI", WEIGHT), ("dx", n, i, "NI", GRADIENT)),
        (0.75, ("xᵀ", i, n, "IN", VALUE), ("dy", n, o, "NO", GRADIENT), ("dW", i, o, "IO", GRADIENT)),
    )
    for middle, left, right, result in rows:
        for at, (name, height, width, sides, color) in zip((1.3, 3.2, 5.2), (left, right, result), strict=True):
            corner = (at - width / 2, middle - height / 2)
            ax.add_patch(Rectangle(corner, width, height, facecolor=color, alpha=0.18, linewidth=0))
            ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=color, linewidth=1.4))
            note(ax, (at, middle), name, color, size=13)
            note(ax, (corner[0] - 0.13, middle), sides[0], INK if at == 1.3 or at == 5.2 else GREY, size=11)
            note(ax, (at, corner[1] + height + 0.12), sides[1], GREY if at == 1.3 else INK, size=11)
        say(ax, (2.25, middle), "·", INK, size=16)
        say(ax, (4.2, middle), "=", INK, size=15)
