"""Convert a fitted estimator or pipeline to an ONNX graph with skl2onnx and our converters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from ... import __version__
from ..._support.checks import Array, require, sentence
from ..._support.files import digest
from ...layers.program import Program
from ...model import Sequential
from ..agreement import reason
from ..programs import check_program
from ..rows import last_step, needs_frame
from .graph import DOUBLE, WHO, Graph
from .nodes import NODES, classify, labels_of, regress, through
from .runtime import add_facts


class _SklearnGraph(Graph):
    """A graph that adds nodes to skl2onnx's container."""

    who = "skl2onnx"

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import DoubleTensorType

        double = isinstance(operator.inputs[0].type, DoubleTensorType)
        super().__init__(np.float64 if double else np.float32, operator.raw_operator.model_.layers)
        self.scope, self.container = scope, container

    def new_name(self, hint: str) -> str:
        name: str = self.scope.get_unique_variable_name(hint.lower())
        return name

    def add_node(self, op: str, inputs: list[str], output: str, attributes: dict[str, Any]) -> None:
        self.container.add_node(op, inputs, output, name=self.scope.get_unique_operator_name(op), **attributes)

    def add_constant(self, name: str, array: Array) -> None:
        from onnx.helper import np_dtype_to_tensor_dtype

        text = array.dtype.kind in "OU"
        kind = np_dtype_to_tensor_dtype(np.dtype(object) if text else array.dtype)
        content = [str(one).encode() for one in array.flat] if text else array.ravel()
        self.container.add_initializer(name, kind, array.shape, content)


def _begun(scope: Any, operator: Any, container: Any) -> tuple[Graph, str, Program]:
    from ...estimators.bridges import program_of_estimator

    fitted, g = operator.raw_operator, _SklearnGraph(scope, operator, container)
    program = program_of_estimator(g.who, fitted)
    check_program(g.who, type(fitted).__name__, program, NODES)
    return g, g.cast(operator.inputs[0].full_name, g.dtype), program


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.utils_classifier import get_label_classes

    g, x, (*network, decoding) = _begun(scope, operator, container)
    label, probabilities = (output.full_name for output in operator.outputs)
    classes = get_label_classes(scope, operator.raw_operator)
    classify(g, through(g, network, x), decoding, classes, label, probabilities)


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import Int64TensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from skl2onnx.common.utils_classifier import get_label_classes

    fitted = operator.raw_operator
    labels_of("skl2onnx", get_label_classes(operator.scope_inst, fitted))
    calculate_linear_classifier_output_shapes(operator)
    if fitted._multilabel:
        operator.outputs[0].set_type(Int64TensorType([operator.inputs[0].get_first_dimension(), fitted.n_outputs_]))


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    fitted = operator.raw_operator
    g, x, program = _begun(scope, operator, container)
    prediction, *std = (output.full_name for output in operator.outputs)
    has_spread = bool(program) and program[-1].op == "deviations"
    if std and not has_spread:
        raise ValueError(sentence("skl2onnx option return_std", 'loss="gaussian_nll"', f"loss={fitted.loss!r}"))
    regress(g, x, program, fitted.n_outputs_, fitted._levels, prediction, *std)


def _regressor_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    fitted, given = operator.raw_operator, operator.inputs[0]
    shape = [fitted.n_outputs_, fitted._levels]
    sizes = shape if min(shape) > 1 else [max(shape)]
    for output in operator.outputs:
        kind = DoubleTensorType if isinstance(given.type, DoubleTensorType) else FloatTensorType
        output.set_type(kind([given.get_first_dimension(), *sizes]))


def _parse_regressor(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    from skl2onnx.common.data_types import guess_tensor_type

    operator = scope.declare_local_operator(_alias(type(model)), model)
    operator.inputs = inputs
    wanted = scope.get_options(model, dict(return_std=False))
    for name in ["variable", "std"] if wanted["return_std"] else ["variable"]:
        operator.outputs.append(scope.declare_local_variable(name, guess_tensor_type(inputs[0].type)))
    return operator.outputs


def _alias(estimator: type[Any]) -> str:
    return f"Chainrule{estimator.__name__}"


@cache
def register_skl2onnx() -> None:
    """Register ``MLPClassifier`` and ``MLPRegressor`` with skl2onnx, alone and in pipelines; once is enough.

    Raises
    ------
    ModuleNotFoundError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from skl2onnx import to_onnx
    >>> cr.convert.register_skl2onnx()
    >>> X, y = np.float32([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
    >>> model = cr.MLPClassifier((4,), activation="gelu", solver="lbfgs", random_state=0).fit(X, y)
    >>> graph = to_onnx(model, X[:1], options={"zipmap": False})
    >>> [output.name for output in graph.graph.output]
    ['label', 'probabilities']
    """
    update_registered_converter = require("skl2onnx", "onnx", "register_skl2onnx").update_registered_converter

    from ...estimators import MLPClassifier, MLPRegressor

    update_registered_converter(
        MLPClassifier,
        _alias(MLPClassifier),
        _classifier_shapes,
        _convert_classifier,
        options={"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]},
    )
    update_registered_converter(
        MLPRegressor,
        _alias(MLPRegressor),
        _regressor_shapes,
        _convert_regressor,
        parser=_parse_regressor,
        options={"return_std": [False, True]},
    )


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
    inner = [(name, step) for name, step in getattr(estimator, "steps", ())]
    inner += [(name, step) for name, step, _ in getattr(estimator, "transformers_", ())]
    inner += [(name, step) for name, step in getattr(estimator, "transformer_list", ())]
    for name, step in inner:
        if not isinstance(step, str) and step is not None:
            yield from _steps(step, f"{place}.{name}" if place else name)
    if not inner:
        yield place or type(estimator).__name__, estimator
