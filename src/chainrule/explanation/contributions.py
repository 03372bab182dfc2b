"""What each column of a row contributed to the model's answer F, by integrated gradients.

    cᵢ = (xᵢ − x⁰ᵢ) ∫₀¹ ∂F/∂xᵢ(x⁰ + t (x − x⁰)) dt        Σᵢ cᵢ = F(x) − F(x⁰)

x⁰ is the baseline, a typical row. All in float64 on encoded rows, where the parts of a column, such as one-hots, an
indicator of missing values or the two coordinates of a month, are summed. A category with an embedding moves from the
vector of its typical value to its own.

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (2017), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..layers import Embedding, Workspace
from ..layers.columns import code_columns
from .outputs import Output, outputs_of
from .rows import WHO, as_rows
from .subjects import Subject
from .trace import Problem

POINTS, FEWEST_PIECES, MOST_PIECES = 8, 4, 512  # of Gauss and Legendre in each piece; of the path
ENOUGH, ALLOWED = 1e-3, 1e-2  # relative errors of the sum: what is aimed at, and what goes without saying
MOST_ROWS = 100


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each column contributed, and what it is measured from.

    Attributes
    ----------
    columns : tuple of str
        The C columns.
    values : array (N, C)
        The contributions to F(x) − F(x⁰), in the units of F.
    output : tuple of str
        What F is, for each of the N rows.
    end, start : arrays (N,)
        F of the row, and of the baseline.
    error : array (N,)
        |Σ c − (F(x) − F(x⁰))| / |F(x) − F(x⁰)|.
    cells, baseline : tuple of str
        What the first row and the baseline say in each column; ``origin`` says what the baseline is.
    importance : array (C,) or None
        Permutation importances, if there were several rows with their answers; ``measure`` says of what.
    """

    columns: tuple[str, ...]
    values: Array
    output: tuple[str, ...]
    end: Array
    start: Array
    error: Array
    cells: tuple[str, ...]
    baseline: tuple[str, ...]
    origin: str
    importance: Array | None = None
    measure: str = ""


class Between(Embedding):
    """The way from one row of the table to another, as a function of how far one is along it.

        y = E[k₀] + x (E[k₁] − E[k₀])

        dx = ⟨dy, E[k₁] − E[k₀]⟩

    It takes the place of an embedding whose code changes from k₀ to k₁.
    """

    ends: Sequence[int]

    def forward(self, x: Array, work: Workspace) -> Array:
        start, end = self.E[list(self.ends)]
        y: Array = start + x * (end - start)
        return y

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array:
        start, end = self.E[list(self.ends)]
        dx: Array = dy @ (end - start)
        return dx[:, None]


def contributions(model: Any, subject: Subject, baseline: Any, X: Any) -> Contributions | None:
    """Return the contributions to the answer for each row of an estimator; of a network alone there are none.

    Without a ``baseline``, several rows X are compared with the typical one of them.
    """
    rows = subject.rows
    if rows is None:
        return None
    if len(rows.x) > MOST_ROWS:
        raise ValueError(sentence(WHO, f"at most {MOST_ROWS} rows", f"{len(rows.x):,}", "pass some of them"))
    given = baseline if baseline is not None or len(rows.x) == 1 else X
    x0, said, origin = rows.baseline(given if given is None else as_rows(given))
    names, functions = zip(*outputs_of(model, subject.network.predict(rows.x)), strict=True)
    path = _Path(subject)
    found = [path.integral(of, x, x0) for of, x in zip(functions, rows.x.astype(np.float64), strict=True)]
    values, end, start, error = (np.array(part) for part in zip(*found, strict=True))
    cells = rows.cells()
    columns = tuple(cell.column for cell in cells)
    joined = np.stack([values[:, [name == one for name in rows.columns]].sum(axis=1) for one in columns], axis=1)
    values_of_cells = tuple(cell.value for cell in cells)
    return Contributions(columns, joined, names, end, start, error, values_of_cells, said, origin)


def compared(model: Any, found: Contributions | None, X: Any, y: Any) -> Contributions | None:
    """Add permutation importances, of several rows with their answers."""
    if found is None or y is None or len(found.values) < 2:
        return found
    from ..reporting.answers import ask
    from ..reporting.inputs import names_of
    from ..reporting.permutation import permutation

    answers = ask(model, X, y, None)
    names = names_of(answers.x) or list(found.columns)
    columns, falls = permutation(answers, names)
    sizes = dict(zip(columns, falls.mean(axis=1).tolist(), strict=True))
    measure = "fall of the accuracy" if answers.class_names else "rise of the RMSE"
    importance = np.array([sizes.get(name, np.nan) for name in found.columns])
    return replace(found, importance=importance, measure=f"{measure} when the column is shuffled")


def what(found: Contributions) -> str:
    """Return what the contributions add up to, of one row or of several."""
    return found.output[0] if len(set(found.output)) == 1 else "the log-odds of each row's predicted class"


def summed(found: Contributions) -> list[str]:
    """Return what there is to say about the sum, and about the numbers beside the contributions."""
    lines = []
    if len(found.values) == 1:
        start, total, end = (float(part) for part in (found.start[0], found.values.sum(), found.end[0]))
        lines.append(
            f"{start:.4g} at the baseline {'+' if total >= 0 else '−'} {abs(total):.4g} in sum = {end:.4g} here."
        )
    if found.importance is not None:
        lines.append(f"The second number is the permutation importance: the {found.measure}.")
    if (worst := float(found.error.max())) > ALLOWED:
        lines.append(f"The sum misses the difference by {worst:.1%}: the network bends too sharply on the way.")
    return lines


class _Path:
    """The network along straight lines, in float64."""

    def __init__(self, subject: Subject) -> None:
        self.problem = Problem(subject.network, subject.x[:1], training=False, dtype=np.float64)
        self.codes = dict(code_columns(self.problem.model.layers))
        for layer in self.codes.values():
            layer.__class__ = Between

    def integral(self, of: Output, x1: Array, x0: Array) -> tuple[Array, float, float, float]:
        """Return the contributions, F at both ends, and the error; the path is divided until that is small enough."""
        x0, x1 = x0.copy(), x1.copy()
        for column, layer in self.codes.items():
            vars(layer)["ends"] = [int(x0[column]), int(x1[column])]
            x0[column], x1[column] = 0.0, 1.0
        start, end = self._values(of, np.stack([x0, x1]))[0]
        pieces, error = FEWEST_PIECES, np.inf
        while error > ENOUGH and pieces <= MOST_PIECES:
            t, weights = _points(pieces)
            found = (x1 - x0) * (weights @ self._values(of, x0 + t[:, None] * (x1 - x0))[1])
            away = abs(found.sum() - (end - start))
            error = away / max(abs(end - start), 1e-9 * np.abs(found).sum(), 1e-300)
            pieces *= 2
        return found, end, start, float(error)

    def _values(self, of: Output, x: Array) -> tuple[Array, Array]:
        """F and ∂F/∂x at points x (M, I)."""
        self.problem.x = x
        value, dz = of(self.problem.outputs())
        return value, self.problem.gradient(dz)


def _points(pieces: int) -> tuple[Array, Array]:
    """The points and weights of Gauss and Legendre on equal pieces of [0, 1]."""
    t, weights = np.polynomial.legendre.leggauss(POINTS)
    places = (np.arange(pieces)[:, None] + (t + 1) / 2) / pieces
    return places.ravel(), np.tile(weights / 2 / pieces, pieces)
