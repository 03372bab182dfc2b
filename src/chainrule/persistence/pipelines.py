"""A pipeline of scikit-learn that takes columns by name, in the primitives of encoders: a ColumnTransformer of fillers,
scalers and encoders, then scalers, then an estimator of ours.

What a step makes of a category is asked of the step itself, so that infrequent, dropped and unknown ones are as it has
them. Other pipelines are left to skl2onnx.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .._support.checks import Array
from ..layers.program import Call, Program, standardization
from ..tabular.columns import text_of
from ..tabular.encoders.program import NUMBERS, WORDS, ColumnProgram, Source
from ..tabular.encoders.scaling import Scales, joined
from .estimators import is_ours
from .rows import chosen_places, does_nothing, steps_of

Described = tuple[list[ColumnProgram], list[str]]


class _UnknownStepError(Exception):
    """A step that has no program."""


def is_pipeline_of_columns(model: Any) -> bool:
    """Whether it begins with a ColumnTransformer that was fitted to columns by name, and ends with one of ours."""
    steps = steps_of(model)
    named = steps and type(steps[0]).__name__ == "ColumnTransformer" and hasattr(steps[0], "feature_names_in_")
    return bool(named) and is_ours(steps[-1])


def columns_of_pipeline(pipeline: Any, scaling: Program) -> Described | None:
    """The programs of its columns, with the estimator's own scaling; and notes. None where a step has no program."""
    first, *between, _ = steps_of(pipeline)
    try:
        columns = [column for entry in first.transformers_ for column in _entry(first, *entry)]
        width = sum(len(column.scales) for column in columns)
        after = [_affine(step, width) for step in between]
    except _UnknownStepError:
        return None
    columns = _scaled(columns, [*after, *(_of_call(call, width) for call in scaling)])
    takes: dict[str, Source] = {}
    if any(takes.setdefault(column.source.name, column.source) != column.source for column in columns):
        return None
    notes = [note for column in columns for note in _notes(column)]
    return columns, list(dict.fromkeys(notes))


def _scaled(columns: Sequence[ColumnProgram], after: Sequence[_Affine]) -> list[ColumnProgram]:
    """The same columns, each with what scales all features in the end."""
    own = joined([column.scales for column in columns])
    scales = _scales([_Affine(own.center, own.factor), *after], len(own))
    ends = np.cumsum([len(column.scales) for column in columns]).tolist()
    return [
        replace(column, scales=_at(scales, slice(end - len(column.scales), end)))
        for column, end in zip(columns, ends, strict=True)
    ]


def as_pandas(pipeline: Any, columns: dict[str, Array]) -> Any:
    """Columns (N,) as the frame that a pipeline takes."""
    import pandas as pd

    gaps = _gaps(steps_of(pipeline)[0])

    def values(name: str, column: Array) -> Any:
        return pd.Series([gaps.get(name, np.nan) if word == "" else word for word in column], dtype=object)

    return pd.DataFrame({name: values(name, x) if x.dtype == object else x for name, x in columns.items()})


