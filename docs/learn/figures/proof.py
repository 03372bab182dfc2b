"""The figures of chapter 12: secants, the error against h, two routes to one number, blind ones, a kink."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from figures.style import GRADIENT, GREY, PINK, VALUE, YELLOW


def secants(h: float = 0.5) -> None:
    """Show x³ at 2 with its tangent, the secant to one side and the secant to both sides."""
    _, ax = plt.subplots(figsize=(6.4, 3.6))
    x = np.linspace(1.2, 2.8, 100)
    ax.plot(x, x**3, color=VALUE, linewidth=2)
    ax.text(1.22, 4.6, "$f(x)=x^3$", color=VALUE, fontsize=12, ha="left")
    lines = [
        (8.0, 12.0, GREY, "tangent: slope 12", (0, (4, 3)), 17.0),
        (8.0, ((2 + h) ** 3 - 8) / h, YELLOW, f"through $x$ and $x+h$: {((2 + h) ** 3 - 8) / h:.2f}", "solid", 20.6),
    ]
    for through, slope, color, text, style, height in lines:
        ax.plot(x, through + slope * (x - 2), color=color, linewidth=1.5, linestyle=style)
        ax.text(2.85, height, text, color=color, va="center", fontsize=10.5)
    slope = ((2 + h) ** 3 - (2 - h) ** 3) / (2 * h)
    ax.plot(x, (2 + h) ** 3 + slope * (x - 2 - h), color=GRADIENT, linewidth=1.8)
    ax.text(2.85, 18.8, f"through $x-h$ and $x+h$: {slope:.2f}", color=GRADIENT, va="center", fontsize=10.5)
    places = np.array([2 - h, 2.0, 2 + h])
    ax.scatter(places, places**3, color=VALUE, zorder=3, s=36)
    ax.set_xticks(places, ["$x-h$", "$x$", "$x+h$"], fontsize=12)
    ax.set(xlim=(1.2, 3.9), ylim=(0, 22), yticks=[0, 10, 20])
    ax.spines["bottom"].set_bounds(1.2, 2.8)


def error_against_h() -> None:
    """Show the relative error of three differences of sin at 1, for h from 1 to 1e-14."""
    h = np.logspace(0, -14, 281)
    right = np.cos(1.0)

    def central(h: np.ndarray) -> np.ndarray:
        return (np.sin(1 + h) - np.sin(1 - h)) / (2 * h)

    curves = {
        "one-sided": ((np.sin(1 + h) - np.sin(1)) / h, YELLOW, (1e-4, 6e-3), "error ∝ h"),
        "central": (central(h), GRADIENT, (4e-4, 4e-6), "error ∝ h²"),
        "extrapolated": ((4 * central(h / 2) - central(h)) / 3, PINK, (1.6e-3, 1.2e-9), "error ∝ h⁴"),
    }
    _, ax = plt.subplots(figsize=(7.0, 4.0))
    for name, (value, color, place, law) in curves.items():
        error = np.abs(value / right - 1)
        ax.loglog(h, np.where(error > 0, error, np.nan), color=color, linewidth=1.3)
        ax.text(*place, f"{name}\n{law}", color=color, fontsize=9.5, ha="center", va="center", linespacing=1.1)
    ax.axvline(1e-5, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    ax.text(7e-6, 2e-15, "chainrule's $h$", color=GREY, fontsize=10, ha="left", va="bottom")
    ax.text(3e-10, 3e-3, "rounding:\nerror ∝ 1/h", color=GREY, fontsize=9.5, ha="center", va="center")
    ax.set(xlabel="$h$", ylabel="relative error", xlim=(1, 1e-14), ylim=(1e-15, 3))
    ax.set_xticks([10.0**k for k in range(0, -15, -2)])
    ax.minorticks_off()


def box(ax: Axes, place: tuple[float, float], text: str, color: str) -> None:
    """Draw a step of a route as a rounded box."""
    ax.add_patch(
        FancyBboxPatch(
            (place[0] - 1.75, place[1] - 0.38),
            3.5,
            0.76,
            boxstyle="round,pad=0.04,rounding_size=0.16",
            facecolor="white",
            edgecolor=color,
            linewidth=1.6,
        )
    )
    ax.text(*place, text, ha="center", va="center", fontsize=10.5, color=color)


def arrow(ax: Axes, start: Any, end: Any, color: str, width: float = 1.6) -> None:
    """Draw an arrow."""
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", color=color, linewidth=width, mutation_scale=13, shrinkA=0, shrinkB=0
        )
    )


def two_routes() -> None:
    """Show both routes from v and w to one number, with the numbers of the example."""
    _, ax = plt.subplots(figsize=(7.2, 2.4))
    rows = [
        (1.0, VALUE, "$v=(1,-1)$", "forward, by differences", "$Jv=(1,0)$", r"$\cdot\,w$"),
        (-1.0, GRADIENT, "$w=(2,5)$", "backward", r"$J^{\mathsf{T}}w=(11,9)$", r"$\cdot\,v$"),
    ]
    for y, color, start, step, end, dot in rows:
        ax.text(0.0, y, start, ha="center", va="center", fontsize=13, color=color)
        arrow(ax, (0.95, y), (1.85, y), color)
        box(ax, (3.7, y), step, color)
        arrow(ax, (5.55, y), (6.35, y), color)
        ax.text(7.75, y, end, ha="center", va="center", fontsize=13, color=color)
        arrow(ax, (9.05, 0.72 * y), (10.15, 0.26 * y), color)
        ax.text(9.85, 0.62 * y, dot, ha="left", va="center", fontsize=13, color=color)
    ax.scatter(10.6, 0, s=900, facecolor="white", edgecolor="black", linewidth=1.4, zorder=3)
    ax.text(10.6, 0, "2", ha="center", va="center", fontsize=15, zorder=4)
    ax.set(xlim=(-1.1, 11.4), ylim=(-1.5, 1.5))
    ax.axis("off")


def blind_ones() -> None:
    """Show that the outputs of a softmax move along a line, at a right angle to (1, 1)."""
    _, ax = plt.subplots(figsize=(5.6, 3.9))
    ax.plot([0, 1], [1, 0], color=GREY, linewidth=1.2)
    ax.text(1.03, 0.03, "all outputs of a softmax:\n$y_1+y_2=1$", color=GREY, fontsize=10, ha="left", va="bottom")
    y = np.array([0.6, 0.4])
    ax.scatter(*y, color=VALUE, s=42, zorder=4)
    ax.text(y[0] - 0.03, y[1] - 0.03, "$y$", color=VALUE, fontsize=14, ha="right", va="top")
    arrow(ax, y, np.add(y, (-0.3, 0.3)), VALUE, 2.2)
    ax.text(0.31, 0.61, "$Jv$", color=VALUE, fontsize=13, ha="right", va="top")
    arrow(ax, y, np.add(y, (0.33, 0.33)), GREY, 2.0)
    ax.text(
        0.95, 0.74, "$w=(1,1)$ sees nothing:\n" + r"$\langle w, Jv\rangle = 0$", color=GREY, fontsize=10.5, va="center"
    )
    arrow(ax, y, np.add(y, (-0.12, 0.46)), GRADIENT, 2.0)
    ax.text(0.5, 0.94, "a random $w$ sees $Jv$", color=GRADIENT, fontsize=10.5, ha="left", va="center")
    ax.set(xlim=(0, 1.75), ylim=(0, 1.05), aspect="equal", xlabel="$y_1$", ylabel="$y_2$", xticks=[0, 1], yticks=[0, 1])
    ax.spines["bottom"].set_bounds(0, 1.0)


def kink() -> None:
    """Show a ReLU whose kink lies between x − h and x + h: the secant has the mean of two slopes."""
    _, ax = plt.subplots(figsize=(6.0, 3.0))
    x = np.array([-1.6, 0.0, 1.9])
    ax.plot(x, np.maximum(x, 0), color=VALUE, linewidth=2)
    ax.text(1.75, 1.95, "ReLU", color=VALUE, fontsize=10.5, ha="right")
    places = np.array([-0.8, 0.2, 1.2])
    heights = np.maximum(places, 0)
    ax.plot(places[[0, 2]], heights[[0, 2]], color=GRADIENT, linewidth=1.8)
    ax.scatter(places, heights, color=VALUE, zorder=3, s=36)
    ax.text(-0.35, 0.42, "slope 0.6", color=GRADIENT, fontsize=10.5, ha="right")
    ax.text(0.42, 0.18, "true slope at $x$: 1", color=GREY, fontsize=10.5, ha="left", va="center")
    ax.set_xticks(places, ["$x-h$", "$x$", "$x+h$"], fontsize=12)
    ax.set(yticks=[0, 1], ylim=(-0.12, 2.1), xlim=(-1.7, 2.1))
