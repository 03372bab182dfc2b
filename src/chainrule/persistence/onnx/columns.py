"""Write the encoding of columns as ONNX nodes: from one input per column to all features in float64."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from ..._support.checks import Array, sentence
from ...layers.program import Call
from ...tabular.encoders import quantities as dates
from ...tabular.encoders.program import NUMBERS, ColumnProgram
from ...tabular.encoders.scaling import CLIP, Scales
from ...tabular.moments import DAY, NO_MOMENT
from ..tables import TableModel, coded
from .network import ListGraph
from .nodes import through
from .pieces import pieces

ML = "ai.onnx.ml"


def features_of(g: ListGraph, model: TableModel, inputs: dict[str, str]) -> str:
    """Compute all scaled features (N, I) from inputs (N, 1) by column name."""
    columns = model.columns
    g.dtype, g.prefix = np.dtype(np.float64), ""
    imputed = [place for place, column in enumerate(columns) if column.call.op == "impute"]
    parts: list[tuple[list[int], str]] = []  # the position of each among the features, and the values
    places = _places(columns)
    if imputed:
        own = [columns[place] for place in imputed]
        values, says = _imputed(g, [inputs[one.source.name] for one in own], [one.call for one in own])
        at = [places[place][0] for place in imputed]
        more = [places[place][1] for place in imputed if columns[place].call.numbers["says"]]
        parts.append(([*at, *more], g.Concat(values, says, axis=1) if says else values))
    for place, column in enumerate(columns):
        if column.call.op != "impute" and places[place]:
            g.kind = column.call.op
            parts.append((places[place], _raw(g, column, inputs[column.source.name], model.missing)))
    g.kind = "features"
    return _scaled(g, _in_order(g, parts), model.scales, model.farthest)


def _places(columns: Iterable[ColumnProgram]) -> list[list[int]]:
    """Return the positions of each column's features."""
    places, start = [], 0
    for column in columns:
        places.append(list(range(start, start + len(column.scales))))
        start += len(column.scales)
    return places


def _in_order(g: ListGraph, parts: Sequence[tuple[list[int], str]]) -> str:
    """Join the parts, each feature in its position."""
    found = [place for places, _ in parts for place in places]
    x = g.Concat(*(name for _, name in parts), axis=1) if len(parts) > 1 else parts[0][1]
    return x if found == sorted(found) else g.Gather(x, np.argsort(found), axis=1)


def _scaled(g: ListGraph, x: str, scales: Scales, farthest: float) -> str:
    """z = (x − center) · factor within ±farthest, 0 if the factor is 0; then z / √(1 + (z/3)²) if smooth."""
    z = through(g, [Call("standardize", {"mean": scales.center, "factor": scales.factor})], x)
    z = g.Clip(z, -farthest, farthest) if np.isfinite(farthest) else z
    if (scales.factor == 0).any():
        z = g.Where(g.cast(g.constant((scales.factor == 0).astype(np.int64)), np.bool_), 0.0, z)
    if not scales.smooth.any():
        return z
    part = g.Mul(z, np.where(scales.smooth, 1 / CLIP, 0.0))
    return g.Div(z, g.Sqrt(g.Add(g.Mul(part, part), 1.0)))


def _imputed(g: ListGraph, inputs: Sequence[str], calls: Sequence[Call]) -> tuple[str, str]:
    """Replace missing numbers by a value; return the numbers and the indicators of columns that have one."""
    g.kind = "impute"
    x = g.Concat(*inputs, axis=1) if len(inputs) > 1 else inputs[0]
    gaps = g.IsNaN(x)
    filled = g.Where(gaps, g.held_with_nan(np.concatenate([call.arrays["value"] for call in calls])), x)
    says = np.flatnonzero([call.numbers["says"] for call in calls])
    if not len(says):
        return filled, ""
    gaps = g.cast(gaps, np.float64)
    return filled, gaps if len(says) == len(calls) else g.Gather(gaps, says, axis=1)


def _raw(g: ListGraph, column: ColumnProgram, x: str, missing: Collection[str]) -> str:
    """Compute the raw features (N, I) of an input (N, 1)."""
    call = column.call
    if call.op == "calendar":
        return _calendar(g, call, x)
    if call.op == "pieces":
        return pieces(g, call, x, missing)
    if column.source.takes == NUMBERS:
        return _lookup_of_number(g, call, x)
    code = _code(g, column.source.name, call, x, missing)
    if column.is_code:
        return g.cast(code, np.float64)
    if "table" in call.arrays:
        return g.Gather(g.held_with_nan(call.arrays["table"]), g.Reshape(code, np.array([-1])), axis=0)
    return g.cast(g.Equal(code, np.arange(1, len(column.scales) + 1)), np.float64)


