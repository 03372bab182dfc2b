"""The map of the book: chapters as boxes, and what each builds on."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from figures.style import GREY, VALUE

Place = tuple[float, float]
CHAPTERS: dict[int, tuple[str, Place]] = {
    1: ("one neuron", (0, 3)),
    2: ("the affine map", (1, 3)),
    3: ("the chain rule", (2, 3)),
    4: ("activations", (3, 3.5)),
    5: ("losses", (3, 2.5)),
    6: ("softmax and\ncross-entropy", (0, 1.5)),
    7: ("a network in\nforty lines", (1, 1.5)),
    8: ("initialization", (2, 2.0)),
    9: ("optimizers", (2, 1.0)),
    10: ("overfitting", (3, 1.5)),
    11: ("normalisation", (0, 0)),
    12: ("the proof", (1, 0)),
    13: ("the compiled\nplan", (2, 0)),
    14: ("five networks\nfrom scratch", (3, 0)),
}
PARTS = {3: "one layer,\nforwards and\nbackwards", 1.5: "a network\nthat learns", 0: "looking\ndeeper"}
ARROWS = [(1, 2), (2, 3), (3, 4), (3, 5), (6, 7), (7, 8), (7, 9), (8, 10), (9, 10), (11, 12), (12, 13), (13, 14)]
WIDTH, HEIGHT = 0.78, 0.62


def picture() -> None:
    """Draw the map, one row for each part of the book."""
    _, ax = plt.subplots(figsize=(7.4, 4.4))
    for number, (title, (x, y)) in CHAPTERS.items():
        ax.add_patch(
            FancyBboxPatch(
                (x, y - HEIGHT / 2),
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.07",
                facecolor="white",
                edgecolor=VALUE,
                linewidth=1.6,
            )
        )
        ax.text(x + 0.04, y + HEIGHT / 2 - 0.05, str(number), ha="left", va="top", fontsize=8.5, color=VALUE)
        ax.text(x + WIDTH / 2, y - 0.02, title, ha="center", va="center", fontsize=9.5, linespacing=1.1)
    for start, end in ARROWS:
        (x0, y0), (x1, y1) = CHAPTERS[start][1], CHAPTERS[end][1]
        ax.add_patch(
            FancyArrowPatch(
                (x0 + WIDTH, y0),
                (x1, y1),
                arrowstyle="-|>",
                color=GREY,
                linewidth=1.2,
                mutation_scale=10,
                shrinkA=2,
                shrinkB=2,
            )
        )
    for y, words in PARTS.items():
        ax.text(-0.12, y, words, ha="right", va="center", fontsize=10, color=GREY)
    ax.set(xlim=(-0.85, 3.85), ylim=(-0.45, 3.95))
    ax.axis("off")
