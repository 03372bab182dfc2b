"""Convert a table model to an ONNX graph: one named input per column; label and probabilities, or numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ... import __version__
from ..._support.checks import sentence
from ..._support.files import digest
from ...tabular.encoders.program import MOMENTS, NUMBERS, WORDS
from ..programs import check_program, layer_programs
from ..tables import TableModel, encodable
from .columns import features_of
from .network import WHO, ListGraph
from .nodes import NODES, through
from .outcome import classify, kind_of_labels, regress
from .runtime import add_facts, as_model, newest_opset

LABEL, PROBABILITIES, NUMBER = "label", "probabilities", "variable"
DTYPES = {NUMBERS: np.dtype(np.float64), WORDS: np.dtype(object), MOMENTS: np.dtype(np.int64)}
MEANING = {
    NUMBERS: "numbers as double, NaN if missing",
    WORDS: 'text, "" if missing',
    MOMENTS: "dates as int64 microseconds since 1970 in UTC, the smallest integer if missing",
}


def from_table(model: TableModel, double: bool, opset: int | None) -> tuple[Any, list[str]]:
    """Return the graph and the notes."""
    programs = layer_programs(WHO, model.network.layers, NODES)
    check_program(WHO, type(model.fitted).__name__, model.decoding, NODES)
    g = ListGraph(np.float64, model.network.layers)
    outputs = [LABEL, PROBABILITIES] if model.classes is not None else [NUMBER]
    for name in outputs:
        g.new_name(name)
    inputs = {source.name: g.new_name(_name(source.name)) for source in model.sources}
    z = features_of(g, model, inputs)
    g.dtype = np.dtype(np.float64 if double else np.float32)
    z = z if double else g.cast(z, g.dtype)
    for index, (_, program) in enumerate(programs):
        g.prefix = f"{index}."
        z = through(g, program, z)
    g.prefix = ""
    ends = _answer(g, model, z, double)
    given = [_end(inputs[source.name], DTYPES[source.takes], [1]) for source in model.sources]
    from onnx import helper

    graph = helper.make_graph(g.nodes, "chainrule", given, ends, g.constants, value_info=g.known)
    proto = as_model(graph, opset or newest_opset())
    add_facts(proto, _facts(model, inputs))
    return proto, [*_notes(model, inputs), *model.notes]


def _name(column: str) -> str:
    """Return the name of an input: that of the column, never empty."""
    if not encodable(column):
        raise ValueError(sentence(WHO, "names of columns without lone surrogates", repr(column), "rename it"))
    return column or "column"


def _answer(g: ListGraph, model: TableModel, z: str, double: bool) -> list[Any]:
    """Add the nodes of the answer; return the outputs with their types."""
    if model.classes is not None:
        decoding = model.decoding[-1]
        classify(g, z, decoding, model.classes, LABEL, PROBABILITIES)
        several = decoding.op == "sigmoid"
        label = _end(LABEL, np.dtype(kind_of_labels(model.classes, several)), [len(model.classes)] * several)
        return [label, _end(PROBABILITIES, g.dtype, [len(model.classes)])]
    z = z if double else g.cast(z, np.float64)
    g.dtype = np.dtype(np.float64)  # 2e9 ± 50 has more digits than float32
    regress(g, z, model.decoding, model.targets, model.levels, NUMBER)
    shape = [size for size in (model.targets, model.levels) if size > 1] or [1]
    return [_end(NUMBER, g.dtype, shape)]


def _end(name: str, dtype: np.dtype[Any], shape: list[int]) -> Any:
    """Declare an input or output of the graph, for any number of rows."""
    from onnx import TensorProto, helper

    kind = TensorProto.STRING if dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(dtype)
    return helper.make_tensor_value_info(name, kind, ["rows", *shape])


def _facts(model: TableModel, inputs: dict[str, str]) -> dict[str, str]:
    """Return the metadata: how to turn a frame into inputs, and names."""
    columns = [[*source.__dict__.values(), inputs[source.name]] for source in model.sources]
    network = model.network
    facts = {
        "chainrule": __version__,
        "parameters_sha256": digest({**network.parameters, **network.buffers}, {}),
        "input": "; ".join(MEANING[takes] for takes in DTYPES if any(one.takes == takes for one in model.sources)),
        "feature_names": json.dumps([source.name for source in model.sources]),
        "columns": json.dumps(columns),
        "missing": json.dumps(sorted(filter(encodable, model.missing))),
    }
    if model.classes is not None:
        facts["class_names"] = json.dumps([str(label) for label in model.classes])
    return facts


def _notes(model: TableModel, inputs: dict[str, str]) -> list[str]:
    """Return notes on the inputs."""
    notes = ["takes raw rows, one input of shape (N, 1) per column: see chainrule.convert.onnx_inputs"]
    renamed = {name: own for name, own in inputs.items() if name != own}
    if renamed:
        notes.append(
            "inputs with another name than their column: " + ", ".join(f"{a!r} is {b!r}" for a, b in renamed.items())
        )
    if any(column.call.op == "pieces" for column in model.columns):
        notes.append("text is split by an operator of ONNX Runtime, com.microsoft.Tokenizer")
    return notes
