"""ONNX Runtime, which predicts only: the network as a graph of Gemm and Relu."""

from __future__ import annotations

from typing import Any

from chainrule._support.checks import Array

from ..grid import Problem
from .contract import Predictor


def predictor(problem: Problem, x: Array) -> Predictor:
    """A session with its default settings, from array to array."""
    import onnxruntime

    session = onnxruntime.InferenceSession(as_onnx(problem), providers=["CPUExecutionProvider"])
    feed = {"x": x}
    return Predictor(lambda: session.run(None, feed)[0])


def as_onnx(problem: Problem) -> bytes:
    """The network with our first parameters as an ONNX model."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    last = len(problem.weights) - 1
    for index, (W, b) in enumerate(problem.weights):
        inputs = ["x" if index == 0 else f"h{index - 1}", f"W{index}", *([] if b is None else [f"b{index}"])]
        constants += [
            numpy_helper.from_array(array, name)
            for array, name in zip((W, b), inputs[1:], strict=False)
            if array is not None
        ]
        nodes.append(helper.make_node("Gemm", inputs, ["y" if index == last else f"z{index}"]))
        if index < last:
            nodes.append(helper.make_node("Relu", [f"z{index}"], [f"h{index}"]))
    sizes = problem.row.sizes
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        for name, width in (("x", sizes[0]), ("y", sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    serialized: bytes = model.SerializeToString()
    return serialized
