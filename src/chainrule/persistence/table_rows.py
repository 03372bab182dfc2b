"""Rows of a table to compare a file with its model on: the user's, or some like those that its columns were fitted to.

In either case more follow, in which values are missing and in which others were never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..layers.program import Call
from ..tabular.inputs import gap_of
from ..tabular.moments import DAY
from .rows import NORMAL
from .tables import TableModel

ROWS = 100
HARDER = 0.15  # of the cells of the rows that follow
STRANGE = "never seen in training \N{SNOWMAN}"
Columns = dict[str, Array]


def rows_of(model: TableModel, X: Any) -> tuple[Columns, str]:
    """The user's first rows, or drawn ones; then the same with values that are missing, and with unseen ones.

    And what the drawn ones are where the model does not tell what its columns are like; or nothing.
    """
    if X is None:
        given = _drawn(model, np.random.default_rng(0))
    else:
        if hasattr(model.fitted, "feature_names_in_") and not (hasattr(X, "columns") or isinstance(X, Mapping)):
            raise TypeError(sentence("export(X=)", "a frame with the columns by name", type(X).__name__))
        given = {name: column[:ROWS] for name, column in model.read(X).items()}
    count = len(next(iter(given.values())))
    if not count:
        raise ValueError(sentence("export(X=)", "some rows of your data", "none"))
    rng = np.random.default_rng(1)
    harder = {source.name: _harder(model, source.name, given[source.name], rng) for source in model.sources}
    rows = {source.name: np.concatenate([given[source.name], harder[source.name]]) for source in model.sources}
    return rows, NORMAL if X is None and not _tells(model) else ""


def _harder(model: TableModel, name: str, column: Array, rng: np.random.Generator) -> Array:
    """A column with values that are missing or were never seen, as far as the model takes them."""
    found = column.copy()
    calls = [one.call for one in model.columns if one.source.name == name]
    for value, is_safe in ((gap_of(column), _takes_gaps), (_strange(column), _takes_strange)):
        if all(map(is_safe, calls)):
            found[rng.random(len(found)) < HARDER] = value
    return found


def _strange(column: Array) -> Any:
    if column.dtype == object:
        return STRANGE
    there = column[column != gap_of(column)] if column.dtype == np.int64 else column[np.isfinite(column)]
    if not len(there):
        return gap_of(column)
    spread = int(there.max()) - int(there.min()) + 1 if column.dtype == np.int64 else np.ptp(there) + 1
    return there.max() + min(spread, 10**15)


def _takes_gaps(call: Call) -> bool:
    if call.op == "impute":
        return not np.isnan(call.arrays["value"]).any()
    return "table" not in call.arrays or not np.isnan(call.arrays["table"][int(call.numbers["gap"])]).any()


def _takes_strange(call: Call) -> bool:
    table = call.arrays.get("table")
    return table is None or not np.isnan(table[int(call.numbers["other"])]).any()


# --- rows like those that its columns were fitted to ----------------------------------------------------------------


def _drawn(model: TableModel, rng: np.random.Generator) -> Columns:
    """Values of each column as the first call that takes it knows them."""
    found: Columns = {}
    for column, center, factor in zip(model.columns, *_centers(model), strict=True):
        if column.source.name not in found:
            found[column.source.name] = DRAWN[column.call.op](column.call, rng, center, factor or 1.0)
    return found


def _centers(model: TableModel) -> tuple[Array, Array]:
    """Around which raw feature each column lies, by the first of its features, and 1 / how far around it."""
    center, factor = model.scales.center, model.scales.factor
    starts = np.cumsum([0, *(len(column.scales) for column in model.columns)])[:-1]
    starts = np.minimum(starts, max(len(center) - 1, 0))
    return center[starts], factor[starts]


def _tells(model: TableModel) -> bool:
    """Whether the model knows where each column of numbers lies; of a pipeline, whether something scales it."""
    if hasattr(model.fitted, "encoder_"):
        return True
    numbers = [column.call.op == "impute" for column in model.columns]
    center, factor = _centers(model)
    return not ((center == 0) & (factor == 1))[numbers].any()


def _numbers(call: Call, rng: np.random.Generator, center: float, factor: float) -> Array:
    values: Array = center + rng.standard_normal(ROWS) / factor
    return values


def _words(call: Call, rng: np.random.Generator, center: float, factor: float) -> Array:
    words = call.arrays["words"]
    return words[rng.integers(0, len(words), ROWS)] if len(words) else np.full(ROWS, "x", object)


def _moments(call: Call, rng: np.random.Generator, center: float, factor: float) -> Array:
    days = min(1 / factor, 1e5) if "time" in call.arrays["parts"] else 1000.0
    away = rng.standard_normal(ROWS) * days * DAY
    moments: Array = call.arrays["median"] + away.astype(np.int64)
    return moments


def _texts(call: Call, rng: np.random.Generator, center: float, factor: float) -> Array:
    letters = [*map(chr, call.arrays["alphabet"].tolist()), "\N{SNOWMAN}", " ", "A"]
    letters = [letter for letter in letters if not "\ud800" <= letter <= "\udfff"]
    texts = ["".join(rng.choice(letters, size)) for size in rng.integers(1, 60, ROWS)]
    return np.array(texts, object)


DRAWN: dict[str, Callable[[Call, np.random.Generator, float, float], Array]] = {
    "impute": _numbers,
    "lookup": _words,
    "calendar": _moments,
    "pieces": _texts,
}
