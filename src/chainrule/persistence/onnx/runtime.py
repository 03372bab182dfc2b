"""Use the ONNX libraries: check a graph, run it, and quantise its weights."""

from __future__ import annotations

import re
import tempfile
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..._support.checks import require, sentence
from ..foreign import reason

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
