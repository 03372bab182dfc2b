"""The figures of chapter 8: what arrives at the end of a deep network, before any training."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

from .style import GRADIENT, GREY, VALUE, WEIGHT

UNITS = 256


def histograms() -> None:
    """The outputs of some of ten tanh layers, for three sizes of the weights."""
    shown = (1, 2, 4, 7, 10)
    rules = (
        (0.5, "too small\n$\\sigma = 1/32$"),
        (1.0, "right\n$\\sigma = 1/16$"),
        (3.0, "too large\n$\\sigma = 3/16$"),
    )
    _, axes = plt.subplots(3, len(shown), figsize=(7.0, 3.7), sharex=True)
    for row, (factor, name) in zip(axes, rules, strict=True):
        rng = np.random.default_rng(0)
        h = rng.normal(size=(UNITS, UNITS))
        for layer in range(1, shown[-1] + 1):
            h = np.tanh(h @ rng.normal(0, factor / np.sqrt(UNITS), (UNITS, UNITS)))
            if layer in shown:
                ax = row[shown.index(layer)]
                ax.hist(h.ravel(), np.linspace(-1, 1, 42), color=VALUE, histtype="stepfilled")
                ax.set(yticks=[], xticks=[-1, 0, 1], xlim=(-1.05, 1.05))
                ax.spines["left"].set_visible(False)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
    for ax, layer in zip(axes[0], shown, strict=True):
        ax.set_title(f"layer {layer}", fontsize=10.5)


def through_layers() -> None:
    """The root mean square of signals and gradients in thirty ReLU layers: theory as lines, measurements as dots."""
    depth, layers = 30, np.arange(31)
    _, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.4), sharey=True)
    for variance, name in ((1.0, "$1/I$"), (2.0, "$2/I$  (He)"), (4.0, "$4/I$")):
        signals, gradients = _measure(variance, depth)
        theory = (variance / 2) ** (layers / 2)
        for ax, sizes, x, color in ((left, signals, layers, VALUE), (right, gradients, layers[::-1], GRADIENT)):
            ax.plot(x, theory, color=GREY, lw=1)
            ax.plot(x[::2], sizes[::2], "o", color=color, ms=4)
        left.text(depth + 0.8, theory[-1], name, va="center", color=WEIGHT)
    left.set(yscale="log", xlabel="layer", title="signals, forward →", xlim=(-1, depth + 0.5))
    left.set_ylabel("root mean square")
    right.set(xlabel="layer", title="← gradients, backward", xlim=(-1, depth + 0.5))
    left.figure.get_layout_engine().set(wspace=0.12)


def training() -> None:
    """The loss of a deep network on the two moons, for three sizes of the weights."""
    rng = np.random.default_rng(1)
    angle, labels = rng.uniform(0, np.pi, 400), np.arange(400) % 2
    x = np.where(labels == 0, (np.cos(angle), np.sin(angle)), (1 - np.cos(angle), 0.5 - np.sin(angle))).T
    x = x + 0.2 * rng.normal(size=x.shape)
    _, ax = plt.subplots(figsize=(7.0, 3.2))
    small, large = cr.initializers.Normal(0.02), cr.initializers.Normal(0.6)
    rules = (
        (small, "too small, $\\sigma = 0.02$", GREY, 0.62),
        ("he_normal", "He, $\\sigma = \\sqrt{2/I}$", WEIGHT, 0.09),
        (large, "too large, $\\sigma = 0.6$", "black", 1.0),
    )
    for rule, name, color, height in rules:
        model = cr.MLP([2] + [32] * 8 + [2], "relu", initializer=rule, rng=0)
        trainer = cr.Trainer(model, "cross_entropy", cr.SGD(0.05, clip_norm=1.0))
        losses = trainer.fit(x, labels, epochs=40, verbose=0)["loss"]
        ax.plot(range(1, 41), losses, color=color)
        ax.text(40.6, height, name, color=color, va="center")
    ax.set(yscale="log", xlabel="epoch", ylabel="loss", xlim=(0, 41))


def kinks() -> None:
    """Twelve units of a first layer over data from 5 to 10, as drawn and after a look at the data."""
    x = np.random.default_rng(2).uniform(5, 10, size=(200, 1))
    line = np.linspace(0, 11, 221)[:, None]
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 2.9))
    for ax, title in zip(axes, ("as drawn: all kinks at 0", "initialized from the data"), strict=True):
        model = cr.MLP([1, 12, 1], "relu", rng=3, dtype="float64")
        if ax is axes[1]:
            cr.initialize_from_data(model, x)
        layer = model.layers[0]
        ax.plot(line, np.maximum(line @ layer.W + layer.b, 0), color=VALUE, lw=1)
        top = ax.get_ylim()[1]
        ax.plot(x, np.full_like(x, -0.06 * top), "|", color="black", ms=7, mew=0.5)
        ax.set(title=title, xlabel="$x$", xlim=(0, 11), ylim=(-0.12 * top, top), yticks=[])
        ax.title.set_fontsize(10.5)
    axes[0].set_ylabel("outputs of the units")
    figure.get_layout_engine().set(wspace=0.08)


def _measure(variance: float, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Root mean squares of the signals, and of the gradients on the way back, from the last layer on."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, np.sqrt(variance / UNITS), (depth, UNITS, UNITS))
    h = rng.normal(size=(64, UNITS))
    signals, masks = [1.0], []
    for W in weights:
        z = h @ W
        masks.append(z > 0)
        h = np.maximum(z, 0)
        signals.append(np.sqrt(np.mean(h**2)))
    dy = rng.normal(size=h.shape)
    gradients = [1.0]
    for W, mask in zip(weights[::-1], masks[::-1], strict=True):
        dy = (dy * mask) @ W.T
        gradients.append(np.sqrt(np.mean(dy**2)))
    return np.array(signals), np.array(gradients)
