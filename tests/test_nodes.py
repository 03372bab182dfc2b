"""Every layer has its equation in operators of ONNX, which holds far from zero as well."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import LAYERS
from chainrule.layers.activations import ACTIVATIONS
from chainrule.nodes import EQUATIONS

FAR = np.float32([[-1e4, -300], [-88, -30], [-1, -1e-3], [0, 1e-6], [0.5, 1], [30, 88], [300, 1e4]])


def test_there_is_an_equation_for_every_layer():
    assert set(EQUATIONS) == set(LAYERS.values())


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("layer", [*ACTIVATIONS.values(), cr.PReLU(2), cr.LayerNorm(2), cr.Softmax()], ids=repr)
def test_far_from_zero(layer, precision, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    from chainrule.persistence import onnx as tool

    model = cr.Sequential([type(layer)(2) if layer.parameter_shapes() else cr.layers.layer_from_config(layer.config())])
    tool.write(model, tmp_path / "a.onnx", precision=precision, input_shape=(2,))
    assert tool.check(model, tmp_path / "a.onnx", FAR) < (1e-6 if precision == "float32" else 2e-3)
