"""Networks of every layer, as ONNX files hold them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
import onnx
import onnxruntime

import chainrule as cr
from chainrule.layers import LAYERS
from chainrule.layers.activations import ACTIVATIONS
from chainrule.persistence import onnx as tool

BATCHES = (0, 1, 7, 1000)
ORDINARY, MANY = 8, 50


KINDS = [name for name in LAYERS if name != "Embedding"]  # which takes no numbers: see test_input_layers.py


def random_layer(kind, width, rng):
    """A layer of this class for rows of this width, with arguments other than its defaults."""
    if kind == "Linear":
        chosen = rng.choice([None, *ACTIVATIONS])
        activation = cr.LeakyReLU(0.3) if chosen == "leaky_relu" else chosen and str(chosen)
        return cr.Linear(width, int(rng.integers(1, 40)), activation, bias=bool(rng.random() < 0.7))
    if kind == "TabM":
        return cr.TabM(width, [cr.Linear(width, 5, "relu")], width, 3, activation=(None, "softmax")[rng.integers(2)])
    if kind == "Members":
        networks = [[random_layer("PReLU", width, rng), cr.Linear(width, width)], [cr.Tanh()]]
        return cr.Members(networks, (None, "softmax", "sigmoid")[rng.integers(3)])
    if kind == "Residual":
        inner = random_layer(str(rng.choice(["Linear", "LayerNorm", "Residual"])), width, rng)
        wide = inner.out_features if isinstance(inner, cr.Linear) else width
        return cr.Residual(
            [inner, random_layer("PReLU", wide, rng), cr.Linear(wide, width, initializer="glorot_normal")]
        )
    if kind in ("Columns", "PBLD"):
        return cr.Columns([(width, [cr.PBLD(width, 3, 2), cr.Linear(2 * width, width)])])
    if kind == "PiecewiseLinear":
        edges = [np.unique(rng.normal(size=2 + j % 4)) for j in range(width)]
        return cr.Columns([(width, [cr.PiecewiseLinear(edges, 2), cr.Linear(2 * width, width)])])
    if kind == "ParametricActivation":
        return cr.ParametricActivation(width, str(rng.choice(["selu", "mish"])))
    if kind == "LayerNorm":  # its default ε would make the rounding of nearly equal numbers 300 times larger
        return cr.LayerNorm(width, epsilon=0.01)
    if kind in ("Scale", "PReLU", "BatchNorm"):
        return LAYERS[kind](width)
    given = {"LeakyReLU": (0.2,), "ELU": (0.7,), "GELU": (str(rng.choice(["none", "tanh"])),), "Dropout": (0.3,)}
    return LAYERS[kind](*given.get(kind, ()))


def random_network(seed):
    """Some layers, among them those whose turn it is, behind a batch of images now and then; and the shape of a row."""
    rng = np.random.default_rng(seed)
    kinds = [*KINDS[seed % ORDINARY :: ORDINARY], "Linear", "Linear", *rng.choice(KINDS, 3)]
    shape = (3, 4) if seed % 3 == 0 else (int(rng.integers(1, 20)),)
    layers, width = [cr.Flatten()] if len(shape) > 1 else [], int(np.prod(shape))
    for kind in map(str, rng.permutation(kinds)):
        layers.append(random_layer(kind, width, rng))
        width = layers[-1].out_features if kind == "Linear" else width
    model = cr.Sequential(layers, rng=seed, dtype="float64" if seed % 5 == 4 else "float32")
    model.parameters.vector[:] += 0.1 * rng.standard_normal(model.parameters.vector.shape)
    for name, statistics in model.buffers.items():
        statistics[:] = (
            rng.uniform(0.5, 2, len(statistics)) if "variance" in name else rng.normal(0, 1, len(statistics))
        )
    return model, shape


def assert_same(model, shape, folder, **options):
    path = folder / "model.onnx"
    tool.write(model, path, input_shape=shape, **options)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    shaped = {value.name for value in [*inferred.graph.value_info, *inferred.graph.output]}
    assert {name for node in proto.graph.node for name in node.output} <= shaped
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for rows in BATCHES:
        x = np.random.default_rng(rows).standard_normal((rows, *shape)).astype(np.float32)
        (found,) = session.run(None, {"x": x})
        y = model.predict(x)
        assert found.shape == y.shape
        assert found.dtype == np.float32
        assert np.max(np.abs(found - y) / np.maximum(1, np.abs(y)), initial=0) < 1e-5


def network():
    return cr.Sequential(
        [cr.Linear(4, 8, "gelu"), cr.Residual([cr.LayerNorm(8), cr.Linear(8, 8)]), cr.Linear(8, 3)], rng=0
    )


def facts_of(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
