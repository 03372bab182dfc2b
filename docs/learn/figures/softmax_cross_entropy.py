"""The figures of chapter 6: softmax, its Jacobian, and why it belongs with the cross-entropy."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from .style import GRADIENT, GREY, PINK, SKY, VALUE

CLASSES = ("cat", "dog", "bird")
Z = np.log([5.0, 2.0, 1.0])
P = np.exp(Z) / np.exp(Z).sum()
TARGET = np.array([0.0, 1.0, 0.0])


def two_steps() -> None:
    """Logits, their exponentials, and the probabilities, as bars."""
    figure, axes = plt.subplots(1, 3, figsize=(7.0, 2.7))
    columns = (("logits  $z$", Z, "{:.3f}"), ("$e^{z}$", np.exp(Z), "{:.0f}"), ("probabilities  $p$", P, "{:.3f}"))
    for ax, (title, values, form) in zip(axes, columns, strict=True):
        _bars(ax, values, VALUE, form)
        ax.set_title(title, fontsize=11, pad=10)
        ax.set_ylim(0, 1.18 * values.max())
    figure.get_layout_engine().set(wspace=0.24)
    for ax, text in zip(axes[:-1], (r"$\exp$", r"$\div\,8$"), strict=True):
        ax.annotate("", (1.32, 0.45), (1.1, 0.45), "axes fraction", arrowprops={"arrowstyle": "->", "color": GREY})
        ax.text(1.21, 0.5, text, transform=ax.transAxes, ha="center", color=GREY, fontsize=12)


def jacobian() -> None:
    """The slopes of the probabilities by the logits, in sixty-fourths, with the sums of the rows."""
    table = 64 * (np.diag(P) - np.outer(P, P))
    _, ax = plt.subplots(figsize=(7.0, 3.0))
    for k, row in enumerate(table):
        for j, slope in enumerate(row):
            ax.add_patch(plt.Rectangle((j, k), 0.96, 0.92, color=GRADIENT, alpha=0.08 + 0.6 * abs(slope) / 15, lw=0))
            ax.text(j + 0.48, k + 0.46, f"{slope:.0f}".replace("-", "−"), ha="center", va="center", fontsize=13)
        ax.text(-0.12, k + 0.46, rf"$\partial p_{{{CLASSES[k]}}}$", ha="right", va="center", fontsize=13, color=VALUE)
        ax.text(3.45, k + 0.46, "sum 0", ha="center", va="center", color=GREY)
    for j, name in enumerate(CLASSES):
        ax.text(j + 0.48, 3.2, "sum 0", ha="center", va="center", color=GREY)
        ax.text(j + 0.48, -0.15, rf"$\partial z_{{{name}}}$", ha="center", va="bottom", fontsize=13, color=VALUE)
    ax.set(xlim=(-1.9, 4.9), ylim=(3.4, -0.6))
    ax.axis("off")


def push() -> None:
    """Probabilities beside their targets, and the gradient, which is the difference."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 2.9))
    _bars(left, P, VALUE, "{:.3f}")
    for k, target in enumerate(TARGET):
        left.plot([k - 0.4, k + 0.4], [target, target], color="black", lw=2.5, solid_capstyle="butt", clip_on=False)
    left.annotate("truth", (1.42, 1.0), (1.62, 1.0), va="center")
    left.set_ylim(0, 1.1)
    left.set_title("probabilities  $p$", fontsize=11, color=VALUE, pad=10)
    _bars(right, P - TARGET, GRADIENT, "{:+.3f}")
    right.axhline(0, color="black", lw=0.8)
    right.spines["bottom"].set_visible(False)
    right.set_ylim(-0.95, 0.85)
    right.set_title("gradient  $\\mathrm{d}z = p - t$", fontsize=11, color=GRADIENT, pad=10)
    figure.get_layout_engine().set(wspace=0.1)


def together() -> None:
    """The slopes of logarithm and softmax, and their product, for two classes."""
    margin = np.linspace(-8, 8, 401)
    p = 1 / (1 + np.exp(-margin))
    _, ax = plt.subplots(figsize=(7.0, 3.6))
    ax.plot(margin, 1 / p, color=PINK)
    ax.plot(margin, p * (1 - p), color=SKY, lw=2)
    ax.plot(margin, 1 - p, color=GRADIENT, lw=2.5)
    ax.plot(margin, 2 * p * (1 - p) ** 2, color=GREY, ls="--")
    ax.text(-5.6, 700, "logarithm: $1/p_y$", color=PINK, ha="left")
    ax.text(-3.6, 0.006, "softmax: $p_y(1 - p_y)$", color=SKY, ha="left")
    ax.text(-7.9, 1.45, "product: $1 - p_y$", color=GRADIENT, ha="left")
    ax.text(-7.9, 0.05, "with the squared error", color=GREY, ha="left")
    ax.set(yscale="log", ylim=(2e-4, 4e3), xlim=(-8, 8), ylabel="size of the slope")
    ax.set_xlabel("logit of the true class − logit of the other\n← certain and wrong        certain and right →")


def _bars(ax: plt.Axes, values: np.ndarray, color: str, form: str) -> None:
    ax.bar(range(3), values, color=color, width=0.7)
    reach = np.ptp([0.0, *values])
    for k, value in enumerate(values):
        below = value < 0
        label = form.format(value).replace("-", "−") if value else "0"
        ax.text(k, value + (-1 if below else 1) * 0.03 * reach, label, ha="center", va="top" if below else "bottom")
    ax.set_xticks(range(3), CLASSES)
    ax.tick_params(length=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
