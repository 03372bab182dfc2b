"""Converters of our estimators for skl2onnx."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..._support.checks import Array, require, sentence
from ...layers.program import Program
from ..programs import check_program
from .graph import Graph
from .nodes import NODES, through
from .outcome import classify, labels_of, regress


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
    """Return the graph, x in the type of the computation, and the estimator's computation."""
    from ...estimators.program import program_of_estimator

    fitted, g = operator.raw_operator, _SklearnGraph(scope, operator, container)
    program = program_of_estimator(g.who, fitted)
    check_program(g.who, type(fitted).__name__, program, NODES)
    return g, g.cast(operator.inputs[0].full_name, g.dtype), program


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Convert a classifier: label and probabilities."""
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
    """Convert a regressor: the prediction, and with option return_std its standard deviation."""
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
