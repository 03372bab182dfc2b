"""A model that takes a table as it comes, said once for all formats: columns · scaling · network · decoding.

    columns --a call each--> raw features --scales--> x --network--> z --decoding--> the answer

Columns, scales and the decoding of numbers are computed in float64, the network in its own type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from .._support.checks import Array
from ..layers.program import Call, Program, run
from ..model import Sequential
from ..tabular.encoders.program import ColumnProgram, Source
from ..tabular.encoders.scaling import FARTHEST, Scales, joined
from ..tabular.encoding import TableEncoder
from ..tabular.inputs import as_frame, inputs_of
from ..tabular.words import MISSING
from .agreement import Answers
from .columns import steps_of
from .pipelines import as_pandas, columns_of_pipeline, is_pipeline_of_columns

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
        """Of all features."""
        return joined([column.scales for column in self.columns])

    @property
    def is_multilabel(self) -> bool:
        """Whether a row may have several labels."""
        return self.classes is not None and self.decoding[-1].op == "sigmoid"

    def read(self, frame: Any) -> dict[str, Array]:
        """A frame by its columns (N,)."""
        return inputs_of(f"{WHO}(X=)", frame, self.sources, self.missing)

    def answers(self, columns: dict[str, Array]) -> Answers:
        """What the model itself says of columns."""
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
    from ..estimators.program import decoding, scaling

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
