"""Converters for skl2onnx: ``import chainrule.estimators.onnx``, and ``skl2onnx.to_onnx`` knows our estimators.

>>> import numpy as np
>>> import chainrule as cr
>>> import chainrule.estimators.onnx
>>> from skl2onnx import to_onnx
>>> X, y = np.float32([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
>>> model = cr.MLPClassifier((4,), activation="gelu", solver="lbfgs", random_state=0).fit(X, y)
>>> graph = to_onnx(model, X[:1], options={"zipmap": False})
>>> [output.name for output in graph.graph.output]
['label', 'probabilities']
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array, require, sentence
from ..losses import GaussianNLL, Poisson
from ..nodes import Graph, through
from .classifier import MLPClassifier
from .regressor import MLPRegressor

require("skl2onnx", "onnx", "chainrule.estimators.onnx")


class _SklearnGraph(Graph):
    """Nodes in the container that skl2onnx collects them in."""

    who = "skl2onnx"

    def __init__(self, scope: Any, container: Any, dtype: Any) -> None:
        super().__init__(dtype)
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


def _outputs(g: Graph, estimator: Any, x: str) -> str:
    """The network's outputs z, of X as the estimator is given it."""
    x = g.cast(x, g.dtype)
    if estimator.scaler_ is not None:
        x = _minus(g, x, estimator.scaler_.mean_) if estimator.scaler_.with_mean else x
        x = g.Div(x, estimator.scaler_.scale_)
    return through(g, estimator.model_.layers, x)


def _minus(g: Graph, x: str, mean: Array) -> str:
    """x − mean, in two parts where one would lose digits: the second is what rounding took from the first."""
    with np.errstate(over="ignore"):
        high = mean.astype(g.dtype).astype(np.float64)
    low = mean - high
    x = g.Sub(x, high)
    return g.Sub(x, low) if low.any() else x


def _graph(scope: Any, operator: Any, container: Any) -> Graph:
    from skl2onnx.common.data_types import DoubleTensorType

    double = isinstance(operator.inputs[0].type, DoubleTensorType)
    return _SklearnGraph(scope, container, np.float64 if double else np.float32)


# The classifier: label and probabilities.


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.utils_classifier import get_label_classes

    fitted, g = operator.raw_operator, _graph(scope, operator, container)
    label, probabilities = (output.full_name for output in operator.outputs)
    z = _outputs(g, fitted, operator.inputs[0].full_name)
    if fitted.out_activation_ == "softmax":
        g.Softmax(z, axis=1, out=probabilities)
        index = g.ArgMax(z, axis=1, keepdims=0)
    elif fitted._multilabel:
        g.Sigmoid(z, out=probabilities)
        g.cast(g.Greater(z, 0.0), np.int64, out=label)
        return
    else:
        g.Concat(g.Sigmoid(g.Neg(z)), g.Sigmoid(z), axis=1, out=probabilities)
        index = g.Reshape(g.cast(g.Greater(z, 0.0), np.int64), np.array([-1]))
    g.Gather(_labels(get_label_classes(scope, fitted)), index, out=label)


def _labels(classes: Array) -> Array:
    """The labels as ONNX holds them: text, or whole numbers of 64 bits."""
    if len(classes) < 2:
        remedy = "train on rows of two classes or more"
        raise ValueError(sentence("skl2onnx", "at least two classes", repr(classes.tolist()), remedy))
    if classes.dtype.kind in "OUT":
        odd = [one for one in classes.tolist() if not isinstance(one, str) or "\0" in one or not _is_unicode(one)]
        if odd:
            expected, remedy = (
                "labels of text without NUL or halves of characters",
                "rename such classes first",
            )
            raise ValueError(sentence("skl2onnx", expected, repr(odd[0]), remedy))
        return classes.astype(object)
    odd = [one for one in classes.tolist() if classes.dtype.kind not in "iufb" or not -(2**63) <= one < 2**63]
    if odd:
        expected, remedy = "labels that are text or integers of 64 bits", "train on text, y.astype(str)"
        raise ValueError(sentence("skl2onnx", expected, repr(odd[0]), remedy))
    return classes.astype(np.int64)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import Int64TensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from skl2onnx.common.utils_classifier import get_label_classes

    fitted = operator.raw_operator
    _labels(get_label_classes(operator.scope_inst, fitted))
    calculate_linear_classifier_output_shapes(operator)
    if fitted._multilabel:
        operator.outputs[0].set_type(Int64TensorType([operator.inputs[0].get_first_dimension(), fitted.n_outputs_]))


# The regressor: the prediction, and with option return_std its standard deviation.


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    fitted, g = operator.raw_operator, _graph(scope, operator, container)
    prediction, *std = (output.full_name for output in operator.outputs)
    z = _outputs(g, fitted, operator.inputs[0].full_name)
    mean, spread = (0.0, 1.0) if fitted.target_scaler_ is None else (fitted.target_scaler_.mean_, fitted._spread)
    if isinstance(fitted._loss, GaussianNLL):
        z, log_variance = (g.Gather(z, np.arange(D) + half, axis=1) for D in [fitted.n_outputs_] for half in (0, D))
        if std:
            g.Mul(g.Sqrt(g.Add(g.Exp(log_variance), fitted._loss.floor)), spread, out=std[0])
    elif std:
        raise ValueError(sentence("skl2onnx option return_std", 'loss="gaussian_nll"', f"loss={fitted.loss!r}"))
    if isinstance(fitted._loss, Poisson):
        g.Exp(z, out=prediction)
        return
    if fitted._levels > 1 and fitted.n_outputs_ > 1:
        z = g.Reshape(z, np.array([-1, fitted.n_outputs_, fitted._levels]))
        mean, spread = (np.reshape(numbers, (-1, 1)) for numbers in (mean, spread))
    g.Add(g.Mul(z, spread), mean, out=prediction)


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


def register() -> None:
    """Make our two estimators known to skl2onnx; importing this module does it."""
    from skl2onnx import update_registered_converter

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


register()
