"""A model that takes a table as it comes, said once for all formats: columns · scaling · network · decoding.

    columns --a call each--> raw features --scales--> x --network--> z --decoding--> the answer

Columns, scales and the decoding of numbers are computed in float64, the network in its own type. A file is compared
with its model on the user's rows, or some like those that its columns were fitted to; more follow, in which values are
missing and in which others were never seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..layers.program import Call, Program, run
from ..model import Sequential
from ..tabular.encoders.program import ColumnProgram, Source
from ..tabular.encoders.scaling import FARTHEST, Scales, joined
from ..tabular.encoding import TableEncoder
from ..tabular.inputs import as_frame, gap_of, inputs_of
from ..tabular.moments import DAY
from ..tabular.words import MISSING
from .agreement import Answers
from .pipelines import as_pandas, columns_of_pipeline, is_pipeline_of_columns
from .rows import NORMAL, steps_of

WHO = "export"


@dataclass(frozen=True)
class TableModel:
    """What is written, and what it is compared with.

    Attributes
    ----------
    fitted : the estimator or pipeline, which answers
    sources : the columns, in the order of the table
    columns : what is computed of each, in the order in which the network takes it
    missing : the words for a missing value
    network : its layers
    decoding : what makes the answer of what the network gives
    frame : columns (N,) by their names → the rows as ``fitted`` takes them
    features : columns (N,) by their names → what the network takes (N, I)
    farthest : scales further away than so much count as so much
    classes : the labels of a classifier, or None
    targets, levels : how many numbers a regressor predicts, and how many quantiles of each
    notes : what to know of the file
    """

    fitted: Any
    sources: Sequence[Source]
    columns: Sequence[ColumnProgram]
    missing: frozenset[str]
    network: Sequential
    decoding: Program
    frame: Callable[[dict[str, Array]], Any]
    features: Callable[[dict[str, Array]], Array]
    farthest: float = math.inf
    classes: Array | None = None
    targets: int = 1
    levels: int = 1
    notes: Sequence[str] = field(default=())

    @cached_property
    def scales(self) -> Scales:
        return joined([column.scales for column in self.columns])

    @property
    def is_multilabel(self) -> bool:
        return self.classes is not None and self.decoding[-1].op == "sigmoid"

    def read(self, frame: Any) -> dict[str, Array]:
        return inputs_of(f"{WHO}(X=)", frame, self.sources, self.missing)

    def answers(self, columns: dict[str, Array]) -> Answers:
        rows = self.frame(columns)
        with np.errstate(all="ignore"):
            if self.classes is not None:
                return Answers(self.fitted.predict_proba(rows), np.asarray(self.fitted.predict(rows)), 1.0)
            predict = getattr(self.fitted, "predict_quantiles", self.fitted.predict)
            return Answers(np.reshape(predict(rows), (len(next(iter(columns.values()))), -1)))


def table_model(fitted: Any) -> TableModel | None:
    """A fitted estimator for tables, or a pipeline of columns by name with an estimator of ours; None of others."""
    fitted = getattr(fitted, "best_estimator_", fitted)
    if len(steps := steps_of(fitted)) == 1:
        fitted = steps[0]
    if isinstance(getattr(fitted, "encoder_", None), TableEncoder):
        return _of_estimator(fitted)
    return _of_pipeline(fitted) if is_pipeline_of_columns(fitted) else None


def _of_estimator(fitted: Any) -> TableModel:
    encoder: TableEncoder = fitted.encoder_
    columns = sorted(encoder.programs, key=lambda column: column.is_code)
    names = list(getattr(fitted, "feature_names_in_", [f"x{at}" for at in range(fitted.n_features_in_)]))

    def frame(given: dict[str, Array]) -> Any:
        count = len(next(iter(given.values())))
        return {str(name): np.zeros(count) for name in names} | as_frame(given)

    quantiles = getattr(fitted, "quantiles", None)
    return TableModel(
        fitted,
        [column.source for column in encoder.programs],
        columns,
        MISSING | encoder.missing,
        fitted.model_,
        fitted.decoding_(),
        frame,
        lambda given: encoder.matrix(as_frame(given)),
        FARTHEST,
        classes=getattr(fitted, "classes_", None),
        targets=fitted.n_outputs_,
        levels=1 if quantiles is None else len(quantiles),
    )


def _of_pipeline(pipeline: Any) -> TableModel | None:
    from ..estimators.bridges import decoding, scaling

    last = steps_of(pipeline)[-1]
    found = columns_of_pipeline(pipeline, scaling(last))
    if found is None:
        return None
    columns, notes = found
    names = list(steps_of(pipeline)[0].feature_names_in_)

    def features(given: dict[str, Array]) -> Array:
        x = as_pandas(pipeline, given)
        for step in steps_of(pipeline)[:-1]:
            x = step.transform(x)
        return run(scaling(last), np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float64))

    return TableModel(
        pipeline,
        sorted({column.source for column in columns}, key=lambda source: names.index(source.name)),
        columns,
        frozenset(("",)),
        last.model_,
        decoding(last),
        partial(as_pandas, pipeline),
        features,
        classes=getattr(last, "classes_", None),
        targets=last.n_outputs_,
        levels=getattr(last, "_levels", 1),
        notes=notes,
    )


def encodable(word: str) -> bool:
    """Whether UTF-8 has it: halves of characters do not leave Python."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def coded(call: Call, missing: Collection[str]) -> dict[str, int]:
    """The code of each word, those for a missing value among them."""
    known = zip(call.arrays["words"].tolist(), call.arrays["codes"].tolist(), strict=True)
    gap = int(call.numbers["gap"])
    found = dict(known) | dict.fromkeys(sorted(missing), gap)
    other = int(call.numbers["other"])
    return {word: code for word, code in found.items() if encodable(word) and code != other}


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
    texts = ["".join(rng.choice(letters, size)).strip() for size in rng.integers(1, 60, ROWS)]  # as tables are read
    return np.array(texts, object)


DRAWN: dict[str, Callable[[Call, np.random.Generator, float, float], Array]] = {
    "impute": _numbers,
    "lookup": _words,
    "calendar": _moments,
    "pieces": _texts,
}
