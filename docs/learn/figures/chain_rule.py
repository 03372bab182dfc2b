"""Figures of chapter 3: a graph forwards and backwards, the paths of one weight, paths and edges, two sweeps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .graph import INK, LINE, arrow, canvas, node, note
from .style import GRADIENT, GREY, VALUE, WEIGHT

# L = c²/2, c = a + w, a = x·w, at x = 3 and w = 2
PLACES = {"x": (0.6, 1.9), "w": (0.6, 0.6), "a": (2.4, 1.9), "c": (4.1, 1.25), "L": (5.7, 1.25)}
EDGES = {("x", "a"): "w = 2", ("w", "a"): "x = 3", ("a", "c"): "1", ("w", "c"): "1", ("c", "L"): "c = 8"}
VALUES = {"x": "3", "w": "2", "a": "6", "c": "8", "L": "32"}
GRADIENTS = {"x": "16", "w": "8 + 24 = 32", "a": "8", "c": "8", "L": "1"}
MEANING = {"a": "x · w", "c": "a + w", "L": "c²/2"}


def _nodes(ax: Any) -> None:
    for name, at in PLACES.items():
        node(ax, at, name, WEIGHT if name == "w" else VALUE if name == "x" else INK, radius=0.28, size=13)


def forward() -> None:
    """The graph with the value of each node."""
    ax = canvas(6.4, 2.6)
    for start, end in EDGES:
        arrow(ax, PLACES[start], PLACES[end], gap=0.34)
    _nodes(ax)
    for name, value in VALUES.items():
        note(ax, (PLACES[name][0], PLACES[name][1] + 0.45), value, VALUE, size=13)
    for name, text in MEANING.items():
        note(ax, (PLACES[name][0], PLACES[name][1] - 0.45), text)


def edges() -> None:
    """The graph with a derivative on each edge, and the two paths from w to L."""
    ax = canvas(6.4, 2.6)
    for (start, end), text in EDGES.items():
        path = start != "x"
        arrow(
            ax,
            PLACES[start],
            PLACES[end],
            text,
            INK if path else LINE,
            INK if path else GREY,
            gap=0.34,
            width=1.8 if path else 1.2,
        )
    _nodes(ax)
    for height, path, product in ((0.45, "through a:", "3 · 1 · 8 = 24"), (0.15, "straight:", "1 · 8 =   8")):
        note(ax, (3.4, height), path, INK, size=11, ha="left")
        note(ax, (5.7, height), product, INK, size=11, ha="right")


def backward() -> None:
    """The backward sweep: each node's gradient, and the edge's derivative that multiplies it."""
    ax = canvas(6.4, 2.6)
    for (start, end), text in EDGES.items():
        arrow(ax, PLACES[end], PLACES[start], f"· {text[-1]}", GRADIENT, gap=0.34)
    _nodes(ax)
    for name, gradient in GRADIENTS.items():
        x, y = PLACES[name]
        at = (x + 0.35, y - 0.42) if name == "w" else (x, y - 0.45) if name == "L" else (x, y + 0.45)
        note(ax, at, f"d{name} = {gradient}", GRADIENT, size=12)


def ladder() -> None:
    """A chain of forks: the number of paths doubles at each, the number of edges grows by two."""
    ax = canvas(6.4, 1.7)
    stops = [(0.5 + 1.3 * k, 0.85) for k in range(5)]
    for k, (start, end) in enumerate(pairwise(stops)):
        for bend in (-0.35, 0.35):
            arrow(ax, start, end, bend=bend, gap=0.22, color=INK)
        note(ax, (end[0], 0.4), f"{2 ** (k + 1)} paths", INK, size=11)
        note(ax, (end[0], 1.3), f"{2 * (k + 1)} edges", GREY, size=11)
    for k, at in enumerate(stops):
        node(ax, at, "x" if k == 0 else "", INK, radius=0.2, size=11)


def sweeps() -> None:
    """What one sweep finds: forwards one column of derivatives, backwards all gradients of the loss."""
    ax = canvas(6.4, 2.9)
    for left, title, backwards in ((0.0, "one sweep forwards", False), (3.3, "one sweep backwards", True)):
        columns = [[(left + 0.4, 0.35 + 0.5 * i) for i in range(4)], [(left + 1.5, 0.6 + 0.5 * i) for i in range(3)]]
        columns.append([(left + 2.6, 1.1)])
        for layer, after in pairwise(columns):
            for i, a in enumerate(layer):
                for b in after:
                    lit = backwards or layer is not columns[0] or i == 3
                    color = (GRADIENT if backwards else VALUE) if lit else LINE
                    line = (b, a) if backwards else (a, b)
                    arrow(ax, *line, color=color, gap=0.14, width=1.3 if lit else 0.6)
        for layer in columns:
            for i, at in enumerate(layer):
                lit = backwards or layer is not columns[0] or i == 3
                color = (GRADIENT if backwards else VALUE) if lit else LINE
                node(ax, at, "", color, radius=0.12)
        note(ax, (left + 1.5, 2.65), title, GRADIENT if backwards else VALUE, size=12)
        note(ax, (left + 2.6, 0.78), "L")
    note(ax, (0.4, 2.15), "one weight", VALUE)
    note(ax, (3.7, 2.15), "every weight", GRADIENT)


def centre() -> None:
    """The graph of y = x − mean x: x has two paths."""
    ax = canvas(6.4, 1.8)
    x, m, y = (1.0, 0.7), (3.2, 1.35), (5.4, 0.7)
    arrow(ax, x, m, "÷ I, and add", LINE, INK, gap=0.36)
    arrow(ax, m, y, "copy, times −1", LINE, INK, gap=0.36)
    arrow(ax, x, y, "entry by entry, times 1", LINE, INK, gap=0.36, bend=0.18)
    node(ax, x, "x", VALUE, radius=0.3, size=14)
    node(ax, m, "m", INK, radius=0.3, size=14)
    node(ax, y, "y", INK, radius=0.3, size=14)
