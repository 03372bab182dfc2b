"""Figures of chapter 4: what folds make of lines, six activations with their slopes, gradients in many layers."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr
from chainrule import ops

from .graph import INK, LINE
from .style import GRADIENT, GREY, VALUE


def _bare(ax: Any, title: str) -> None:
    ax.set_title(title, fontsize=10.5, color=INK)
    ax.axhline(0, color=LINE, linewidth=0.7, zorder=0)
    ax.axvline(0, color=LINE, linewidth=0.7, zorder=0)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)


def folds() -> None:
    """Units without an activation add up to a line; rectifiers add up to a fold, and to a bump."""
    x = np.linspace(-2, 2, 401)
    cases = {
        "three lines: a line": [0.9 * x + 0.5, -1.3 * x + 0.2, 0.9 * x - 0.3],
        "two ReLUs: a fold": [ops.relu(x), ops.relu(-x)],
        "three ReLUs: a bump": [ops.relu(x + 1), -2 * ops.relu(x), ops.relu(x - 1)],
    }
    _, axes = plt.subplots(1, 3, figsize=(5.9, 2.0))
    for ax, (title, units) in zip(axes, cases.items(), strict=True):
        for unit in units:
            ax.plot(x, unit, color=GREY, linewidth=1, alpha=0.7)
        ax.plot(x, sum(units), color=VALUE, linewidth=2.5)
        ax.set_ylim(-2.2, 2.2)
        _bare(ax, title)


def gallery() -> None:
    """Six activations in blue, their slopes in orange; grey where the slope stays below 0.05."""
    x = np.linspace(-6, 6, 601)
    one = np.ones_like(x)
    cases = {
        "sigmoid": (ops.sigmoid(x), ops.sigmoid_backward(one, ops.sigmoid(x))),
        "tanh": (ops.tanh(x), ops.tanh_backward(one, ops.tanh(x))),
        "relu": (ops.relu(x), ops.relu_backward(one, ops.relu(x))),
        "leaky relu": (ops.leaky_relu(x, 0.1), ops.leaky_relu_backward(one, ops.leaky_relu(x, 0.1), 0.1)),
        "elu": (ops.elu(x), ops.elu_backward(one, ops.elu(x))),
        "gelu": (ops.gelu(x), ops.gelu_backward(one, x)),
    }
    _, axes = plt.subplots(2, 3, figsize=(5.9, 3.7), sharex=True, sharey=True)
    for ax, (title, (y, slope)) in zip(axes.flat, cases.items(), strict=True):
        flat = (np.abs(slope) < 0.05) & (np.abs(np.gradient(slope, x)) < 0.2)
        ax.fill_between(x, -1.3, 2.6, where=flat, color=LINE, alpha=0.25, linewidth=0)
        ax.plot(x, y, color=VALUE, linewidth=2)
        ax.plot(x, slope, color=GRADIENT, linewidth=1.6)
        ax.set(ylim=(-1.3, 2.6), xlim=(-6, 6))
        _bare(ax, title)
        ax.set(xticks=[-5, 0, 5], yticks=[-1, 0, 1, 2])
        ax.tick_params(length=0, labelsize=8.5, colors=GREY)
    axes[0, 0].text(5.8, 1.22, "value", color=VALUE, ha="right", fontsize=9.5)
    axes[0, 0].text(1.6, 0.32, "slope", color=GRADIENT, fontsize=9.5)


def vanishing() -> None:
    """The size of the gradient of each layer's weights, in a network of 16 layers, for three activations."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((128, 32)), rng.standard_normal((128, 32))
    _, ax = plt.subplots(figsize=(5.6, 2.9))
    for activation, marker in (("sigmoid", "o-"), ("tanh", "s-"), ("relu", "^-")):
        model = cr.MLP([32] * 17, activation=activation, rng=0, dtype="float64")
        _, dy = cr.SquaredError()(model.forward(x, training=True), t)
        model.backward(dy)
        sizes = [np.linalg.norm(array) for name, array in model.gradients.items() if name.endswith("W")]
        ax.semilogy(range(1, 17), sizes, marker, color=GRADIENT, markersize=4)
        ax.text(0.6, sizes[0], activation, color=INK, va="center", ha="right")
    ax.set(xlabel="layer", ylabel="size of dW", xlim=(-1.6, 16.5), xticks=[1, 4, 8, 12, 16])
    ax.grid(axis="y", color=LINE, alpha=0.35, linewidth=0.6)
