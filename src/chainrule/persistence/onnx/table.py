"""Convert a table model to an ONNX graph: one named input per column; label and probabilities, or numbers.

Features are computed in float64. ONNX itself cannot split text: ONNX Runtime's Tokenizer does, in all its builds except
those for browsers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np

from ..._support.checks import sentence
from ...layers.program import Call
from ...tabular.encoders import quantities as dates
from ...tabular.encoders.program import MOMENTS, NUMBERS, WORDS, ColumnProgram
from ...tabular.encoders.scaling import CLIP, Scales
from ...tabular.encoders.texts import MIX, MOST_CHARACTERS, P, Q
from ...tabular.moments import DAY, NO_MOMENT
from ..programs import check_program, layer_programs
from ..tables import TableModel, coded, encodable
from .graph import WHO, ListGraph, declared, facts_of
from .nodes import NODES, classify, kind_of_labels, regress, through, through_layers

MICROSOFT = "com.microsoft"
_END = -1  # after the last character
_BLANK = ord(" ")


def pieces(g: ListGraph, call: Call, x: str, missing: Collection[str]) -> str:
    """Compute the sums (N, B) of texts (N, 1), each of length 1; then 1 for a missing text, if the call asks for it."""
    words = sorted(filter(encodable, missing))
    gone = g.LabelEncoder(x, domain=ML, keys_strings=words, values_int64s=[1] * len(words), default_int64=0)
    buckets = int(call.numbers["buckets"])
    known = dict.fromkeys(call.arrays["alphabet"].tolist())
    first, second, third = _threes(g, _letters(g, x, gone, known), MOST_CHARACTERS + 2)
    mixed = g.Add(g.Add(g.Mul(first, [P**2]), g.Mul(second, [P])), third)
    h = g.Mod(g.Mul(g.Mod(mixed, [Q]), [MIX]), [Q])
    odd = g.Mod(g.Div(h, [buckets]), [2])
    sign = g.Sub(g.Mul(odd, [2]), [1])
    counted = g.cast(g.Where(g.Equal(third, [_END]), [0], sign), np.float64)
    gap = g.cast(gone, np.float64)
    empty = g.Mul(gap, np.zeros((1, buckets)))
    place = g.Max(g.Mod(h, [buckets]), [0])
    sums = g.Mul(g.ScatterElements(empty, place, counted, axis=1, reduction="add"), g.Sub(1.0, gap))
    length = g.Sqrt(g.ReduceSum(g.Mul(sums, sums), [1], keepdims=1))
    sums = g.Div(sums, g.Where(g.Equal(length, 0.0), 1.0, length))
    return g.Concat(sums, gap, axis=1) if call.numbers["says"] else sums


def _letters(g: ListGraph, x: str, gone: str, known: Collection[int]) -> str:
    """Compute the characters (N, L) of ⎵text⎵: lower case for A to Z, 0 for those unseen in training, then _END."""
    letters = g.Tokenizer(g.Reshape(x, [-1]), domain=MICROSOFT, mark=0, pad_value="", separators=[""], mincharnum=1)
    g.add_texts(letters)
    blank = _BLANK if _BLANK in known else 0
    found = {chr(code): code for code in known if not (0xD800 <= code < 0xE000 or chr(code) in ascii_uppercase)}
    found |= {chr(code).upper(): code for code in known if chr(code) in ascii_lowercase}
    found[""] = _END
    codes = g.LabelEncoder(
        letters, domain=ML, keys_strings=list(found), values_int64s=list(found.values()), default_int64=0
    )
    codes = g.Slice(codes, [0], [MOST_CHARACTERS], [1])
    begin = g.Add(g.Mul(gone, [0]), [blank])
    end = g.Add(g.Mul(gone, [0]), [_END])
    after = g.Concat(codes, end, axis=1)
    before = g.Concat(begin, codes, axis=1)
    is_end = g.And(g.Equal(after, [_END]), g.Not(g.Equal(before, [_END])))
    return g.Concat(begin, g.Where(is_end, [blank], after), axis=1)


def _threes(g: ListGraph, letters: str, most: int) -> list[str]:
    ends = ([0, -2], [1, -1], [2, most])
    return [g.Slice(letters, [start], [end], [1]) for start, end in ends]


# --- columns ------------------------------------------------------------------------------------------------------


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
    places, start = [], 0
    for column in columns:
        places.append(list(range(start, start + len(column.scales))))
        start += len(column.scales)
    return places


def _in_order(g: ListGraph, parts: Sequence[tuple[list[int], str]]) -> str:
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
        return g.Gather(g.held_with_nan(call.arrays["table"]), g.Reshape(code, [-1]), axis=0)
    return g.cast(g.Equal(code, np.arange(1, len(column.scales) + 1)), np.float64)


def _code(g: ListGraph, column: str, call: Call, x: str, missing: Collection[str]) -> str:
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
    gap = g.Equal(x, [NO_MOMENT])
    at = g.Where(gap, call.arrays["median"], x)
    days, time = _days_and_time(g, at)
    numbers = {
        dates.TIME: lambda: g.Div(g.cast(at, np.float64), float(DAY)),
        dates.YEAR: lambda: g.cast(_year_and_month(g, days)[0], np.float64),
        dates.MONTH: lambda: _part(g, g.Sub(_year_and_month(g, days)[1], [1]), 12),
        dates.WEEKDAY: lambda: _part(g, g.Mod(g.Add(days, [3]), [7]), 7),
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
    toward = g.Div(at, [DAY])
    rest = g.Sub(at, g.Mul(toward, [DAY]))
    before = g.Less(rest, [0])
    days = g.Sub(toward, g.cast(before, np.int64))
    return days, g.Add(rest, g.Mul(g.cast(before, np.int64), [DAY]))


def _year_and_month(g: ListGraph, days: str) -> tuple[str, str]:
    """Compute :func:`chainrule.tabular.encoders.quantities.year_and_month`."""
    since_march = g.Add(days, [dates.TO_MARCH])
    of_era = g.Mod(since_march, [dates.ERA])
    era = g.Div(g.Sub(since_march, of_era), [dates.ERA])
    leaps = g.Sub(g.Div(of_era, [dates.CENTURY]), g.Div(of_era, [dates.FOUR - 1]))
    leaps = g.Sub(leaps, g.Div(of_era, [dates.ERA - 1]))
    years = g.Div(g.Add(of_era, leaps), [dates.YEAR_DAYS])
    begun = g.Sub(g.Add(g.Mul(years, [dates.YEAR_DAYS]), g.Div(years, [4])), g.Div(years, [100]))
    from_march = g.Div(g.Add(g.Mul(g.Sub(of_era, begun), [5]), [2]), [153])
    next_year = g.cast(g.Greater(from_march, [9]), np.int64)
    month = g.Sub(g.Add(from_march, [3]), g.Mul(next_year, [12]))
    return g.Add(g.Add(years, g.Mul(era, [400])), next_year), month


# --- the graph ----------------------------------------------------------------------------------------------------


LABEL, PROBABILITIES, NUMBER = "label", "probabilities", "variable"
DTYPES: dict[str, Any] = {NUMBERS: np.float64, WORDS: object, MOMENTS: np.int64}
MEANING = {
    NUMBERS: "numbers as double, NaN if missing",
    WORDS: 'text, "" if missing',
    MOMENTS: "dates as int64 microseconds since 1970 in UTC, the smallest integer if missing",
}


def from_table(model: TableModel, double: bool, opset: int | None) -> tuple[Any, list[str]]:
    """Return the graph and the notes."""
    programs = layer_programs(WHO, model.network.layers, NODES)
    check_program(WHO, type(model.fitted).__name__, model.decoding, NODES)
    g = ListGraph(np.float64, model.network.layers)
    outputs = [LABEL, PROBABILITIES] if model.classes is not None else [NUMBER]
    for name in outputs:
        g.new_name(name)
    inputs = {source.name: g.new_name(_name(source.name)) for source in model.sources}
    z = features_of(g, model, inputs)
    g.dtype = np.dtype(np.float64 if double else np.float32)
    z = z if double else g.cast(z, g.dtype)
    z = through_layers(g, programs, z)
    ends = _answer(g, model, z, double)
    given = [declared(inputs[source.name], DTYPES[source.takes], 1) for source in model.sources]
    proto = g.finished(given, ends, opset, _facts(model, inputs))
    return proto, [*_notes(model, inputs), *model.notes]


def _name(column: str) -> str:
    if not encodable(column):
        raise ValueError(sentence(WHO, "names of columns without lone surrogates", repr(column), "rename it"))
    return column or "column"


def _answer(g: ListGraph, model: TableModel, z: str, double: bool) -> list[Any]:
    if model.classes is not None:
        decoding = model.decoding[-1]
        classify(g, z, decoding, model.classes, LABEL, PROBABILITIES)
        several = decoding.op == "sigmoid"
        count = len(model.classes)
        label = declared(LABEL, kind_of_labels(model.classes, several), *[count] * several)
        return [label, declared(PROBABILITIES, g.dtype, count)]
    z = z if double else g.cast(z, np.float64)
    g.dtype = np.dtype(np.float64)  # 2e9 ± 50 has more digits than float32
    regress(g, z, model.decoding, model.targets, model.levels, NUMBER)
    shape = [size for size in (model.targets, model.levels) if size > 1] or [1]
    return [declared(NUMBER, g.dtype, *shape)]


def _facts(model: TableModel, inputs: dict[str, str]) -> dict[str, str]:
    columns = [[*source.__dict__.values(), inputs[source.name]] for source in model.sources]
    facts = facts_of(model.network) | {
        "input": "; ".join(MEANING[takes] for takes in DTYPES if any(one.takes == takes for one in model.sources)),
        "feature_names": json.dumps([source.name for source in model.sources]),
        "columns": json.dumps(columns),
        "missing": json.dumps(sorted(filter(encodable, model.missing))),
    }
    if model.classes is not None:
        facts["class_names"] = json.dumps([str(label) for label in model.classes])
    return facts


def _notes(model: TableModel, inputs: dict[str, str]) -> list[str]:
    notes = ["takes raw rows, one input of shape (N, 1) per column: see chainrule.convert.onnx_inputs"]
    renamed = {name: own for name, own in inputs.items() if name != own}
    if renamed:
        notes.append(
            "inputs with another name than their column: " + ", ".join(f"{a!r} is {b!r}" for a, b in renamed.items())
        )
    if any(column.call.op == "pieces" for column in model.columns):
        notes.append("text is split by an operator of ONNX Runtime, com.microsoft.Tokenizer")
    return notes
