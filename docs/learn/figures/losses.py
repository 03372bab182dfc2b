"""Figures of chapter 5: three losses and their pull, one outlier, and a loss that fails in single precision."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

from .graph import INK, LINE, arrow, canvas, node, note, say
from .style import GRADIENT, GREY, VALUE, WEIGHT


def chain() -> None:
    """Where the gradient comes from: the loss, the last node, starts with dL = 1."""
    ax = canvas(6.4, 1.9)
    network, z, y, loss = (0.75, 1.3), (3.0, 1.3), (3.0, 0.4), (5.0, 0.85)
    arrow(ax, loss, z, "dz", GRADIENT, gap=0.36)
    arrow(ax, y, loss, "", LINE, gap=0.36)
    arrow(ax, z, network, "dz comes in", GRADIENT, gap=0.4)
    node(ax, network, "net", WEIGHT, radius=0.36, size=12)
    node(ax, z, "z", VALUE, radius=0.28, size=14)
    node(ax, y, "y", GREY, radius=0.28, size=14)
    node(ax, loss, "L", INK, radius=0.3, size=14)
    say(ax, (5.8, 0.85), "dL = 1", GRADIENT, size=12)
    note(ax, (3.0, 1.74), "what the network says")
    note(ax, (2.0, 0.4), "what is true")


def shapes() -> None:
    """Squared, absolute and Huber's loss above; below, their derivatives."""
    r = np.linspace(-3, 3, 301)
    clipped = np.clip(r, -1, 1)
    cases = {
        "half squared": (r * r / 2, r),
        "absolute": (np.abs(r), np.sign(r)),
        "Huber, δ = 1": (clipped * (r - clipped / 2), clipped),
    }
    _, axes = plt.subplots(2, 3, figsize=(5.9, 3.3), sharex=True, sharey="row")
    for column, (title, (value, slope)) in enumerate(cases.items()):
        for row, (curve, color) in enumerate(((value, VALUE), (slope, GRADIENT))):
            ax = axes[row, column]
            ax.plot(r, curve, color=color, linewidth=2)
            ax.axhline(0, color=LINE, linewidth=0.7, zorder=0)
            ax.axvline(0, color=LINE, linewidth=0.7, zorder=0)
            ax.set(xticks=[-2, 0, 2], yticks=[0, 2, 4] if row == 0 else [-2, 0, 2])
            ax.tick_params(length=0, colors=GREY, labelsize=9)
            for spine in ax.spines.values():
                spine.set_visible(False)
        axes[0, column].set_title(title, fontsize=10.5, color=INK)
        axes[1, column].set_xlabel("residual r = z − y", color=GREY, fontsize=9.5)
    axes[0, 0].set_ylabel("loss", color=VALUE)
    axes[1, 0].set_ylabel("gradient", color=GRADIENT)


def outlier() -> None:
    """A line fitted with the squared error and with Huber's loss; one point is far off."""
    rng = np.random.default_rng(3)
    x = np.linspace(0, 10, 12)
    t = 1 + 0.8 * x + 0.4 * rng.standard_normal(12)
    t[10] = 24
    _, ax = plt.subplots(figsize=(5.6, 2.8))
    ax.plot(np.delete(x, 10), np.delete(t, 10), "o", color=INK, markersize=5)
    ax.plot(x[10], t[10], "o", color=INK, markersize=5, markerfacecolor="white")
    ax.text(x[10] - 0.25, t[10], "a typing error", color=GREY, ha="right", va="center")
    for delta, color, said in ((1e9, GREY, "squared error"), (1.0, VALUE, "Huber, δ = 1")):
        a, c = _fit(x, t, delta)
        ax.plot([0, 10], [c, c + 10 * a], color=color, linewidth=2)
        ax.text(10.15, c + 10 * a, said, color=color, va="center")
    ax.set(xlabel="x", xlim=(-0.3, 12.8), xticks=range(0, 11, 2))


def _fit(x: Any, t: Any, delta: float) -> tuple[float, float]:
    """The line with the least Huber loss: weighted least squares, repeated."""
    weight = np.ones_like(x)
    for _ in range(100):
        a, c = np.polyfit(x, t, 1, w=np.sqrt(weight))
        weight = np.minimum(1, delta / np.maximum(np.abs(a * x + c - t), 1e-9))
    return a, c


def stability() -> None:
    """The binary cross-entropy for the truth 0, in float32: the naive formula ends at z = 17."""
    z = np.arange(-8, 41, dtype=np.float32)
    fused = [cr.BinaryCrossEntropy()(np.array([[one]]), np.array([[0]])) for one in z]
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-z))
        value = -np.log(1 - p)
        gradient = 1 / (1 - p) * p * (1 - p)
    _, axes = plt.subplots(1, 2, figsize=(5.9, 2.7))
    for ax, exact, naive, color, said, fails in (
        (axes[0], [one for one, _ in fused], value, VALUE, "value", "naive: infinity"),
        (axes[1], [dz[0, 0] for _, dz in fused], gradient, GRADIENT, "gradient", "naive: NaN"),
    ):
        first = z[~np.isfinite(naive)][0]
        ax.axvspan(first, 41, color=LINE, alpha=0.25, linewidth=0)
        ax.plot(z, exact, color=color, linewidth=2)
        ax.plot(z, np.where(np.isfinite(naive), naive, np.nan), ":", color=INK, linewidth=2.2)
        ax.set_title(said, fontsize=10.5, color=color)
        ax.set(xlabel="z", xticks=[0, int(first), 40], xlim=(-8, 41))
        low, high = ax.get_ylim()
        ax.text(29, low + 0.1 * (high - low), fails, color=INK, ha="center")
