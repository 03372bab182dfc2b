"""Write networks and fitted estimators as ONNX files, and compare them with the model in ONNX Runtime.

The file contains the graph of the prediction for any number of rows, and in ``metadata_props`` the facts about the
model: ``class_names``, ``feature_names``, ``encoder`` (of a table) and all other ``metadata`` as JSON, the meaning of
``input``, the SHA-256 of the parameters and the version of chainrule.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ..._support.checks import check_integer, check_name, require, sentence
from ..._support.files import replacing
from ...model import Sequential
from ...tabular.inputs import as_frame
from ..agreement import Answers, answers, distance
from ..rows import sample_rows
from ..tables import TableModel
from .estimator import feeds, from_estimator
from .network import OUTPUTS, PRECISIONS, WHO, from_network, probabilities
from .runtime import COMMON_OPSET, as_inputs, check_graph, installed, quantized, session
from .table import from_table

OLDEST_OPSET = 13
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
