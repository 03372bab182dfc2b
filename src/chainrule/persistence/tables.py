"""A model that takes a table as it comes, said once for all formats: columns · scaling · network · decoding.

    columns --a call each--> raw features --scales--> features --front, network--> z --decoding--> the answer

Columns, scales, front and the decoding of numbers are computed in float64, the network in its own type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .._support.checks import Array
from ..layers.program import Program
from ..model import Sequential
from ..tabular.encoders.program import ColumnProgram, Source
from ..tabular.encoders.scaling import Scales, joined
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
    columns : what is computed of each column, in the order in which the network takes it
    missing : the words for a missing value
    network : its layers
    decoding : what makes the answer of what the network gives
    frame : columns (N,) by their names → the rows as ``fitted`` takes them
    front : what is computed of all features before the network
    classes : the labels of a classifier, or None
    targets, levels : how many numbers a regressor predicts, and how many quantiles of each
    notes : what to know of the file
    """

    fitted: Any
    columns: Sequence[ColumnProgram]
    missing: frozenset[str]
    network: Sequential
    decoding: Program
    frame: Callable[[dict[str, Array]], Any]
    front: Program = ()
    classes: Array | None = None
    targets: int = 1
    levels: int = 1
    notes: Sequence[str] = field(default=())

    @cached_property
    def sources(self) -> list[Source]:
        """The different columns, in order of their first use."""
        return list(dict.fromkeys(column.source for column in self.columns))

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
        columns,
        MISSING | encoder.missing,
        fitted.model_,
        fitted.decoding_(),
        frame,
        classes=getattr(fitted, "classes_", None),
        targets=fitted.n_outputs_,
        levels=1 if quantiles is None else len(quantiles),
    )


def _of_pipeline(pipeline: Any) -> TableModel | None:
    found = columns_of_pipeline(pipeline)
    if found is None:
        return None
    from ..estimators.program import decoding, scaling

    last, (columns, front, notes) = pipeline.steps[-1][1], found
    return TableModel(
        pipeline,
        columns,
        frozenset(("",)),
        last.model_,
        decoding(last),
        as_pandas,
        front=(*front, *scaling(last)),
        classes=getattr(last, "classes_", None),
        targets=last.n_outputs_,
        levels=getattr(last, "_levels", 1),
        notes=notes,
    )
