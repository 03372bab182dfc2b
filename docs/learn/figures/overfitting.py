"""The figures of chapter 10: overfitting, and what helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

from .style import GREY, PINK, SKY, VALUE, WEIGHT, YELLOW


def fits(train: Callable, x: np.ndarray, y: np.ndarray) -> None:
    """What the network computes at three moments of its training."""
    model, optimizer = cr.MLP([1, 64, 64, 1], "relu", rng=0), cr.Adam(0.01)
    line = np.linspace(-3, 3, 301)[:, None]
    _, axes = plt.subplots(1, 3, figsize=(7.0, 2.4), sharey=True)
    for ax, epochs, title in zip(axes, (20, 280, 700), ("20 epochs", "300", "1,000"), strict=True):
        train(model, optimizer, epochs=epochs)
        ax.plot(line, np.sin(1.5 * line), color=GREY, ls="--", lw=1.2)
        ax.plot(line, model.predict(line), color=VALUE, lw=2)
        ax.plot(x, y, "o", color="black", ms=3.5)
        ax.set(title=title, xticks=[], yticks=[], ylim=(-2.1, 2.1))
        ax.title.set_fontsize(10.5)
        ax.spines[:].set_visible(False)


def curves(history: Any) -> None:
    """Training and validation loss, with the epoch where one should stop."""
    training, validation = (np.array(history[name]) for name in ("loss", "validation_loss"))
    epochs, best = np.arange(1, len(training) + 1), int(validation.argmin())
    _, ax = plt.subplots(figsize=(7.0, 3.2))
    ax.plot(epochs, training, color=GREY, lw=1.5)
    ax.plot(epochs, validation, color=VALUE, lw=2)
    ax.axvline(best + 1, color=WEIGHT, lw=1)
    ax.axhline(0.16, color="black", lw=0.8, ls=":")
    ax.plot(best + 1, validation[best], "o", color=WEIGHT, ms=7)
    ax.text(best + 12, 1.9, f"stop here, epoch {best + 1}", color=WEIGHT)
    ax.text(1010, validation[-1], "validation", color=VALUE, va="center")
    ax.text(1010, training[-1], "training", color=GREY, va="center")
    ax.text(1010, 0.16, "noise", va="center")
    ax.set(yscale="log", ylim=(0.02, 3), xlim=(0, 1000), xlabel="epoch", ylabel="loss")


def thinned() -> None:
    """A network, and two networks that dropout makes of it."""
    sizes = (2, 5, 5, 1)
    columns = [np.linspace(-(n - 1) / 2, (n - 1) / 2, n) for n in sizes]
    nothing: dict[int, set[int]] = {}
    drawings = (
        (nothing, "prediction: all units"),
        ({1: {1, 4}, 2: {0, 3}}, "one step"),
        ({1: {0, 2}, 2: {2, 4}}, "the next step"),
    )
    _, axes = plt.subplots(1, 3, figsize=(7.0, 2.6))
    for ax, (dropped, title) in zip(axes, drawings, strict=True):
        alive = [[k not in dropped.get(layer, ()) for k in range(n)] for layer, n in enumerate(sizes)]
        for layer in range(len(sizes) - 1):
            for i, y1 in enumerate(columns[layer]):
                for o, y2 in enumerate(columns[layer + 1]):
                    if alive[layer][i] and alive[layer + 1][o]:
                        ax.plot([layer, layer + 1], [y1, y2], color=WEIGHT, lw=0.9, zorder=1)
        for layer, ys in enumerate(columns):
            for k, y in enumerate(ys):
                here = alive[layer][k]
                ax.plot(layer, y, "o", ms=12, mfc=VALUE if here else "white", mec=VALUE if here else GREY, zorder=2)
                if not here:
                    ax.plot(layer, y, "x", color=GREY, ms=7, zorder=3)
        ax.set(xlim=(-0.3, 3.3), ylim=(-2.5, 2.5))
        ax.set_title(title, fontsize=10.5)
        ax.axis("off")


def shrinkage() -> None:
    """What L1 and L2 leave of a weight."""
    a = np.linspace(-3.2, 3.2, 321)
    _, ax = plt.subplots(figsize=(7.0, 3.4))
    ax.plot(a, a, color=GREY, ls="--", lw=1)
    ax.plot(a, a / 2, color=YELLOW, lw=2.2)
    ax.plot(a, np.sign(a) * np.maximum(abs(a) - 1, 0), color=WEIGHT, lw=2.2)
    for point in (3.0, 0.5, -2.0):
        ax.plot([point, point], [point / 2, np.sign(point) * max(abs(point) - 1, 0)], "o", color="black", ms=4)
    ax.text(3.3, 1.6, "L2, $\\lambda_2 = 0.5$", color=YELLOW, va="center")
    ax.text(3.3, 2.2, "L1, $\\lambda_1 = 1$", color=WEIGHT, va="center")
    ax.text(3.3, 3.0, "no penalty", color=GREY, va="center")
    ax.set(xlabel="$a$", xlim=(-3.2, 3.2), ylim=(-2.4, 3.2))
    ax.set_ylabel("$w$", rotation=0)
    ax.axhline(0, color="black", lw=0.6)


def decoupled(penalty: np.ndarray, decay: np.ndarray) -> None:
    """Two weights with large and with small gradients: L2 in Adam, and AdamW."""
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 2.9), sharey=True)
    for ax, path, title in zip(axes, (penalty, decay), ("L2 penalty in Adam", "AdamW"), strict=True):
        ax.plot(path[:, 0], color=WEIGHT, lw=2)
        ax.plot(path[:, 1], color=WEIGHT, lw=2, ls="--")
        ax.set(title=title, xlabel="step", xlim=(0, 1000), ylim=(-0.03, 1.03), yticks=[0, 0.5, 1])
        ax.title.set_fontsize(10.5)
    axes[0].set_ylabel("weight")
    axes[0].text(330, 0.82, "large gradients")
    axes[0].text(60, 0.22, "small gradients\n(dashed)")
    axes[1].text(420, 0.5, "both")
    figure.get_layout_engine().set(wspace=0.08)


def remedies(records: dict[str, Any]) -> None:
    """The validation losses of several trainings."""
    _, ax = plt.subplots(figsize=(7.0, 3.3))
    for (name, record), color in zip(records.items(), (GREY, YELLOW, PINK, SKY), strict=True):
        losses = record["validation_loss"]
        ax.plot(range(1, len(losses) + 1), losses, color=color, lw=1.8)
        ax.text(1010, losses[-1], name, color=color, va="center")
    ax.axhline(0.16, color="black", lw=0.8, ls=":")
    ax.set(yscale="log", ylim=(0.14, 3), xlim=(0, 1000), xlabel="epoch", ylabel="validation loss")
    ax.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    ax.minorticks_off()
