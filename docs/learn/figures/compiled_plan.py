"""The figures of chapter 13: times of a step, passes over memory, kept arrays, Python's part, two threads."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle
from threadpoolctl import threadpool_limits

from figures.style import GRADIENT, GREY, SKY, VALUE, YELLOW

ON = {VALUE: "white", GREY: "white", SKY: "black"}  # the colour of words on a block


def shortest(function: Callable[[], Any], repeats: int = 5) -> float:
    """Return the seconds that one thread computes for the fastest of a few calls: what disturbs one makes it slower.

    The clock is that of the process, which stands still while other programs have the processor.
    """
    times = []
    os.environ["CHAINRULE_NUM_THREADS"] = "1"
    with threadpool_limits(1):
        for _ in range(repeats):
            start = time.process_time()
            function()
            times.append(time.process_time() - start)
    del os.environ["CHAINRULE_NUM_THREADS"]
    return min(times)


def times_of_a_step(measured: dict[str, dict[str, float]]) -> None:
    """Show the microseconds of a step as dots: the arithmetic alone, as a plan, operation by operation."""
    colors = {"arithmetic alone": GREY, "as a plan": VALUE, "operation by operation": YELLOW}
    sides = {
        "arithmetic alone": ("right", 0.22),
        "as a plan": ("center", 0.52),
        "operation by operation": ("left", 0.22),
    }
    _, ax = plt.subplots(figsize=(7.0, 2.4))
    for y, times in enumerate(measured.values()):
        ax.plot([min(times.values()), max(times.values())], [-y, -y], color=GREY, linewidth=0.8, zorder=1)
        for name, seconds in times.items():
            ax.scatter(1e6 * seconds, -y, s=70, color=colors[name], zorder=3)
            if y == 0:
                side, height = sides[name]
                ax.text(1e6 * seconds, height, name, color=colors[name], ha=side, va="bottom", fontsize=10)
    ax.set_yticks([-y for y in range(len(measured))], list(measured), fontsize=10.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    everything = [1e6 * seconds for times in measured.values() for seconds in times.values()]
    ax.set(
        xscale="log",
        xlabel="microseconds of a training step",
        ylim=(-len(measured) + 0.5, 1.0),
        xlim=(min(everything) / 10, max(everything) * 10),
    )


def block(
    ax: Axes, place: tuple[float, float], size: tuple[float, float], color: str, text: str = "", **style: Any
) -> None:
    """Draw a rectangle with a word in it."""
    style = {"alpha": 0.9, "edgecolor": "white", "linewidth": 0.8} | style
    ax.add_patch(Rectangle(place, *size, facecolor=color, **style))
    if text:
        middle = place[0] + size[0] / 2, place[1] + size[1] / 2
        ax.text(*middle, text, ha="center", va="center", fontsize=10, color=ON[color])


def arrow(ax: Axes, start: Any, end: Any, color: str = GREY) -> None:
    """Draw an arrow."""
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", color=color, linewidth=1.3, mutation_scale=10, shrinkA=0, shrinkB=0
        )
    )


def passes() -> None:
    """Show how often the output moves between memory and processor: three operations, or one loop."""
    _, ax = plt.subplots(figsize=(7.2, 2.9))
    names = ["$xW$", "$+\\,b$", "$\\max(\\cdot, 0)$"]
    for left, fused in ((0.0, False), (8.6, True)):
        width = 7.0 if not fused else 3.6
        block(ax, (left, 0.0), (width, 0.62), GREY, "memory")
        if fused:
            block(ax, (left, 1.8), (width, 0.75), VALUE, "all three in registers")
            arrow(ax, (left + width / 2, 1.74), (left + width / 2, 0.68), VALUE)
            ax.text(left + width / 2 + 0.15, 1.2, "1", color=VALUE, fontsize=11, va="center")
            continue
        count = 0
        for k, name in enumerate(names):
            x = left + 2.4 * k
            block(ax, (x, 1.8), (2.2, 0.75), VALUE, name)
            for down in (True,) if k == 0 else (False, True):
                count += 1
                at = x + (1.1 if k == 0 else 0.6 if not down else 1.6)
                arrow(ax, (at, 1.74 if down else 0.68), (at, 0.68 if down else 1.74), VALUE)
                ax.text(at + 0.13, 1.2, str(count), color=VALUE, fontsize=11, va="center")
    ax.text(3.5, 2.85, "three operations: 5 transfers of $y$", ha="center", fontsize=10.5, color="black")
    ax.text(10.4, 2.85, "one loop: 1 transfer", ha="center", fontsize=10.5, color="black")
    ax.set(xlim=(-0.2, 12.5), ylim=(-0.15, 3.3))
    ax.axis("off")


def kept_arrays() -> None:
    """Show which arrays wait for the backward pass: ReLU's output replaces its input, GELU's does not."""
    _, ax = plt.subplots(figsize=(7.0, 2.3))
    for top, name, arrays in (
        (1.25, "ReLU", [("x", SKY), ("z, then y", VALUE)]),
        (0.0, "GELU", [("x", SKY), ("z", VALUE), ("y", VALUE)]),
    ):
        ax.text(-0.3, top + 0.4, name, ha="right", va="center", fontsize=11)
        for k, (text, color) in enumerate(arrays):
            block(ax, (2.5 * k, top), (2.3, 0.8), color, text)
    ax.text(
        5.2, 1.65, r"$\mathrm{d}z = \mathrm{d}y\cdot[y > 0]$ needs $y$ alone", va="center", fontsize=11, color=GRADIENT
    )
    ax.text(
        7.7, 0.4, r"$\mathrm{d}z = \mathrm{d}y\cdot g^{\prime}(z)$ needs $z$", va="center", fontsize=11, color=GRADIENT
    )
    ax.set(xlim=(-1.5, 11.7), ylim=(-0.2, 2.2))
    ax.axis("off")


def timeline() -> None:
    """Show the interpreter between the operations of one step, and a plan of many steps in one call."""
    _, ax = plt.subplots(figsize=(7.2, 2.4))
    at = 0.0
    for _ in range(12):
        block(ax, (at, 1.2), (0.62, 0.6), GREY, alpha=0.45)
        block(ax, (at + 0.62, 1.2), (0.2, 0.6), VALUE)
        at += 0.84
    block(ax, (0, 0.0), (0.62, 0.6), GREY, alpha=0.45)
    for k in range(5):
        block(ax, (0.64 + 1.8 * k, 0.0), (1.78, 0.6), VALUE, f"step {k + 1}")
    ax.text(0.64 + 9.1, 0.3, "…", fontsize=15, va="center", color=VALUE)
    ax.text(0.0, 1.95, "operation by operation: one step", fontsize=10.5, va="bottom")
    ax.text(0.0, 0.75, "as a plan: many steps", fontsize=10.5, va="bottom")
    ax.text(10.0, 2.1, "interpreter", color=GREY, fontsize=10, ha="right", va="center")
    ax.text(10.15, 2.1, "arithmetic", color=VALUE, fontsize=10, ha="left", va="center")
    ax.set(xlim=(-0.1, 11.4), ylim=(-0.15, 2.4))
    ax.axis("off")


def two_halves() -> None:
    """Show a step of two threads: each its rows through all layers, then each its weights over all rows."""
    _, ax = plt.subplots(figsize=(7.2, 3.0))
    colors, words = [VALUE, SKY], ["thread 1", "thread 2"]
    for k, (color, word) in enumerate(zip(colors, words, strict=True)):
        y = 1.05 * (1 - k)
        block(ax, (0.0, y), (4.2, 0.95), color, f"{word}: its half of the rows")
        ax.text(2.1, y + 0.16, "forward · loss · backward", ha="center", va="center", fontsize=8.5, color=ON[color])
        block(ax, (5.0, y), (4.2, 0.95), color, f"{word}: its half of the weights")
        ax.text(
            7.1, y + 0.16, "gradient over all rows · update", ha="center", va="center", fontsize=8.5, color=ON[color]
        )
    for x in (4.6, 9.6):
        ax.plot([x, x], [-0.12, 2.12], color="black", linewidth=2.5)
        ax.text(x, 2.2, "they meet", fontsize=10, ha="center", va="bottom")
    ax.text(4.2, -0.25, "each row is computed by one thread", ha="right", va="top", fontsize=10, color=GREY)
    ax.text(9.2, -0.25, "each weight is summed by one thread", ha="right", va="top", fontsize=10, color=GREY)
    ax.set(xlim=(-0.2, 10.4), ylim=(-0.65, 2.6))
    ax.axis("off")


def bytes_of(function: Callable[[], Any]) -> int:
    """Return the most bytes that NumPy and Python allocate during a call."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