def _gaps(chooser: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _, step, chosen in chooser.transformers_:
        for encoder in (one for one in _flat(step) if hasattr(one, "categories_")):
            names = _names(chooser, chosen)
            found |= {name: _gap_among(known) for name, known in zip(names, encoder.categories_, strict=True)}
    return found


def _notes(column: ColumnProgram) -> Iterator[str]:
    table = column.call.arrays.get("table")
    if table is not None and np.isnan(table).any():
        yield f"what {column.source.name!r} did not hold in training gives NaN; the pipeline refuses it"


# --- one entry of the ColumnTransformer -----------------------------------------------------------------------------


def _entry(chooser: Any, name: str, step: Any, chosen: Any) -> list[ColumnProgram]:
    columns = _names(chooser, chosen)
    if not columns or (isinstance(step, str) and step == "drop"):
        return []
    steps = _flat(step)
    encoders = [place for place, one in enumerate(steps) if hasattr(one, "categories_")]
    programs = _categories(columns, steps, encoders[0]) if encoders else _numbers(columns, steps)
    width = chooser.output_indices_[name]
    if sum(len(program.scales) for program in programs) != width.stop - width.start:
        raise _UnknownStepError
    return programs


def _names(chooser: Any, chosen: Any) -> list[str]:
    names = list(chooser.feature_names_in_)
    return [str(one if isinstance(one, str) else names[one]) for one in chosen_places(chosen, len(names))]


def _flat(step: Any) -> list[Any]:
    if hasattr(step, "steps"):
        return [inner for one in steps_of(step) for inner in _flat(one)]
    return [] if does_nothing(step) or isinstance(step, str) else [step]


class _Affine(NamedTuple):
    """(x − center) · factor of some columns."""

    center: Array
    factor: Array

    def beside(self, count: int) -> _Affine:
        """The same, and so many columns more that stay as they are."""
        return _Affine(np.append(self.center, np.zeros(count)), np.append(self.factor, np.ones(count)))


def _affine(step: Any, width: int) -> _Affine:
    if type(step).__name__ != "StandardScaler" or step.n_features_in_ != width:
        raise _UnknownStepError
    center = step.mean_ if step.with_mean else np.zeros(width)
    return _Affine(center, 1 / step.scale_ if step.with_std else np.ones(width))


def _of_call(call: Call, width: int) -> _Affine:
    mean, factor, _ = standardization(call)
    return _Affine(mean + np.zeros(width), factor)


def _scales(affines: Sequence[_Affine], width: int) -> Scales:
    """Several in sequence as one."""
    center, factor = np.zeros(width), np.ones(width)
    for one in affines:
        center, factor = center + one.center / factor, factor * one.factor
    return Scales(center, factor, np.zeros(width, bool))


def _at(scales: Scales, place: slice) -> Scales:
    return Scales(scales.center[place], scales.factor[place], scales.smooth[place])


# --- numbers --------------------------------------------------------------------------------------------------------


def _numbers(names: Sequence[str], steps: Sequence[Any]) -> list[ColumnProgram]:
    """Columns of numbers: filled, scaled, in any order; then those that say where one was missing."""
    width, before = len(names), list[_Affine]()
    value, said = np.full(width, np.nan), list[int]()
    for step in steps:
        if type(step).__name__ != "SimpleImputer":
            before.append(_affine(step, width + len(said)))
            continue
        own = _scales(before, width)
        filler = np.asarray(_fillers(step, width))
        if said or filler.dtype.kind not in "iuf" or not np.isfinite(filler).all():
            raise _UnknownStepError
        value = np.where(np.isnan(value), filler / own.factor + own.center, value)
        if step.add_indicator and step.indicator_ is not None:
            said = step.indicator_.features_.tolist()
            before = [one.beside(len(said)) for one in before]
    scales = _scales(before, width + len(said))
    programs = [
        ColumnProgram(
            Source(name, NUMBERS),
            Call("impute", {"value": value[at : at + 1]}, {"says": False}),
            _at(scales, slice(at, at + 1)),
        )
        for at, name in enumerate(names)
    ]
    return programs + [_gap(names[at], _at(scales, slice(width + k, width + k + 1))) for k, at in enumerate(said)]


def _fillers(step: Any, width: int) -> Sequence[Any]:
    if step.n_features_in_ != width or not _is_nan(step.missing_values):
        raise _UnknownStepError
    return list(step.statistics_)


def _is_nan(value: Any) -> bool:
    return value is None or bool(value != value)


def _gap(name: str, scales: Scales) -> ColumnProgram:
    """1 where a number is missing."""
    nothing = np.array([], np.float64)
    arrays = {"words": nothing, "codes": nothing.astype(np.int64), "table": np.array([[0.0], [1.0]])}
    return ColumnProgram(
        Source(name, NUMBERS),
        Call("lookup", arrays | {"labels": np.array(["there", "missing"], object)}, {"other": 0, "gap": 1}),
        scales,
    )


# --- categories -----------------------------------------------------------------------------------------------------


def _categories(names: Sequence[str], steps: Sequence[Any], at: int) -> list[ColumnProgram]:
    before, encoder, after = steps[:at], steps[at], steps[at + 1 :]
    if type(encoder).__name__ not in ("OneHotEncoder", "OrdinalEncoder") or len(before) > 1:
        raise _UnknownStepError
    for step in before:
        if type(step).__name__ != "SimpleImputer" or step.add_indicator or step.n_features_in_ != len(names):
            raise _UnknownStepError
    widths = [_width(encoder, place) for place in range(len(names))]
    ends = np.cumsum(widths)
    scales = _scales([_affine(step, int(ends[-1])) for step in after], int(ends[-1]))
    programs = []
    for place, (name, end) in enumerate(zip(names, ends.tolist(), strict=True)):
        own = slice(end - widths[place], end)
        programs.append(_category(name, [*before, encoder], place, own, _at(scales, own)))
    return programs


def _width(encoder: Any, place: int) -> int:
    if type(encoder).__name__ == "OrdinalEncoder":
        return 1
    rare = getattr(encoder, "infrequent_categories_", None)
    together = 0 if rare is None or rare[place] is None else len(rare[place]) - 1
    dropped = encoder.drop_idx_ is not None and encoder.drop_idx_[place] is not None
    return len(encoder.categories_[place]) - together - dropped


def _category(name: str, steps: Sequence[Any], place: int, own: slice, scales: Scales) -> ColumnProgram:
    """The rows that the steps have for each category, for a missing one, and for one that they do not know."""
    known = steps[-1].categories_[place]
    words, numeric = [one for one in known if not _is_nan(one)], known.dtype.kind in "iuf"
    if not words or not (numeric or all(isinstance(one, (str, bool, np.bool_)) for one in words)):
        raise _UnknownStepError
    unknown = max(words) + 1 if numeric else "\N{REPLACEMENT CHARACTER}" * (1 + max(len(str(one)) for one in words))
    rows = [_asked(steps, place, some)[:, own] for some in ([unknown], words, [_gap_among(known)])]
    texts = words if numeric else [text_of(one) for one in words]
    if "" in texts:  # which says that there is none
        raise _UnknownStepError
    arrays = {
        "words": np.array(texts, np.float64 if numeric else object),
        "codes": np.arange(1, len(words) + 1),
        "labels": np.array(["other", *map(text_of, words), "missing"], object),
        "table": np.vstack(rows).astype(np.float64),
    }
    call = Call("lookup", arrays, {"other": 0, "gap": len(words) + 1})
    return ColumnProgram(Source(name, NUMBERS if numeric else WORDS), call, scales)


def _gap_among(known: Array) -> Any:
    """What a missing value is to an encoder: the one that it knows, None or NaN."""
    return next((one for one in known if _is_nan(one)), np.nan)


def _asked(steps: Sequence[Any], place: int, values: Sequence[Any]) -> Array:
    """What steps make of these values of a column, beside known ones of the others; NaN where they refuse them."""
    import pandas as pd

    names = getattr(steps[0], "feature_names_in_", range(steps[0].n_features_in_))
    known = steps[-1].categories_
    columns = {name: [own[0]] * len(values) for name, own in zip(names, known, strict=True)}
    asked = pd.Series(values, dtype=None if known[place].dtype.kind in "iuf" else object)

    def made(columns: dict[Any, Any]) -> Array:
        x: Any = pd.DataFrame(columns)
        for step in steps:
            x = step.transform(x)
        return np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float64)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return made(columns | {names[place]: asked})
        except ValueError:  # an unknown category
            return np.full(made(columns).shape, np.nan)