def _code(g: ListGraph, column: str, call: Call, x: str, missing: Collection[str]) -> str:
    """Look up the code of each word (N, 1)."""
    table = coded(call, missing) or {"": int(call.numbers["gap"])}
    if odd := [word for word in table if "\0" in word]:
        got = f"{odd[0]!r} in column {column!r}"
        raise ValueError(sentence(g.who, "categories without NUL", got, "drop the column, or rename such a word"))
    return g.LabelEncoder(
        x,
        domain=ML,
        keys_strings=list(table),
        values_int64s=list(table.values()),
        default_int64=int(call.numbers["other"]),
    )


def _lookup_of_number(g: ListGraph, call: Call, x: str) -> str:
    """Look up the table row of a number: the first equal number, missing, or other."""
    values, codes, table = (call.arrays[name] for name in ("words", "codes", "table"))
    gap = g.cast(g.IsNaN(x), np.float64)
    hits = [g.cast(g.Equal(x, values[None].astype(np.float64)), np.float64)] * bool(len(values))
    hit = g.Concat(*hits, gap, g.Add(g.Mul(gap, 0.0), 0.5), axis=1)
    rows = table[[*codes, int(call.numbers["gap"]), int(call.numbers["other"])]]
    return g.Gather(g.held_with_nan(rows), g.ArgMax(hit, axis=1, keepdims=0), axis=0)


# --- dates ------------------------------------------------------------------------------------------------------------


def _calendar(g: ListGraph, call: Call, x: str) -> str:
    """Compute the parts of moments in integers; a missing moment is 0 on circles."""
    gap = g.Equal(x, np.array([NO_MOMENT]))
    at = g.Where(gap, call.arrays["median"], x)
    days, time = _days_and_time(g, at)
    numbers = {
        dates.TIME: lambda: g.Div(g.cast(at, np.float64), float(DAY)),
        dates.YEAR: lambda: g.cast(_year_and_month(g, days)[0], np.float64),
        dates.MONTH: lambda: _part(g, g.Sub(_year_and_month(g, days)[1], np.array([1])), 12),
        dates.WEEKDAY: lambda: _part(g, g.Mod(g.Add(days, np.array([3])), np.array([7])), 7),
        dates.HOUR: lambda: _part(g, time, DAY),
    }
    features = []
    for part in call.arrays["parts"].tolist():
        value = numbers[part]()
        if part in (dates.TIME, dates.YEAR):
            features.append(value)
            continue
        angle = g.Mul(value, 2 * np.pi)  # cos as a shifted sin: not every ONNX Runtime has cos in float64
        features += [g.Where(gap, 0.0, g.Sin(turned)) for turned in (angle, g.Add(angle, np.pi / 2))]
    if call.numbers["says"]:
        features.append(g.cast(gap, np.float64))
    return g.Concat(*features, axis=1) if len(features) > 1 else features[0]


def _part(g: ListGraph, whole: str, of: int) -> str:
    return g.Div(g.cast(whole, np.float64), float(of))


def _days_and_time(g: ListGraph, at: str) -> tuple[str, str]:
    """Compute ⌊µs / day⌋ and the remainder; ONNX divides towards zero, and no step overflows 64 bits."""
    toward = g.Div(at, np.array([DAY]))
    rest = g.Sub(at, g.Mul(toward, np.array([DAY])))
    before = g.Less(rest, np.array([0]))
    days = g.Sub(toward, g.cast(before, np.int64))
    return days, g.Add(rest, g.Mul(g.cast(before, np.int64), np.array([DAY])))


def _year_and_month(g: ListGraph, days: str) -> tuple[str, str]:
    """Compute :func:`chainrule.tabular.encoders.quantities.year_and_month`."""

    def number(value: int) -> Array:
        return np.array([value])

    since_march = g.Add(days, number(dates.TO_MARCH))
    of_era = g.Mod(since_march, number(dates.ERA))
    era = g.Div(g.Sub(since_march, of_era), number(dates.ERA))
    leaps = g.Sub(g.Div(of_era, number(dates.CENTURY)), g.Div(of_era, number(dates.FOUR - 1)))
    leaps = g.Sub(leaps, g.Div(of_era, number(dates.ERA - 1)))
    years = g.Div(g.Add(of_era, leaps), number(dates.YEAR_DAYS))
    begun = g.Sub(g.Add(g.Mul(years, number(dates.YEAR_DAYS)), g.Div(years, number(4))), g.Div(years, number(100)))
    from_march = g.Div(g.Add(g.Mul(g.Sub(of_era, begun), number(5)), number(2)), number(153))
    next_year = g.cast(g.Greater(from_march, number(9)), np.int64)
    month = g.Sub(g.Add(from_march, number(3)), g.Mul(next_year, number(12)))
    return g.Add(g.Add(years, g.Mul(era, number(400))), next_year), month
