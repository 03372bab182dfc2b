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

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._checks import Array, require, sentence
from ..layers import BatchNorm, Dropout, LayerNorm, Linear
from ..layers.activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    HardSigmoid,
    Identity,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..losses import GaussianNLL, Poisson
from ..ops.activations.smooth import SELU_ALPHA, SELU_SCALE
from .classifier import MLPClassifier
from .regressor import MLPRegressor

require("skl2onnx", "onnx", "chainrule.estimators.onnx")


class Graph:
    """Nodes as calls: ``g.Add(x, 1.0)`` adds one and gives the name of its output; numbers become constants.

    Constants take ``dtype``, that of the computation, unless they are integers or text.
    """

    def __init__(self, scope: Any, container: Any, dtype: Any) -> None:
        self.scope, self.container, self.dtype = scope, container, np.dtype(dtype)

    def __getattr__(self, op: str) -> Callable[..., str]:
        def node(*inputs: Any, out: str | None = None, **attributes: Any) -> str:
            out = out or self.scope.get_unique_variable_name(op.lower())
            names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
            self.container.add_node(op, names, out, name=self.scope.get_unique_operator_name(op), **attributes)
            return out

        return node

    def constant(self, value: Any) -> str:
        """The name of a new constant."""
        from onnx.helper import np_dtype_to_tensor_dtype

        array = np.asarray(value)
        if array.dtype.kind in "fb":
            array = array.astype(self.dtype)
        text = array.dtype.kind in "OU"
        kind = np_dtype_to_tensor_dtype(np.dtype(object) if text else array.dtype)
        content = [str(one).encode() for one in array.flat] if text else array.ravel()
        name: str = self.scope.get_unique_variable_name("constant")
        self.container.add_initializer(name, kind, array.shape, content)
        return name

    def cast(self, x: str, dtype: Any, out: str | None = None) -> str:
        """x as numbers of another type."""
        from onnx.helper import np_dtype_to_tensor_dtype

        return self.Cast(x, out=out, to=np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _softplus(g: Graph, x: str) -> str:
    """max(x, 0) + log(1 + exp(−|x|))"""
    return g.Add(g.Relu(x), g.Log(g.Add(g.Exp(g.Neg(g.Abs(x))), 1.0)))


def _elu(g: Graph, x: str, alpha: float) -> str:
    """max(x, 0) + α (exp(min(x, 0)) − 1)"""
    return g.Add(g.Relu(x), g.Mul(g.Sub(g.Exp(g.Min(x, 0.0)), 1.0), alpha))


def _gelu(g: Graph, x: str, approximate: str) -> str:
    """½ x (1 + erf(x/√2)), or ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))"""
    if approximate == "tanh":
        cubic = g.Add(x, g.Mul(g.Mul(g.Mul(x, x), x), 0.044715))
        gate = g.Tanh(g.Mul(cubic, math.sqrt(2 / math.pi)))
    else:
        inner = g.cast(g.Mul(x, math.sqrt(0.5)), np.float32)  # ONNX Runtime has erf for no other type
        gate = g.cast(g.Erf(inner), g.dtype)
    return g.Mul(g.Mul(x, 0.5), g.Add(gate, 1.0))


#: Each activation a, of x, from operators that ONNX Runtime has for float32 and float64.
EQUATIONS: dict[type[Activation], Callable[[Graph, Any, str], str]] = {
    ELU: lambda g, a, x: _elu(g, x, a.alpha),
    GELU: lambda g, a, x: _gelu(g, x, a.approximate),
    HardSigmoid: lambda g, a, x: g.Min(g.Max(g.Add(g.Div(x, 6.0), 0.5), 0.0), 1.0),
    Identity: lambda g, a, x: x,
    LeakyReLU: lambda g, a, x: g.Max(x, g.Mul(x, a.slope)),
    Mish: lambda g, a, x: g.Mul(x, g.Tanh(_softplus(g, x))),
    ReLU: lambda g, a, x: g.Relu(x),
    SELU: lambda g, a, x: g.Mul(_elu(g, x, SELU_ALPHA), SELU_SCALE),
    Sigmoid: lambda g, a, x: g.Sigmoid(x),
    SiLU: lambda g, a, x: g.Mul(x, g.Sigmoid(x)),
    Softmax: lambda g, a, x: g.Softmax(x, axis=1),
    Softplus: lambda g, a, x: _softplus(g, x),
    Tanh: lambda g, a, x: g.Tanh(x),
}


def _normalized(g: Graph, layer: LayerNorm, x: str) -> str:
    """gain · (x − μ) / √(σ² + ε) + bias, with the means of a row as products, which every ONNX version has."""
    mean: Array = np.full((layer.features, 1), 1 / layer.features)
    centred = g.Sub(x, g.MatMul(x, mean))
    deviation = g.Sqrt(g.Add(g.MatMul(g.Mul(centred, centred), mean), layer.epsilon))
    return g.Add(g.Mul(g.Div(centred, deviation), layer.gain), layer.bias)


def _layer(g: Graph, layer: Any, x: str) -> str:
    """What one layer does in prediction."""
    if isinstance(layer, Linear):
        z = g.Add(g.MatMul(x, layer.W), layer.b)
        return z if layer._activation is None else _layer(g, layer._activation, z)
    if isinstance(layer, BatchNorm):
        factor = layer.gain / np.sqrt(layer.running_variance + layer.epsilon)
        return g.Add(g.Mul(x, factor), layer.bias - layer.running_mean * factor)
    if isinstance(layer, LayerNorm):
        return _normalized(g, layer, x)
    if isinstance(layer, Dropout):
        return x
    if type(layer) not in EQUATIONS:
        remedy = "convert a network with one of chainrule's own"
        raise ValueError(sentence("skl2onnx", "an activation whose equation it knows", repr(layer), remedy))
    return EQUATIONS[type(layer)](g, layer, x)


def _outputs(g: Graph, estimator: Any, x: str) -> str:
    """The network's outputs z, of X as the estimator is given it."""
    x = g.cast(x, g.dtype)
    if estimator.scaler_ is not None:
        x = g.Sub(x, estimator.scaler_.mean_) if estimator.scaler_.with_mean else x
        x = g.Div(x, estimator.scaler_.scale_)
    for layer in estimator.model_.layers:
        x = _layer(g, layer, x)
    return x


def _graph(scope: Any, operator: Any, container: Any) -> Graph:
    from skl2onnx.common.data_types import DoubleTensorType

    double = isinstance(operator.inputs[0].type, DoubleTensorType)
    return Graph(scope, container, np.float64 if double else np.float32)


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
    classes = get_label_classes(scope, fitted)
    g.Gather(classes if classes.dtype.kind in "OU" else classes.astype(np.int64), index, out=label)


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import Int64TensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    calculate_linear_classifier_output_shapes(operator)
    fitted = operator.raw_operator
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
