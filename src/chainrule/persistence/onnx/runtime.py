"""Use the ONNX libraries: check a graph, quantise its weights, run it, and turn a frame into its inputs."""

from __future__ import annotations

import json
import os
import re
import tempfile
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, require, sentence
from ..._support.files import as_path, check_readable
from ...tabular.encoders.program import Source
from ...tabular.inputs import inputs_of
from ..agreement import reason

DOMAINS = {"ai.onnx.ml": 3, "com.microsoft": 1}  # with the version of its operators
COMMON_OPSET = 21  # of onnx 1.16, which every ONNX Runtime since 1.18 runs


def installed() -> bool:
    """Whether ONNX Runtime is installed."""
    return find_spec("onnxruntime") is not None


def session(proto: bytes) -> Any:
    """Open a session for the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised anyway; its warnings are about speed
    try:
        return onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the errors of ONNX Runtime have no common class
        who = f"ONNX Runtime {onnxruntime.__version__}"
        if missing := re.search(r"Could not find an implementation for (\w+)", str(error)):
            got = f"{missing[1]}, an operator that {who} lacks for numbers of this type"
            remedy = "do that step outside the file"
            raise ValueError(sentence("export to ONNX", "operators that can be run", got, remedy)) from None
        remedy = "update it, or pass an older opset"
        raise ValueError(sentence(who, "a file that it can run", reason(error), remedy)) from None


@cache
def newest_opset() -> int:
    """Return the newest version of the operators that the installed onnx and ONNX Runtime both support."""
    from onnx.defs import onnx_opset_version

    newest: int = onnx_opset_version()
    if not installed():
        return min(newest, COMMON_OPSET)
    while newest > COMMON_OPSET and not _runs(newest):
        newest -= 1
    return newest


def _runs(opset: int) -> bool:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", ends[:1], ends[1:])
    try:
        session(as_model(graph, opset).SerializeToString())
    except ValueError:
        return False
    return True


def as_model(graph: Any, opset: int) -> Any:
    """Build a model of this version, in the oldest file format that supports it."""
    from onnx import helper

    used = {node.domain for node in graph.node} - {""}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, DOMAINS[name]) for name in sorted(used))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets[:1]))


def check_graph(proto: Any) -> None:
    """Raise a ValueError unless the graph follows the standard, with every shape known."""
    from onnx import checker

    try:
        checker.check_model(proto, full_check=True)
    except Exception as error:  # the errors of onnx have no common class
        got = reason(error)
        remedy = "update skl2onnx, or leave the outermost estimator out"
        raise ValueError(sentence("export to ONNX", "a graph that the standard allows", got, remedy)) from None


def quantized(proto: Any, products: list[str]) -> Any:
    """Quantise the products with W to int8, with a scale per column of W; to 7 bits, so that sums never saturate."""
    require("onnxruntime", "onnx", 'export with precision="int8"')
    if not products:
        return proto
    from onnx import TensorProto, load
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    add_pre_process_metadata(proto)  # it would advise simplification
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # ONNX Runtime 1.18 uses what onnx 1.16 deprecates
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            proto,
            path,
            nodes_to_quantize=products,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},  # where ONNX Runtime 1.18 infers none
        )
        small = load(path)
    kept = [(entry.key, entry.value) for entry in small.metadata_props if not entry.key.startswith("onnx.")]
    del small.metadata_props[:]
    add_facts(small, dict(kept))
    return small


def add_facts(proto: Any, facts: dict[str, str]) -> None:
    """Add metadata: text by name."""
    for key, value in facts.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value


WHO = "onnx_inputs"
NOT_IN_UTF8 = re.compile(r"[\ud800-\udfff]")


def onnx_inputs(model: str | os.PathLike[str] | Any, frame: Any) -> dict[str, Array]:
    """Turn a frame into the inputs of an ONNX file that :func:`~chainrule.export` wrote from a table model.

    Numbers become float64, text, categories and flags become text, and dates become int64 microseconds since 1970 in
    UTC. A missing value is NaN, ``""`` or the smallest integer. The file knows how dates and decimals are written as
    text, and which words count as missing.

    Parameters
    ----------
    model : path or onnxruntime.InferenceSession
        The file, or the session that runs it.
    frame : frame or dict of arrays
        A pandas, polars or Arrow frame, or a dict. Columns that the model does not use are ignored.

    Returns
    -------
    dict of str to array (N, 1)
        The inputs, for ``session.run(None, inputs)``.

    Raises
    ------
    ValueError
        If the file takes no table, a column is missing, or a column has values of another kind.

    Examples
    --------
    >>> import onnxruntime, pathlib, tempfile
    >>> import chainrule as cr
    >>> trees = {"height": [3.0, 4.0, 20.0, None, 22.0, 19.0] * 10, "leaves": ["round", "round", "thin"] * 20}
    >>> model = cr.TabularClassifier(max_epochs=5, random_state=0).fit(trees, ["oak", "oak", "fir"] * 20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = cr.export(model, pathlib.Path(folder) / "trees.onnx").path
    ...     session = onnxruntime.InferenceSession(file)
    >>> inputs = cr.convert.onnx_inputs(session, {"leaves": ["thin", None], "height": [25, 2]})
    >>> {name: x.shape for name, x in inputs.items()}
    {'height': (2, 1), 'leaves': (2, 1)}
    >>> label, probabilities = session.run(None, inputs)
    >>> probabilities.shape
    (2, 2)
    """
    facts = model.get_modelmeta().custom_metadata_map if hasattr(model, "get_modelmeta") else _of_file(model)
    if "columns" not in facts:
        expected = "an ONNX file that takes a table, as export writes it"
        raise ValueError(sentence(WHO, expected, "one that takes numbers alone", "pass them as its inputs say"))
    return as_inputs(facts, frame)


def _of_file(path: Any) -> dict[str, str]:
    onnx = require("onnx", "onnx", WHO)
    path = as_path(WHO, path)
    check_readable(WHO, path, "ONNX file")
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf
        raise ValueError(sentence(WHO, "an ONNX file", f"{path} ({type(error).__name__})")) from None
    return {entry.key: entry.value for entry in proto.metadata_props}


def as_inputs(facts: dict[str, str], frame: Any) -> dict[str, Array]:
    """Turn a frame into inputs, by the metadata of the file."""
    try:
        names = {Source(*known): name for *known, name in json.loads(facts["columns"])}
        missing = frozenset(json.loads(facts["missing"]))
    except (ValueError, TypeError, KeyError):
        raise ValueError(sentence(WHO, "a file as export writes it", "one whose columns were changed")) from None
    columns = inputs_of(WHO, frame, names, missing)
    return {name: _held(columns[source.name])[:, None] for source, name in names.items()}


def _held(column: Array) -> Array:
    if column.dtype != object:
        return column
    return np.array([NOT_IN_UTF8.sub("\N{REPLACEMENT CHARACTER}", word).replace("\0", " ") for word in column], object)
