"""Convert a fitted estimator or pipeline to an ONNX graph with skl2onnx and our converters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import __version__
from ..._support.checks import Array, require, sentence
from ..._support.files import digest
from ...model import Sequential
from ..columns import last_step, needs_frame
from ..foreign import reason
from .converters import register_skl2onnx
from .network import DOUBLE, WHO
from .runtime import add_facts


def from_estimator(estimator: Any, rows: Any, double: bool, opset: int | None) -> tuple[Any, list[str]]:
    """Convert an estimator to a model that gives label and probabilities, or numbers; with metadata."""
    to_onnx = require("skl2onnx", "onnx", WHO).to_onnx
    register_skl2onnx()
    estimator = getattr(estimator, "best_estimator_", estimator)
    types = _types(estimator, rows, double)
    try:
        proto = to_onnx(estimator, initial_types=types, options=_options(estimator), target_opset=opset)
    except Exception as error:  # the errors of skl2onnx have no common class
        raise _refusal(estimator, error) from None
    facts = {"chainrule": __version__}
    for name, attribute in (("class_names", "classes_"), ("feature_names", "feature_names_in_")):
        if hasattr(estimator, attribute):
            facts[name] = json.dumps([str(one) for one in getattr(estimator, attribute)])
    network = getattr(last_step(estimator), "model_", None)
    if isinstance(network, Sequential):
        facts["parameters_sha256"] = digest({**network.parameters, **network.buffers}, {})
    add_facts(proto, facts)
    return proto, [DOUBLE] if double else []


def _types(estimator: Any, rows: Any, double: bool) -> list[tuple[str, Any]]:
    """Return the input types: one matrix x, or one input per column if columns are selected by name."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    number = DoubleTensorType if double else FloatTensorType
    if not needs_frame(estimator):
        return [("x", number([None, int(estimator.n_features_in_)]))]
    if not hasattr(rows, "columns"):
        remedy = "pass X=frame, some rows of your data"
        raise ValueError(
            sentence(WHO, "to know the type of each named column", "a pipeline that does not state it", remedy)
        )
    kinds = {"f": number, "i": Int64TensorType, "u": Int64TensorType}
    return [(name, kinds.get(column.dtype.kind, StringTensorType)([None, 1])) for name, column in _typed(rows)]


def _typed(rows: Any) -> Iterator[tuple[str, Array]]:
    """Return the columns by the names of the file's inputs, which cannot be numbers."""
    return ((name if isinstance(name, str) else f"x{name}", np.asarray(rows[name])) for name in rows.columns)


def _options(estimator: Any) -> dict[int, dict[str, Any]]:
    """Return options that give probabilities as a matrix instead of a mapping per row."""
    return {id(last_step(estimator)): {"zipmap": False}} if hasattr(estimator, "classes_") else {}


def feeds(run: Any, rows: Any) -> dict[str, Array]:
    """Convert rows to the inputs of a session."""
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    ends = run.get_inputs()
    with np.errstate(over="ignore"):
        if len(ends) == 1 and not hasattr(rows, "columns"):
            return {ends[0].name: np.asarray(rows).astype(kinds[ends[0].type])}
        columns = dict(_typed(rows))
        if len(ends) == 1 and ends[0].name not in columns:
            return {ends[0].name: np.stack(list(columns.values()), axis=1).astype(kinds[ends[0].type])}
        return {end.name: columns[end.name].astype(kinds.get(end.type, object))[:, None] for end in ends}


def _refusal(estimator: Any, error: Exception) -> Exception:
    """Reword an error of skl2onnx, naming the unsupported step."""
    if isinstance(error, ValueError) and str(error).startswith("skl2onnx expects"):
        return ValueError(str(error).replace("skl2onnx", WHO, 1))
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    steps = list(_steps(estimator, ""))
    unknown = [(place, step) for place, step in steps if type(step) not in known]
    unknown = unknown or [(place, step) for place, step in steps if type(step).__name__ in str(error)]
    where = " and ".join(f"{type(step).__name__} at {place!r}" for place, step in unknown) or type(estimator).__name__
    got = f"{where} ({reason(error)})"
    remedy = "take that step out of the pipeline and do it before prediction"
    return ValueError(sentence(WHO, "steps that skl2onnx converts", got, remedy))


def _steps(estimator: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Return the fitted estimators in pipelines and column transformers by name."""
    inner = [(name, step) for name, step in getattr(estimator, "steps", ())]
    inner += [(name, step) for name, step, _ in getattr(estimator, "transformers_", ())]
    inner += [(name, step) for name, step in getattr(estimator, "transformer_list", ())]
    for name, step in inner:
        if not isinstance(step, str) and step is not None:
            yield from _steps(step, f"{place}.{name}" if place else name)
    if not inner:
        yield place or type(estimator).__name__, estimator
