"""The figures of chapter 14: three points, XOR, a table, digits, and MNIST from its stored output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from figures.style import GREY, PINK, SKY, VALUE

MNIST_OUTPUT = Path(__file__).with_name("mnist_classifier.txt")  # what examples/mnist_classifier.py printed


def points_and_losses(fits: list[tuple[Any, Any]], x: np.ndarray, y: np.ndarray) -> None:
    """Show the losses of both networks and the bent lines that they arrive at."""
    _, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.1), width_ratios=[1.15, 1])
    names, colors = ["1-1-1", "1-4-3-1"], [PINK, VALUE]
    line = np.linspace(-2, 4, 241)[:, None]
    for (model, history), name, color in zip(fits, names, colors, strict=True):
        losses = history["loss"]
        left.semilogy(range(1, len(losses) + 1), losses, color=color, linewidth=1.8)
        left.text(102, losses[-1], name, color=color, va="center", fontsize=10.5)
        answers = model.predict(line)[:, 0]
        right.plot(line[:, 0], answers, color=color, linewidth=1.8)
        right.text(4.1, answers[-1], name, color=color, va="center", fontsize=10.5)
    for level, words in ((4 / 3, "plateau 4/3"), (1 / 3, "valley 1/3")):
        left.axhline(level, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), xmax=0.8)
        above = level > 1
        left.text(
            99,
            level * (1.07 if above else 0.9),
            words,
            color=GREY,
            fontsize=9.5,
            ha="right",
            va="bottom" if above else "top",
        )
    right.scatter(x[:, 0], y[:, 0], color="black", s=38, zorder=3)
    left.set(xlabel="epoch", ylabel="loss", xlim=(0, 124))
    left.set_xticks([1, 50, 100])
    right.set(xlabel="$x$", ylabel="$y$", xlim=(-2.1, 5.4), xticks=[-1, 2, 3], yticks=[1, 3, 5])


def error_and_surface(model: Any, history: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Show the error on each epoch's random points, and the answer everywhere on the plane."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.1), width_ratios=[1.25, 1])
    losses = np.array(history["loss"])
    epochs = np.arange(1, len(losses) + 1)
    left.scatter(epochs, losses, s=5, color=VALUE, alpha=0.5)
    left.axhline(0.125, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    left.text(epochs[-1], 0.127, "always ½: 1/8", color=GREY, fontsize=9.5, ha="right", va="bottom")
    left.set(xlabel="epoch", ylabel="error on 40 random points", ylim=(0, None))
    grid = np.linspace(-1, 1, 121)
    surface = model.predict(np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)).reshape(121, 121)
    shades = LinearSegmentedColormap.from_list("answers", ["#F3E3EC", "white", SKY])
    image = right.contourf(grid, grid, surface, levels=np.linspace(0, 1, 21), cmap=shades)
    for value, color, marker in ((1, VALUE, "o"), (0, PINK, "s")):
        inside = y[:, 0] == value
        right.scatter(*x[inside].T, s=9, color=color, marker=marker, linewidth=0)
    fig.colorbar(image, ax=right, ticks=[0, 0.5, 1], label="answer", shrink=0.85)
    right.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlabel="$x_1$", ylabel="$x_2$")


def predicted_and_measured(measured: np.ndarray, predicted: np.ndarray, history: Any) -> None:
    """Show the loss over the epochs, and for unseen patients what was predicted against what was measured."""
    _, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.1), width_ratios=[1.15, 1])
    for name, color, words, side in (("loss", VALUE, "training", "top"), ("validation_loss", PINK, "test", "bottom")):
        values = history[name]
        left.plot(range(1, len(values) + 1), values, color=color, linewidth=1.8)
        left.text(len(values) + 4, values[-1], words, color=color, va=side, fontsize=10.5)
    left.set(xlabel="epoch", ylabel="mean squared error", xlim=(0, 1.22 * len(values)), ylim=(0, 1.2))
    edge = [0, 350]
    right.plot(edge, edge, color=GREY, linewidth=1)
    right.text(345, 352, "exact", color=GREY, fontsize=9.5, ha="right", va="bottom")
    right.scatter(measured, predicted, s=18, color=VALUE, alpha=0.7, linewidth=0)
    right.set(xlabel="measured", ylabel="predicted", xlim=edge, ylim=edge, aspect="equal")
    right.set_xticks([0, 100, 200, 300])
    right.set_yticks([0, 100, 200, 300])


def digits_with_answers(images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Show a few digits, and below each the probabilities that the network gives to 0, …, 9; pink is wrong."""
    _, axes = plt.subplots(2, len(images), figsize=(7.2, 2.2), height_ratios=[1.5, 1])
    for k, (image, p, label) in enumerate(zip(images, probabilities, labels, strict=True)):
        axes[0, k].imshow(image.reshape(8, 8), cmap="gray_r")
        axes[0, k].set_title(f"{p.argmax()}", fontsize=12, color=VALUE if p.argmax() == label else PINK)
        axes[0, k].axis("off")
        axes[1, k].bar(range(10), p, color=[VALUE if j == label else PINK for j in range(10)])
        axes[1, k].set(ylim=(0, 1), yticks=[], xticks=[0, 9], xlim=(-0.6, 9.6))
        axes[1, k].tick_params(labelsize=7.5, length=2)
        axes[1, k].spines["left"].set_visible(False)


def stored_columns(text: str) -> dict[str, np.ndarray]:
    """Read the lines of the epochs: ``epoch  1/10  loss 0.2  accuracy 0.9  ...``."""
    lines = [line for line in text.splitlines() if line.startswith("epoch")]
    pairs = [dict(re.findall(r"(\w+) ([\d.e-]+)", line.split("  ", 1)[1])) for line in lines]
    return {name: np.array([float(row[name]) for row in pairs]) for name in pairs[0]}


def label_end(ax: Axes, epochs: np.ndarray, values: np.ndarray, color: str, words: str) -> None:
    """Draw a curve with its name at its end."""
    ax.plot(epochs, values, color=color, linewidth=1.8, marker="o", markersize=3.5)
    ax.text(epochs[-1] + 0.25, values[-1], words, color=color, va="center", fontsize=10)


def mnist_curves() -> None:
    """Show loss and accuracy of the stored training on MNIST."""
    text = MNIST_OUTPUT.read_text(encoding="utf-8")
    columns = stored_columns(text)
    test = float(re.findall(r"accuracy ([\d.]+)%", text)[0])
    epochs = np.arange(1, len(columns["loss"]) + 1)
    _, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.1))
    for name, color, words in (("loss", VALUE, "training"), ("validation_loss", PINK, "validation")):
        label_end(left, epochs, columns[name], color, words)
    label_end(right, epochs, 100 * columns["validation_accuracy"], PINK, "validation")
    right.axhline(98.42, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), xmax=0.78)
    right.text(1, 98.44, "98.42 %", color=GREY, fontsize=9.5, va="bottom")
    right.scatter(epochs[-1], test, color=VALUE, s=42, zorder=4)
    right.text(epochs[-1] + 0.25, test, f"test {test:.2f} %", color=VALUE, va="center", fontsize=10)
    left.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None))
    right.set(xlabel="epoch", ylabel="accuracy in %")
    for ax in (left, right):
        ax.set_xlim(0.5, 1.33 * epochs[-1])
        ax.set_xticks([1, len(epochs) // 2, len(epochs)])
