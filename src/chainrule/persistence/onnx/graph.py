"""The interface for building an ONNX graph, as a file or as a part of skl2onnx's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ... import __version__
from ..._support.checks import Array, check_finite, sentence
from ..._support.files import digest
from ...layers.base import Layer, walk
from ...model import Sequential
from .runtime import add_facts, as_model, newest_opset

WHO = "export to ONNX"
DOUBLE = "x and y are float64"


class Graph(ABC):
    """Build nodes by calls: ``g.Add(x, 1.0)`` adds a node and returns the name of its output; numbers become constants.

    Constants have the ``dtype`` of the computation, unless they are integers or text; parameters and statistics of the
    layers keep their names. ``prefix`` and ``kind`` are the position of the current layer and its op ("2.", "gelu"),
    for names, and ``who`` is the call that errors name.
    """

    who: str
    prefix = ""
    kind = ""

    def __init__(self, dtype: Any, layers: Iterable[Layer]) -> None:
        self.dtype = np.dtype(dtype)
        self._added: dict[Any, str] = {}
        self._names = {
            id(getattr(layer, name)): prefix + name
            for prefix, layer in walk(list(layers))
            for name in (*layer.parameter_shapes(), *layer.buffers())
        }

    @abstractmethod
    def new_name(self, hint: str) -> str:
        """Return an unused name."""

    @abstractmethod
    def add_node(self, op: str, inputs: list[str], output: str, attributes: dict[str, Any]) -> None:
        """Add a node."""

    @abstractmethod
    def add_constant(self, name: str, array: Array) -> None:
        """Add a constant."""

    def __getattr__(self, op: str) -> Callable[..., str]:
        if not op[:1].isupper():
            raise AttributeError(op)

        def node(*inputs: Any, out: str | None = None, **attributes: Any) -> str:
            names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
            out = out or self.new_name(f"{self.prefix}{self.kind}{'.' * bool(self.kind)}{op}")
            self.add_node(op, names, out, attributes)
            return out

        return node

    def constant(self, value: Any, hint: str = "constant") -> str:
        """Add a constant and return its name; parameters that several members share are added once."""
        name, key = self._names.get(id(value), f"{self.prefix}{hint}"), (id(value), self.dtype)
        if key in self._added:
            return self._added[key]
        array = np.asarray(value)
        if array.dtype.kind in "fb":
            array = self._held(array, name)
        name = self.new_name(name)
        self.add_constant(name, array)
        if id(value) in self._names:
            self._added[key] = name
        return name

    def _held(self, array: Array, name: str) -> Array:
        """Convert numbers to the dtype of the computation; raise if one overflows, or if a single number becomes 0."""
        check_finite(self.who, name, array)
        with np.errstate(over="ignore", under="ignore"):
            held: Array = array.astype(self.dtype)
        if not np.isfinite(held).all():
            expected = f"parameters within ±{np.finfo(held.dtype).max:.5g} for {held.dtype.name}"
            remedy = "use float32" if held.dtype == np.float16 else "use float64"
            raise ValueError(sentence(self.who, expected, f"larger ones in {name}", remedy))
        return held

    def cast(self, x: str, dtype: Any, out: str | None = None) -> str:
        from onnx.helper import np_dtype_to_tensor_dtype

        return self.Cast(x, out=out, to=np_dtype_to_tensor_dtype(np.dtype(dtype)))


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
        self.known.append(declared(name, object, None))

    def add_constant(self, name: str, array: Array) -> None:
        from onnx.numpy_helper import from_array

        self.constants.append(from_array(array, name))

    def finished(self, inputs: list[Any], outputs: list[Any], opset: int | None, facts: dict[str, str]) -> Any:
        """Return the model of this version, or of the newest, with metadata."""
        from onnx.helper import make_graph

        graph = make_graph(self.nodes, "chainrule", inputs, outputs, self.constants, value_info=self.known)
        proto = as_model(graph, opset or newest_opset())
        add_facts(proto, facts)
        return proto


def declared(name: str, dtype: Any, *sizes: int | None) -> Any:
    """Declare a value of the graph for any number of rows; objects are text."""
    from onnx import TensorProto, helper

    dtype = np.dtype(dtype)
    kind = TensorProto.STRING if dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(dtype)
    return helper.make_tensor_value_info(name, kind, ["rows", *sizes])


def facts_of(network: Sequential) -> dict[str, str]:
    """Return the metadata of all files."""
    parameters = digest({**network.parameters, **network.buffers}, {})
    return {"chainrule": __version__, "parameters_sha256": parameters}
