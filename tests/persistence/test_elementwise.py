"""Every op that a layer says is written by ONNX and C, and activations hold far from zero as well."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.layers.activations import ACTIVATIONS
from chainrule.layers.program import Call, every_call, programs, run
from chainrule.persistence.c.calls import OPS
from chainrule.persistence.onnx.nodes import NODES
from chainrule.persistence.programs import ELEMENTWISE
from chainrule.proof.table import LAYERS

FAR = np.float32([[-1e4, -300], [-88, -30], [-1, -1e-3], [0, 1e-6], [0.5, 1], [30, 88], [300, 1e4]])
NUMBERS = {name: dict(call.numbers) for name, layer in ACTIVATIONS.items() for call in layer.program() or ()}


def test_every_op_of_a_layer_is_written_in_both_formats() -> None:
    made = (cr.Sequential([cr.Linear(4, 6), make(), cr.Linear(6, 3)], rng=0) for make in LAYERS.values())
    used = {call.op for model in made for call in every_call(programs(model.layers) or ())}
    assert {"add", "layer_norm", "prelu", "scale", "standardize", *ACTIVATIONS} - {"identity"} <= used
    assert used <= NODES.keys()
    assert used <= OPS


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_an_entry_takes_the_numbers_of_its_op_by_name(op: str) -> None:
    entry, numbers = ELEMENTWISE[op], NUMBERS.get(op, {})
    assert set(numbers) == set(re.findall(r"\b(?:slope|alpha)\b", entry.c))
    assert set(numbers) == set(re.findall(r"\{(\w+)\}", entry.torch))
    assert bool(entry.torch) == hasattr(ops, op)  # PyTorch has a module for every activation


def test_every_activation_has_an_entry() -> None:
    assert set(ACTIVATIONS) - {"softmax"} == ELEMENTWISE.keys() - {"exp"}


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("layer", [*ACTIVATIONS.values(), cr.PReLU(2), cr.LayerNorm(2), cr.Softmax()], ids=repr)
def test_far_from_zero(layer, precision, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    from chainrule.persistence import onnx as tool

    model = cr.Sequential([type(layer)(2) if layer.parameter_shapes() else cr.layers.layer_from_config(layer.config())])
    tool.write(model, tmp_path / "a.onnx", precision=precision, input_shape=(2,))
    assert tool.check(model, tmp_path / "a.onnx", FAR) < (1e-6 if precision == "float32" else 2e-3)


def test_an_exponential_stays_within_float32() -> None:
    largest = float(np.finfo(np.float32).max)
    assert 0.999 * largest < run([Call("exp")], np.float64([[1e3]]))[0, 0] <= largest
