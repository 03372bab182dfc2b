"""Write networks and fitted estimators as ONNX files, and compare them with the model in ONNX Runtime.

The file contains the graph of the prediction for any number of rows, and in ``metadata_props`` the facts about the
model: ``class_names``, ``feature_names``, ``encoder`` (of a table) and all other ``metadata`` as JSON, the meaning of
``input``, the SHA-256 of the parameters and the version of chainrule.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ..._support.checks import Array, check_integer, check_name, require, sentence
from ..._support.files import replacing
from ...layers.base import Shape
from ...layers.program import Call, Program, program_of, run
from ...model import Sequential
from ...tabular.inputs import as_frame
from ..agreement import Answers, answers, distance
from ..programs import layer_programs
from ..rows import row_shape, sample_rows
from ..tables import TableModel
from .estimator import feeds, from_estimator
from .graph import DOUBLE, WHO, ListGraph, declared, facts_of
from .nodes import NODES, through, through_layers
from .runtime import (
    COMMON_OPSET,
    as_inputs,
    check_graph,
    installed,
    quantized,
    session,
)
from .table import from_table

OLDEST_OPSET = 13
PRECISIONS = ("float32", "float64", "float16", "int8")
OUTPUTS = ("model", "probabilities")
MOST_BYTES = 1 << 31  # of a protobuf message
FLOATS = ("float32", "float64")

__all__ = ["check", "write"]


def write(
    model: Any,
    path: Path,
    rows: Any = None,
    *,
    precision: str = "float32",
    outputs: str = "model",
    input_shape: Sequence[int] | None = None,
    opset: int | None = COMMON_OPSET,
) -> list[str]:
    """Write the file atomically, with the options of :func:`~chainrule.export`; return notes about it.

    The rows, some for the model, determine the types of the columns of a frame.
    """
    require("onnx", "onnx", WHO)
    check_name(WHO, "a precision", precision, PRECISIONS)
    check_name(WHO, "the outputs", outputs, OUTPUTS)
    _check_opset(opset)
    if isinstance(model, Sequential):
        proto, notes = from_network(model, precision, outputs, input_shape, opset)
    elif isinstance(model, TableModel):
        _check_plain(model.fitted, precision not in (*FLOATS, "int8"), outputs, input_shape)
        proto, notes = from_table(model, precision == "float64", opset)
    else:
        _check_plain(model, precision not in FLOATS, outputs, input_shape)
        rows = sample_rows(model) if rows is None else rows
        proto, notes = from_estimator(model, rows, precision == "float64", opset)
    if precision == "int8":
        products = [node.name for node in proto.graph.node if ".affine.MatMul" in node.name]
        rounded = "int8 rounds weights and inputs of layers: check the accuracy on your data"
        notes.append(rounded if products else "no layer has weights that int8 could hold")
        proto = quantized(proto, products)
    proto.producer_name, proto.producer_version = "chainrule", __version__
    check_graph(proto)
    with replacing("export", path) as stream:
        stream.write(proto.SerializeToString())
    if not installed():
        notes.append("not compared with the model: ONNX Runtime is not installed (pip install 'chainrule[onnx]')")
    return notes


def _check_plain(fitted: Any, precision: bool, outputs: str, input_shape: Any) -> None:
    given = {"precision": precision, "outputs": outputs != "model", "input_shape": input_shape}
    for name in (name for name, is_given in given.items() if is_given):
        remedy = "leave it out, or export the network alone, estimator.model_"
        raise ValueError(sentence(WHO, f"{name} for a Sequential only", f"it for {type(fitted).__name__}", remedy))


def _check_opset(opset: int | None) -> None:
    from onnx.defs import onnx_opset_version

    if opset is not None and check_integer(WHO, "opset", opset, minimum=OLDEST_OPSET) > onnx_opset_version():
        expected = f"an opset that the installed onnx knows, up to {onnx_opset_version()}"
        raise ValueError(sentence(WHO, expected, str(opset), "update onnx, or take an older one"))


def check(model: Any, path: Path, rows: Any) -> float | None:
    """Return the distance of a file in ONNX Runtime from the model in float64; None without ONNX Runtime."""
    if not installed():
        return None
    run = session(path.read_bytes())
    if isinstance(model, TableModel):
        return _check_table(model, run, rows)
    names = [output.name for output in run.get_outputs()]
    found = dict(zip(names, run.run(names, feeds(run, rows)), strict=True))
    expected = answers(model, rows)
    if hasattr(model, "classes_"):
        return distance(Answers(found.get("probabilities"), found[names[0]]), expected)
    if names == ["probabilities"] and expected.numbers is not None:
        expected = Answers(probabilities(model, expected.numbers), unit=1.0)
    return distance(Answers(found[names[0]]), expected)


def _check_table(model: TableModel, run: Any, columns: dict[str, Any]) -> float:
    inputs = as_inputs(run.get_modelmeta().custom_metadata_map, as_frame(columns))
    found, expected = run.run(None, inputs), model.answers(columns)
    return distance(Answers(found[-1], found[0] if model.classes is not None else None), expected)


# --- networks -----------------------------------------------------------------------------------------------------


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
    y = through_layers(g, programs, y)
    given, result = _shapes(model, input_shape)
    if outputs == "probabilities":
        y = _add_probabilities(g, model, result, y)
    name = "probabilities" if outputs == "probabilities" else "y"
    if half:
        g.cast(y, np.float32, out=name)
    else:
        g.Identity(y, out=name)
    kind = "float64" if double else "float32"
    ends = declared("x", kind, *given), declared(name, kind, *result)
    proto = g.finished([ends[0]], [ends[1]], opset, _facts(model, given, result, kind))
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
        **facts_of(model),
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
