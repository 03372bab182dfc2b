"""Convert a network to an ONNX graph for any number of rows, with metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import __version__
from ..._support.checks import Array, check_integer, sentence
from ..._support.files import digest
from ...layers.base import Layer, Shape
from ...layers.program import Call, Program, program_of, run
from ...model import Sequential
from ..programs import layer_programs
from ..rows import row_shape
from .graph import Graph
from .nodes import NODES, through
from .runtime import add_facts, as_model, newest_opset

WHO = "export to ONNX"
PRECISIONS = ("float32", "float64", "float16", "int8")
OUTPUTS = ("model", "probabilities")
MOST_BYTES = 1 << 31  # of a protobuf message
DOUBLE = "x and y are float64"


class ListGraph(Graph):
    """A graph that collects nodes and constants in lists."""

    who = WHO

    def __init__(self, dtype: Any, layers: Sequence[Layer]) -> None:
        super().__init__(dtype, layers)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.known: list[Any] = []
        self._taken: set[str] = set()

    def new_name(self, hint: str) -> str:
        name, number = hint, 1
        while name in self._taken:
            number += 1
            name = f"{hint}_{number}"
        self._taken.add(name)
        return name

    def add_node(self, op: str, inputs: list[str], output: str, attributes: dict[str, Any]) -> None:
        from onnx.helper import make_node

        self.nodes.append(make_node(op, inputs, [output], name=output, **attributes))

    def held_with_nan(self, array: Array) -> str:
        """Add a constant in which NaN stands for missing answers, and return its name."""
        name = self.new_name("table")
        self.add_constant(name, array.astype(self.dtype))
        return name

    def add_texts(self, name: str) -> None:
        """Declare that a value is a matrix of text, if it comes from an operator that onnx does not know."""
        from onnx import TensorProto, helper

        self.known.append(helper.make_tensor_value_info(name, TensorProto.STRING, ["rows", None]))

    def add_constant(self, name: str, array: Array) -> None:
        from onnx.numpy_helper import from_array

        self.constants.append(from_array(array, name))


def from_network(
    model: Sequential, precision: str, outputs: str, input_shape: Sequence[int] | None, opset: int | None
) -> tuple[Any, list[str]]:
    """Return the graph and the notes."""
    double, half = precision == "float64", precision == "float16"
    size = (8 if double else 4) * model.parameters.vector.size
    if size > MOST_BYTES:
        got = f"{size:,} bytes of parameters"
        raise ValueError(sentence(WHO, f"a model of less than {MOST_BYTES:,} bytes", got))
    programs = layer_programs(WHO, model.layers, NODES)
    g = ListGraph(np.float16 if half else np.float64 if double else np.float32, model.layers)
    y = g.cast("x", g.dtype) if half else "x"
    for index, (_, program) in enumerate(programs):
        g.prefix = f"{index}."
        y = through(g, program, y)
    g.prefix = ""
    given, result = _shapes(model, input_shape)
    if outputs == "probabilities":
        y = _add_probabilities(g, model, result, y)
    name = "probabilities" if outputs == "probabilities" else "y"
    if half:
        g.cast(y, np.float32, out=name)
    else:
        g.Identity(y, out=name)
    kind = "float64" if double else "float32"
    proto = _proto(g, given, result, opset or newest_opset(), name, kind)
    add_facts(proto, _facts(model, given, result, kind))
    return proto, _notes(model, given, precision)


def _shapes(model: Sequential, input_shape: Sequence[int] | None) -> tuple[Shape, Shape]:
    if input_shape is None:
        given = row_shape(model.layers)
        if given is None:
            remedy = "pass input_shape=(I,)"
            raise ValueError(sentence(WHO, "to know the shape of one row", "layers that do not determine it", remedy))
    else:
        given = tuple(check_integer(WHO, "each of input_shape", size) for size in input_shape)
    shape: Shape | None = given
    for layer in model.layers:
        shape = layer.output_shape(shape)
    return given, shape or given


def _proto(g: ListGraph, given: Shape, result: Shape, opset: int, name: str, kind: str) -> Any:
    from onnx import helper

    tensor = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    ends = [
        helper.make_tensor_value_info(end, tensor, ["rows", *shape]) for end, shape in (("x", given), (name, result))
    ]
    return as_model(helper.make_graph(g.nodes, "chainrule", ends[:1], ends[1:], g.constants), opset)


def _facts(model: Sequential, given: Shape, result: Shape, kind: str) -> dict[str, str]:
    """Return the metadata: text by name; the user's entries as JSON."""
    meta = dict(model.metadata)
    known: dict[str, Any] = {}
    features = _features(model)
    if isinstance(features, list | tuple) and (len(features),) == given:
        known["feature_names"] = features
    classes = meta.get("class_names")
    if isinstance(classes, list | tuple) and (len(classes),) in (result, (2,) if result == (1,) else ()):
        known["class_names"] = classes
    known |= {"encoder": meta["encoder"]} if isinstance(meta.get("encoder"), dict) else {}
    known |= {"metadata": rest} if (rest := {name: value for name, value in meta.items() if name not in known}) else {}
    who = ", as the encoder gives them" if "encoder" in known else ""
    try:
        texts = {name: json.dumps(value, allow_nan=False) for name, value in known.items()}
    except (TypeError, ValueError, RecursionError) as error:
        remedy = "turn arrays into lists, and NaN into None"
        got = f"some that it cannot ({error})"
        raise TypeError(sentence(WHO, "metadata that JSON can hold", got, remedy)) from None
    return {
        "chainrule": __version__,
        "parameters_sha256": digest({**model.parameters, **model.buffers}, {}),
        "input": f"x: {kind}, rows of {' × '.join(map(str, given))} numbers{who}",
        **texts,
    }


