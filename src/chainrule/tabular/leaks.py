"""Find columns that leak the target: one or two columns that determine it linearly.

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
_ROWS, _COLUMNS = 20_000, 1_000  # to examine
_SPREAD = 1e-9  # of the difference of two columns; less is rounding


@dataclass(frozen=True)
class Leak:
    """Columns that nearly determine the target linearly, with share ``r2`` of its variance; prints as a sentence."""

    target: str
    columns: tuple[str, ...]
    r2: float

    def __str__(self) -> str:
        names = " and ".join(map(repr, self.columns))
        verb = "give" if len(self.columns) > 1 else "gives"
        remedy = "a likely leak; drop what is unknown at prediction"
        return f"{names} {verb} the target {self.target!r} (R² {self.r2:.5f}): {remedy}"


def find_leaks(frame: Any, kinds: Sequence[ColumnKind]) -> list[Leak]:
    """Find one or two columns of numbers that determine the target linearly, with R² above 0.999.

    Parameters
    ----------
    frame : frame, Table or dict of arrays
        The table.
    kinds : Kinds
        The result of ``understand``, with a target.

    Returns
    -------
    list of Leak
        Single columns first, then pairs without them.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.tabular.kinds import understand
    >>> from chainrule.tabular.leaks import find_leaks
    >>> a, b = np.random.default_rng(0).normal(size=(2, 50))
    >>> table = {"casual": a, "registered": b, "all": a + b}
    >>> print(*find_leaks(table, understand(table, target="all")))
    'casual' and 'registered' give the target 'all' (R² 1.00000): a likely leak; drop what is unknown at prediction
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
    """Search x (I, N) and y (N,), centred and of length 1: their products are correlations."""
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
    """Centre a column and scale it to length 1, with gaps as the mean; None if not a number, or constant."""
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
    """Convert numbers in texts, and two words to 0 and 1."""
    if kind.kind == "number":
        found = [np.nan if number is None else float(number) for number in values(column.words, kind.form or POINT)]
    else:
        found = [float(at) for at in range(len(column.words))] if kind.distinct == 2 else [np.nan] * len(column.words)
    numbers = np.array([*found, np.nan])[column.codes]
    return Numbers(numbers, np.isnan(numbers))
