"""Points in the plane for the playground: x (N, 2) within −3 … 3, y labels (N,) or numbers (N, 1)."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._support.checks import Array, check_finite, check_integer, check_name, check_number, require, sentence
from ..data.batches import split_rows
from ..data.named import load_named

#: x₁ and x₂ lie between −DOMAIN and DOMAIN, give or take the noise.
DOMAIN = 3.0
FEWEST, MOST_ROWS, MOST_CLASSES = 10, 2000, 10


class Points(NamedTuple):
    """Training and test points."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array


@dataclass(frozen=True)
class Kind:
    """A kind of data: its title, its number of classes (0 for a regression) and what draws n points without noise."""

    title: str
    classes: int
    draw: Callable[[int, np.random.Generator], tuple[Array, Array]]


def _polar(radius: Array, angle: Array) -> Array:
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _spirals(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    y, t = np.arange(n) % 2, rng.uniform(0.05, 1, n)
    return _polar(2.8 * t, 3 * np.pi * t + np.pi * y), y


def _moons(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    y, angle = np.arange(n) % 2, rng.uniform(0, np.pi, n)
    side = 1 - 2 * y
    return _polar(np.full(n, 1.7), angle) * side[:, None] + np.column_stack([-0.85 * side, -0.4 * side]), y


def _circles(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    y, angle = np.arange(n) % 2, rng.uniform(-np.pi, np.pi, n)
    return _polar(np.where(y, np.sqrt(rng.uniform(0, 1.5, n)), rng.uniform(2, 2.8, n)), angle), y


def _gaussians(classes: int) -> Callable[[int, np.random.Generator], tuple[Array, Array]]:
    def draw(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        y = np.arange(n) % classes
        centre = _polar(np.full(n, 1.7), 2 * np.pi * y / classes + np.pi / 4)
        return np.clip(centre + rng.normal(0, 0.5, (n, 2)), -DOMAIN, DOMAIN), y

    return draw


def _xor(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    x = rng.uniform(0.15, 2.8, (n, 2)) * rng.choice([-1, 1], (n, 2))
    return x, (x[:, 0] * x[:, 1] < 0).astype(int)


def _surface(height: Callable[[Array, Array], Array]) -> Callable[[int, np.random.Generator], tuple[Array, Array]]:
    def draw(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.uniform(-DOMAIN, DOMAIN, (n, 2))
        return x, height(x[:, 0], x[:, 1])[:, None]

    return draw


KINDS = {
    "spirals": Kind("Two spirals", 2, _spirals),
    "moons": Kind("Two moons", 2, _moons),
    "circles": Kind("Two circles", 2, _circles),
    "gaussians": Kind("Two Gaussians", 2, _gaussians(2)),
    "xor": Kind("Exclusive or", 2, _xor),
    "blobs": Kind("Four Gaussians", 4, _gaussians(4)),
    "plane": Kind("Plane", 0, _surface(lambda a, b: (a + b) / 6)),
    "saddle": Kind("Saddle", 0, _surface(lambda a, b: a * b / 9)),
    "ripples": Kind("Ripples", 0, _surface(lambda a, b: np.cos(2 * np.hypot(a, b)))),
}


def points(kind: str, n: int = 500, *, noise: float = 0.1, test_share: float = 0.5, seed: int = 0) -> Points:
    """Draw n points of one of ``KINDS``, or ``"digits"``, and hold out a share of them for testing.

    ``noise`` is the standard deviation of what is added to x, or to y for a regression surface; digits have none.
    """
    check_name("points", "a kind of data", kind, [*KINDS, "digits"])
    n = check_rows("points", "n", n)
    noise = check_number("points", "noise", noise, minimum=0, maximum=2)
    rng = np.random.default_rng(check_integer("points", "seed", seed, minimum=0))
    if kind == "digits":
        return held_out(*_digits(n, rng), test_share, rng)
    x, y = KINDS[kind].draw(n, rng)
    disturbed = x if KINDS[kind].classes else y
    disturbed += noise * rng.normal(size=disturbed.shape)
    return held_out(x, y, test_share, rng)


def class_names(kind: str) -> list[str]:
    """Names of the classes of a kind of data; none for a regression."""
    return [str(label) for label in range(10 if kind == "digits" else KINDS[kind].classes)]


def check_rows(who: str, name: str, rows: int) -> int:
    """Return the number of points if a page can show so many."""
    return int(check_number(who, name, check_integer(who, name, rows, FEWEST), maximum=MOST_ROWS))


def held_out(x: Array, y: Array, share: float, rng: np.random.Generator) -> Points:
    """Hold out a share of the points, the same of each class."""
    kept, aside = split_rows(y, share, rng, stratify=y.ndim == 1)
    return Points(x[kept], y[kept], x[aside], y[aside])


def _digits(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """n of the 8 × 8 handwritten digits, their grey values in 0 … 1."""
    found = load_named("digits")
    x, y = np.concatenate([found.x, found.x_test]).astype(np.float64), np.concatenate([found.y, found.y_test])
    chosen = rng.permutation(len(x))[:n]
    return x[chosen], y[chosen]


def table_columns(text: str) -> dict[str, Array]:
    """Read the columns of a table (CSV or similar): numbers as float64, everything else as text."""
    require("pyarrow", "tabular", "a table")
    from ..tabular.reading import read_table

    table = read_table(io.BytesIO(text.encode(errors="replace")))
    columns = {name: np.asarray(table[name].to_list()) for name in table}
    return {name: a.astype(np.float64) if a.dtype.kind in "fiub" else a.astype(str) for name, a in columns.items()}


def table_points(
    columns: dict[str, Array], x: Any, y: Any, n: int = 500, *, test_share: float = 0.5, seed: int = 0
) -> tuple[Points, list[str]]:
    """Make points of two columns of numbers, standardised, and a target; return them with the names of the classes.

    Text, and whole numbers of at most 10 values, are classes; other targets are standardised. If there are more than n
    rows, n are drawn.
    """
    if not columns:
        raise ValueError(sentence("points", "a table", "none", "open one first"))
    if not isinstance(x, (list, tuple)) or len(x) != 2:
        raise ValueError(sentence("points", "two columns for x₁ and x₂", repr(x)[:80]))
    for name in (*x, y):
        check_name("points", "a column", name, columns)
    rng = np.random.default_rng(check_integer("points", "seed", seed, minimum=0))
    rows = rng.permutation(len(columns[y]))[: check_rows("points", "n", n)]
    check_rows("points", "rows of the table", len(rows))
    both = np.column_stack([_standardized(name, columns[name][rows]) for name in x])
    target = columns[y][rows]
    found, labels = np.unique(target, return_inverse=True)
    if target.dtype.kind == "f" and (len(found) > MOST_CLASSES or (found != np.rint(found)).any()):
        return held_out(both, _standardized(y, target)[:, None], test_share, rng), []
    if not 2 <= len(found) <= MOST_CLASSES:
        raise ValueError(sentence("points", f"2 to {MOST_CLASSES} classes in column {y!r}", str(len(found))))
    names = [f"{value:g}" if target.dtype.kind == "f" else str(value) for value in found]
    return held_out(both, labels, test_share, rng), names


def _standardized(name: str, column: Array) -> Array:
    """(x − mean) / standard deviation."""
    if column.dtype.kind != "f":
        raise ValueError(sentence("points", f"numbers in column {name!r}", repr(str(column[0])), "choose another"))
    check_finite("points", f"column {name!r}", column)
    deviation = column.std()
    if not deviation > 0:
        raise ValueError(sentence("points", f"numbers that differ in column {name!r}", "a constant"))
    scaled: Array = (column - column.mean()) / deviation
    return scaled
