"""Columns that give the target away: one or two of them, and a straight line through all rows.

For the centred target y and columns a, b with correlations r:

    R² of a alone   r_ya²
    R² of a and b   (r_ya² + r_yb² − 2 r_ya r_yb r_ab) / (1 − r_ab²)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array
from .columns import Frame, Numbers, Words
from .kinds import ColumnKind
from .numerals import POINT, values

R2 = 0.999
_ROWS, _COLUMNS = 20_000, 1_000  # that are looked at
_SPREAD = 1e-9  # of what two columns do not share: less is rounding


@dataclass(frozen=True)
class Leak:
    """Columns that nearly give the target, by a line; ``r2`` is the share of its variance.

    Printed, it is a sentence.
    """

    target: str
    columns: tuple[str, ...]
    r2: float

    def __str__(self) -> str:
        names = " and ".join(map(repr, self.columns))
        verb = "give" if len(self.columns) > 1 else "gives"
        remedy = "a likely leak; drop what is not known before"
        return f"{names} {verb} the target {self.target!r} (R² {self.r2:.5f}): {remedy}"


def find_leaks(frame: Any, kinds: Sequence[ColumnKind]) -> list[Leak]:
    """The columns of numbers, one or two, from which the target follows by a line with R² above 0.999.

    Parameters
    ----------
    frame : the table that was understood
    kinds : what ``understand`` found, for a table with a target

    Returns
    -------
    list of Leak
        Single columns first; no pair that holds one of them.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.tabular.kinds import understand
    >>> from chainrule.tabular.leaks import find_leaks
    >>> a, b = np.random.default_rng(0).normal(size=(2, 50))
    >>> table = {"casual": a, "registered": b, "all": a + b}
    >>> print(*find_leaks(table, understand(table, target="all")))
    'casual' and 'registered' give the target 'all' (R² 1.00000): a likely leak; drop what is not known before
    """
    table = Frame("find_leaks", frame)
    target = next((kind for kind in kinds if kind.is_target), None)
    if target is None:
        return []
    y = _centred(table, target)
    names: list[str] = []
    columns: list[Array] = []
    for kind in kinds:
        if kind.is_input and kind.kind in ("number", "flag") and len(names) < _COLUMNS:
            x = _centred(table, kind)
            if x is not None:
                names.append(kind.name)
                columns.append(x)
    if y is None or not columns or len(y) < 5:
        return []
    return _leaks(target.name, names, np.stack(columns), y)


def _leaks(target: str, names: Sequence[str], x: Array, y: Array) -> list[Leak]:
    """x (I, N) and y (N,) are centred and of length 1, so that their products are correlations."""
    with_y, with_each_other = x @ y, x @ x.T
    single = with_y**2
    alone = single > R2
    found = [Leak(target, (names[at],), float(single[at])) for at in np.flatnonzero(alone).tolist()]
    rest = 1 - with_each_other**2
    pairs = single[:, None] + single - 2 * np.outer(with_y, with_y) * with_each_other
    shares = np.where(rest > _SPREAD, pairs / np.maximum(rest, _SPREAD), 0)
    shares[alone] = shares[:, alone] = 0
    for a, b in np.argwhere(np.triu(shares > R2, 1)).tolist():
        found.append(Leak(target, (names[a], names[b]), min(float(shares[a, b]), 1.0)))
    return found


def _centred(table: Frame, kind: ColumnKind) -> Array | None:
    """A column without its mean and of length 1, gaps as the mean; None if it is no number or constant."""
    column = table.column(kind.name)
    if isinstance(column, Words):
        column = _numbers(column, kind)
    if not isinstance(column, Numbers):
        return None
    rows = np.linspace(0, len(column) - 1, min(len(column), _ROWS)).astype(np.intp)
    x = column.values[rows].astype(np.float64)
    present = ~column.missing[rows] & np.isfinite(x)
    if 2 * present.sum() < len(x):
        return None
    largest = np.abs(x[present]).max()
    x = np.where(present, x / (largest or 1), 0)
    x = np.where(present, x - x[present].mean(), 0)
    length = np.sqrt(x @ x)
    return x / length if length > _SPREAD else None


def _numbers(column: Words, kind: ColumnKind) -> Numbers:
    """Numbers that are written as text, and two words as 0 and 1."""
    if kind.kind == "number":
        found = [np.nan if number is None else float(number) for number in values(column.words, kind.form or POINT)]
    else:
        found = [float(at) for at in range(len(column.words))] if kind.distinct == 2 else [np.nan] * len(column.words)
    numbers = np.array([*found, np.nan])[column.codes]
    return Numbers(numbers, np.isnan(numbers))