def _features(model: Sequential) -> Any:
    encoder = model.metadata.get("encoder")
    if not isinstance(encoder, dict):
        return model.metadata.get("feature_names")
    from ...tabular.earlier import EarlierEncoder

    try:
        return EarlierEncoder.from_dict(encoder).feature_names
    except ValueError:  # set by somebody else
        return None


def _notes(model: Sequential, given: Shape, precision: str) -> list[str]:
    notes = []
    if precision == "float64":
        notes.append(DOUBLE)
    elif model.dtype != np.float32:
        notes.append(f"the model computes in {model.dtype.name}, the file in float32")
    if isinstance(model.metadata.get("encoder"), dict):
        notes.append(
            f"x holds {given[0]} numbers per row as the model's TableEncoder gives them; its rules are in the metadata"
        )
    if isinstance(model.metadata.get("scaling"), dict):
        notes.append("x holds standardised columns, (x - mean) / scale; both are in the metadata")
    if isinstance(model.metadata.get("target_scaling"), dict):
        notes.append("y is standardised: times scale, plus mean it is the prediction; both are in the metadata")
    return notes


def _add_probabilities(g: ListGraph, model: Sequential, result: Shape, y: str) -> str:
    if model.metadata.get("task") == "regression" or len(result) != 1:
        remedy = "leave outputs out"
        raise ValueError(sentence(WHO, 'a classifier for outputs="probabilities"', "a regression model", remedy))
    return through(g, _decoding(model, result[0]), y)


def probabilities(model: Sequential, y: Array) -> Array:
    """Return the outputs of a file with outputs="probabilities" if the model's are y."""
    return run(_decoding(model, y.shape[1]), y)


def _decoding(model: Sequential, outputs: int) -> Program:
    """Return the op that turns this many outputs into probabilities, if the model lacks it."""
    given = any(call.op in ("softmax", "sigmoid") for call in (program_of(model.layers[-1]) or ())[-1:])
    return () if given else (Call("sigmoid" if outputs == 1 else "softmax"),)
