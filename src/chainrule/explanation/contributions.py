"""What each column of a row contributed to the model's answer F, by integrated gradients.

    cᵢ = (xᵢ − x⁰ᵢ) ∫₀¹ ∂F/∂xᵢ(x⁰ + t (x − x⁰)) dt        Σᵢ cᵢ = F(x) − F(x⁰)

x⁰ is the baseline, a typical row. All in float64 on encoded rows, where the parts of a column, such as one-hots, an
indicator of missing values or the two coordinates of a month, are summed. A category with an embedding moves from the
vector of its typical value to its own.

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (2017), section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .._support.checks import Array
from ..layers import Embedding, Workspace
from ..layers.columns import code_columns
from ..losses import PoissonNLL
from ..ops import softmax
from .subjects import Subject, as_rows
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
        The contributions to F(x) − F(x⁰), in the units of F, for each of N rows: all, or 100 evenly spaced ones.
    output : tuple of str
        What F is, for each of the N rows.
    end, start : arrays (N,)
        F of the row, and of the baseline.
    error : array (N,)
        |Σ c − (F(x) − F(x⁰))| / |F(x) − F(x⁰)|.
    rows : array (N,)
        Which rows these are.
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
    rows: Array
    cells: tuple[str, ...]
    baseline: tuple[str, ...]
    origin: str
    importance: Array | None = None
    measure: str = ""

    @property
    def sizes(self) -> Array:
        """The contributions (C,) of a single row; of several rows, their mean magnitudes."""
        sizes: Array = self.values[0] if len(self.values) == 1 else np.abs(self.values).mean(axis=0)
        return sizes

    @property
    def order(self) -> list[int]:
        """The columns, the largest contribution first."""
        order: list[int] = np.argsort(-np.abs(self.sizes), kind="stable").tolist()
        return order

    @property
    def heading(self) -> str:
        """What the numbers are."""
        several = "the log-odds of the class predicted for each row"
        of = self.output[0] if len(set(self.output)) == 1 else several
        return f"{'mean size of ' * (len(self.values) > 1)}what each column contributed to {of}"

    @property
    def notes(self) -> list[str]:
        """What there is to say about the baseline, the sum, and the numbers beside the contributions."""
        notes = [f"compared with {self.origin}"]
        if len(self.values) == 1:
            start, total, end = (float(part) for part in (self.start[0], self.values.sum(), self.end[0]))
            notes.append(f"{start:.4g} there {'−+'[total >= 0]} {abs(total):.4g} in sum = {end:.4g} here")
        if self.importance is not None:
            notes.append(f"second number: importance by permutation, the {self.measure}")
        if (worst := float(self.error.max())) > ALLOWED:
            notes.append(f"the sum misses the difference by {worst:.1%}: the network bends too sharply on the way")
        return notes


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


def contributions(model: Any, subject: Subject, baseline: Any, X: Any, y: Any) -> Contributions | None:
    """Return the contributions to the answer for rows of an estimator; of a network alone there are none.

    Without a ``baseline``, several rows X are compared with the typical one of them; with y, they have importances.
    """
    rows = subject.rows
    if rows is None:
        return None
    several = len(rows.x) > 1
    given = X if baseline is None and several else baseline
    x0, said, origin = rows.baseline(given if given is None else as_rows(given))
    chosen = np.unique(np.linspace(0, len(rows.x) - 1, MOST_ROWS).astype(np.intp))
    names, functions = zip(*outputs_of(model, subject.network.predict(rows.x[chosen])), strict=True)
    path = _Path(subject)
    found = [path.integral(of, x, x0) for of, x in zip(functions, rows.x[chosen].astype(np.float64), strict=True)]
    values, end, start, error = (np.array(part) for part in zip(*found, strict=True))
    cells = rows.cells()
    columns = tuple(cell.column for cell in cells)
    joined = np.stack([values[:, [name == one for name in rows.columns]].sum(axis=1) for one in columns], axis=1)
    first = tuple(cell.value for cell in cells)
    alone = several and y is not None and np.ndim(model.predict(X)) == 1  # importances are those of one answer
    beside = _importance(model, columns, X, y) if alone else (None, "")
    return Contributions(columns, joined, names, end, start, error, chosen, first, said, origin, *beside)


def _importance(model: Any, columns: Sequence[str], X: Any, y: Any) -> tuple[Array, str]:
    """Return permutation importances of the columns, and what they measure."""
    from ..reporting.answers import ask, names_of
    from ..reporting.tables import permutation

    answers = ask(model, X, y, None)
    names, falls = permutation(answers, names_of(answers.x) or columns)
    sizes = dict(zip(names, falls.mean(axis=1).tolist(), strict=True))
    measure = "fall of the accuracy" if answers.class_names else "rise of the RMSE"
    return np.array([sizes.get(name, np.nan) for name in columns]), f"{measure} when the column is shuffled"


class _Path:
    """The network along straight lines, in float64."""

    def __init__(self, subject: Subject) -> None:
        self.problem = Problem(subject.network, subject.x[:1], training=False, dtype=np.float64)
        self.codes = list(code_columns(self.problem.model.layers))
        for _, layer in self.codes:
            layer.__class__ = Between

    def integral(self, of: Output, x1: Array, x0: Array) -> tuple[Array, float, float, float]:
        """Return the contributions, F at both ends, and the error; the path is divided until that is small enough."""
        x0, x1 = x0.copy(), x1.copy()
        for column, layer in self.codes:
            vars(layer)["ends"] = [int(x0[column]), int(x1[column])]
        for column, _ in self.codes:  # which several members may read
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


# --- F -------------------------------------------------------------------------------------------------------------


#: From the outputs z (M, K) of the network to F (M,), the log-odds of a class or a number, and its gradient dz (M, K).
Output = Callable[[Array], tuple[Array, Array]]


def outputs_of(model: Any, z: Array) -> list[tuple[str, Output]]:
    """Return, for each row of the estimator's network outputs z (N, K), what is explained, in words, and its function.

    Of a classifier it is log p/(1 − p) of the class that is predicted for the row; of several targets, the first; of
    quantiles, the one nearest to the median.
    """
    if not hasattr(model, "classes_"):
        return [("the predicted number", _number_of(model))] * len(z)
    if z.shape[1] == 1:
        signs = np.where(z[:, 0] > 0, 1.0, -1.0)
        names = (model.classes_[-1 if sign > 0 else 0] for sign in signs)
        return [(f"the log-odds of {name!s}", partial(_signed, sign)) for name, sign in zip(names, signs, strict=True)]
    log_odds = _of_label if model._multilabel else _of_class
    return [(f"the log-odds of {model.classes_[place]!s}", partial(log_odds, place)) for place in z.argmax(axis=1)]


def _signed(sign: float, z: Array) -> tuple[Array, Array]:
    return sign * z[:, 0], np.full_like(z, sign)


def _of_label(place: int, z: Array) -> tuple[Array, Array]:
    return z[:, place], np.tile(np.eye(z.shape[1])[place], (len(z), 1))


def _of_class(place: int, z: Array) -> tuple[Array, Array]:
    """log pₖ/(1 − pₖ) = zₖ − log Σ exp zⱼ over the other classes j."""
    others = np.delete(z, place, axis=1)
    largest = others.max(axis=1, keepdims=True)
    rest = largest[:, 0] + np.log(np.exp(others - largest).sum(axis=1))
    return z[:, place] - rest, np.insert(-softmax(others), place, 1.0, axis=1)


def _number_of(model: Any) -> Output:
    """The number in the units of y, before a table's regressor keeps it within the range of training."""
    loss = model._loss()[0] if callable(model._loss) and hasattr(model, "encoder_") else model._loss
    levels = np.array(getattr(loss, "levels", (0.5,)))
    place = int(np.argmin(np.abs(levels - 0.5)))
    if hasattr(model, "encoder_"):
        spread, mean = model.scale_[0], model.mean_[0]
    else:
        scaler = model.target_scaler_
        spread, mean = (1.0, 0.0) if scaler is None else (scaler.scale_[0], scaler.mean_[0])

    def number(z: Array) -> tuple[Array, Array]:
        value, dz = z[:, place] * spread + mean, np.zeros_like(z)
        if isinstance(loss, PoissonNLL):
            value = np.exp(value)
        dz[:, place] = value if isinstance(loss, PoissonNLL) else spread
        return value, dz

    return number
