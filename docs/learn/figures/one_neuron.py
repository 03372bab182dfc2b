"""Figures of chapter 1: the neuron, its loss as a function of one weight, the way back, and three learning rates."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from .graph import INK, LINE, arrow, canvas, node, note, say
from .style import GRADIENT, GREY, VALUE, WEIGHT

INPUTS = {"x₁": (0.75, 2.35), "x₂": (0.75, 1.35), "1": (0.75, 0.35)}
NEURON, LOSS = (3.75, 1.35), (5.75, 1.35)


def _frame(height: float = 2.75) -> Any:
    ax = canvas(6.5, height)
    for text, at in INPUTS.items():
        node(ax, at, text, GREY if text == "1" else VALUE)
    node(ax, NEURON, "Σ", INK, radius=0.33, size=16)
    node(ax, LOSS, "L", INK, radius=0.33, size=14)
    return ax


def picture() -> None:
    """The forward pass: values in blue, weights in green."""
    ax = _frame()
    for (name, at), weight, value in zip(INPUTS.items(), ("w₁ = 1", "w₂ = 0.5", "b = 1"), ("2", "3", ""), strict=True):
        arrow(ax, at, NEURON, weight, LINE, WEIGHT, gap=0.36, where=0.48)
        if name != "1":
            say(ax, (at[0] - 0.42, at[1]), value, VALUE, size=13)
    arrow(ax, NEURON, LOSS, "y = 4.5", LINE, VALUE, gap=0.4)
    say(ax, (5.75, 0.8), "½ (y − t)²", INK)
    say(ax, (5.75, 1.9), "L = 8", VALUE, size=12)
    note(ax, (5.75, 2.3), "truth: t = 8.5")
    note(ax, (3.75, 0.75), "multiply and add")


def backward() -> None:
    """The way back: the gradient of each value beside it."""
    ax = _frame()
    gradients = ("dw₁ = dy · x₁ = −8", "dw₂ = dy · x₂ = −12", "db = dy · 1 = −4")
    for at, gradient in zip(INPUTS.values(), gradients, strict=True):
        arrow(ax, NEURON, at, gradient, GRADIENT, gap=0.36, where=0.52)
    arrow(ax, LOSS, NEURON, "dy = −4", GRADIENT, gap=0.4)
    say(ax, (5.75, 0.8), "dy = y − t", GRADIENT)


def slope() -> None:
    """The loss against one weight, the others held fixed, with its tangent."""
    _, ax = plt.subplots(figsize=(5.4, 2.8))
    w = np.linspace(-0.4, 6.4, 200)
    ax.plot(w, (2 * (w - 3)) ** 2 / 2, color=VALUE, linewidth=2)
    near = np.array([0.1, 2.0])
    ax.plot(near, 8 - 8 * (near - 1), color=GRADIENT, linewidth=2)
    ax.plot([1], [8], "o", color=INK, markersize=7, zorder=3)
    ax.text(1.25, 8.2, "the neuron now: $w_1$ = 1, L = 8", color=INK, va="bottom")
    ax.text(1.4, 2.4, "slope −8", color=GRADIENT, ha="right", va="center")
    ax.text(5.3, 13.2, "loss L", color=VALUE, ha="right")
    ax.text(3, 2.9, "no loss at $w_1$ = 3", color=GREY, ha="center")
    ax.set(xlabel="weight $w_1$  ($w_2$ and b stay as they are)", ylim=(-0.6, 18), yticks=[0, 8, 16])


def rates() -> None:
    """The error after each step, for three learning rates."""
    _, ax = plt.subplots(figsize=(5.4, 2.8))
    for rate, count, color, said in (
        (0.01, 7, GREY, "0.01: slow"),
        (0.05, 7, VALUE, "0.05: good"),
        (0.2, 4, INK, "0.2: every step overshoots by more"),
    ):
        steps = np.arange(count)
        error = -4 * (1 - 14 * rate) ** steps
        ax.plot(steps, error, "o-", color=color, markersize=4)
        ax.text(
            count - 0.85,
            error[-1] + (0.9 if rate == 0.05 else -0.9 if rate == 0.01 else 0),
            said,
            color=color,
            va="center",
        )
    ax.axhline(0, color=LINE, linewidth=0.8, zorder=0)
    ax.set(xlabel="step", ylabel="error  y − t", xlim=(-0.2, 7.4), xticks=range(7))
