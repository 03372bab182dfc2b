"""Keras's files, written here by h5py in the layouts that Keras has for them, and read into our models."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.program import Call

h5py = pytest.importorskip("h5py")

RNG = np.random.default_rng(0)
DENSE = [RNG.normal(size=(4, 3)), RNG.normal(size=3)]
NORM = [RNG.normal(size=3), RNG.normal(size=3), RNG.normal(size=3), RNG.uniform(1, 2, 3)]
LAYER = [RNG.normal(size=3), RNG.normal(size=3)]
SLOPE = [RNG.uniform(size=3)]
LAST = [RNG.normal(size=(3, 2)), RNG.normal(size=2)]
NAMES = {
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"),
    "p_re_lu": ("alpha",),
}
WEIGHTS = {"dense": DENSE, "batch_normalization": NORM, "p_re_lu": SLOPE, "layer_normalization": LAYER, "dense_1": LAST}
CONFIG: dict[str, Any] = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "sequential",
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 4]}},
            {"class_name": "Dense", "config": {"units": 3, "activation": "linear", "name": "first"}},
            {"class_name": "BatchNormalization", "config": {"epsilon": 0.001, "momentum": 0.99}},
            {"class_name": "PReLU", "config": {"shared_axes": None}},
            {"class_name": "Dropout", "config": {"rate": 0.5}},
            {"class_name": "LayerNormalization", "config": {"epsilon": 0.001}},
            {"class_name": "Dense", "config": {"units": 2, "activation": "softmax"}},
        ],
    },
}


def model(epsilon: float = 1e-3, activation: str | None = "softmax") -> cr.Sequential:
    layers = [cr.Linear(4, 3), cr.BatchNorm(3, epsilon=epsilon), cr.PReLU(3), cr.Dropout(0.5)]
    return cr.Sequential([*layers, cr.LayerNorm(3, epsilon), cr.Linear(3, 2, activation)], rng=0)


def expected(x: np.ndarray) -> np.ndarray:
    """What Keras computes."""
    x = x @ DENSE[0] + DENSE[1]
    x = (x - NORM[2]) / np.sqrt(NORM[3] + 1e-3) * NORM[0] + NORM[1]
    x = np.where(x > 0, x, SLOPE[0] * x)
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3) * LAYER[0] + LAYER[1]
    z = np.exp(x @ LAST[0] + LAST[1])
    return z / z.sum(1, keepdims=True)


def variables(root: Any, weights: dict[str, list[np.ndarray]], top: str = "layers") -> None:
    """Keras 3's layout."""
    layers = root.create_group(top)
    for name, arrays in weights.items():
        group = layers.create_group(name).create_group("vars")
        for index, array in enumerate(arrays):
            group[str(index)] = array.astype(np.float32)
    layers.create_group("dropout/seed_generator/vars")["0"] = np.array([1, 2], np.uint32)
    layers.create_group("input_layer/vars")
    root.create_group("optimizer/vars")["0"] = np.zeros((), np.int64)


def weights_file(path: Path, weights: dict[str, list[np.ndarray]] = WEIGHTS, top: str = "layers") -> Path:
    with h5py.File(path, "w") as root:
        variables(root, weights, top)
    return path


def keras_file(path: Path, config: Any = CONFIG, weights: dict[str, list[np.ndarray]] = WEIGHTS) -> Path:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as root:
        variables(root, weights)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", stream.getvalue())
    return path


def old_file(
    path: Path, prefix: str = "{}/", suffix: str = ":0", weights_only: bool = False, pieces: bool = False
) -> Path:
    """The layout of Keras 1 and 2, which Keras 3 still writes; a long list of names is in pieces."""
    with h5py.File(path, "w") as root:
        top = root if weights_only else root.create_group("model_weights")
        if not weights_only:
            root.attrs["model_config"] = json.dumps(CONFIG)
        names = {f"mine_{9 - index}": kind for index, kind in enumerate(WEIGHTS)}
        layer_names = [name.encode() for name in ["input_1", *names]]
        for index, part in enumerate([layer_names[:2], layer_names[2:]] if pieces else [layer_names]):
            top.attrs[f"layer_names{index}" if pieces else "layer_names"] = part
        top.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        for name, kind in names.items():
            group = top.create_group(name)
            paths = [prefix.format(name) + leaf + suffix for leaf in NAMES[kind.rstrip("_1")]]
            group.attrs["weight_names"] = [path.encode() for path in paths]
            for path_, array in zip(paths, WEIGHTS[kind], strict=True):
                group[path_] = array.astype(np.float32)
    return path


WRITERS = {
    "keras": keras_file,
    "weights of Keras 3": weights_file,
    "weights of TensorFlow 2.12": lambda path: weights_file(path, top="_layer_checkpoint_dependencies"),
    "h5": old_file,
    "h5 by Keras 3": lambda path: old_file(path, "sequential/{}/", ""),
    "weights of Keras 2": lambda path: old_file(path, weights_only=True),
    "weights with a list in pieces": lambda path: old_file(path, weights_only=True, pieces=True),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_model_predicts_what_keras_does(write, tmp_path: Path) -> None:
    net, x = model(), np.random.default_rng(1).normal(size=(5, 4))
    cr.convert.load_keras_weights(net, write(tmp_path / "net"))
    np.testing.assert_allclose(net.predict(x), expected(x), rtol=1e-4, atol=1e-6)


def test_another_epsilon_or_activation_is_refused_where_the_file_tells_it(tmp_path: Path) -> None:
    net = model(epsilon=1e-5)
    before = net.parameters.vector.copy()
    with pytest.raises(ValueError, match=r"epsilon 0\.001 for batch_normalization .*, got 1e-05 in BatchNorm\(3\)"):
        cr.convert.load_keras_weights(net, keras_file(tmp_path / "net.keras"))
    assert np.array_equal(net.parameters.vector, before)
    with pytest.raises(
        ValueError, match=r"a model of the steps of .*Linear → Softmax, got Linear .* → LayerNorm → Linear;"
    ):
        cr.convert.load_keras_weights(model(activation=None), tmp_path / "net.keras")


def test_what_a_normalisation_does_not_learn_is_one_and_nothing(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": {"layers": [
        {"class_name": "BatchNormalization", "config": {"epsilon": 0.001, "scale": False, "center": False}},
        {"class_name": "BatchNormalization", "config": {"epsilon": 0.001, "scale": False}},
    ]}}  # fmt: skip
    held = {"batch_normalization": NORM[2:], "batch_normalization_1": NORM[1:]}
    net = cr.Sequential([cr.BatchNorm(3, epsilon=1e-3), cr.BatchNorm(3, epsilon=1e-3)])
    net.parameters.vector[:] = 7
    cr.convert.load_keras_weights(net, keras_file(tmp_path / "net.keras", config, held))
    assert [list(net.parameters[name]) for name in ("0.gain", "0.bias", "1.gain")] == [[1] * 3, [0] * 3, [1] * 3]
    np.testing.assert_allclose(net.parameters["1.bias"], NORM[1], rtol=1e-6)
    np.testing.assert_allclose(net.buffers["0.running_variance"], NORM[3], rtol=1e-6)


class Swish(cr.Layer):
    """One that says what it computes."""

    def forward(self, x, work):
        return x / (1 + np.exp(-x))

    def backward(self, dy, work, input_gradient=True):
        raise NotImplementedError

    def program(self, training=False):
        return (Call("silu"),)


STEPS = [
    ({"class_name": "Activation", "config": {"activation": "silu"}}, Swish()),
    ({"class_name": "GaussianNoise", "config": {"stddev": 0.1}}, cr.GaussianNoise(0.1)),
    ({"class_name": "Activation", "config": {"activation": "swish"}}, cr.SiLU()),
    ({"class_name": "LeakyReLU", "config": {"negative_slope": 0.3}}, cr.LeakyReLU(0.3)),
    ({"class_name": "LeakyReLU", "config": {"alpha": 0.25}}, cr.LeakyReLU(0.25)),
    ({"class_name": "ELU", "config": {"alpha": 1.0}}, cr.ELU()),
    ({"class_name": "ReLU", "config": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}}, cr.ReLU()),
    ({"class_name": "Activation", "config": {"activation": "linear"}}, cr.Identity()),
    ({"class_name": "Flatten", "config": {}}, cr.Flatten()),
    ({"class_name": "Activation", "config": {"activation": "gelu"}}, cr.GELU()),
    ({"class_name": "Activation", "config": {"activation": "elu"}}, cr.ELU(1.0)),
    ({"class_name": "Activation", "config": {"activation": "leaky_relu"}}, cr.LeakyReLU(0.2)),
    ({"class_name": "LeakyReLU", "config": {}}, cr.LeakyReLU(0.3)),
]


@pytest.mark.parametrize(
    "described, layer", STEPS, ids=lambda value: repr(value) if isinstance(value, cr.Layer) else ""
)
def test_activations_are_known_by_their_names(described, layer: cr.Layer, tmp_path: Path) -> None:
    first = {"class_name": "Dense", "config": {"activation": "relu"}}
    config = {"class_name": "Sequential", "config": {"layers": [first, described]}}
    net = cr.Sequential(
        [cr.Linear(4, 3, "relu"), type(layer)(**{k: v for k, v in layer.config().items() if k != "type"})]
    )
    cr.convert.load_keras_weights(net, keras_file(tmp_path / "net.keras", config, {"dense": DENSE}))
    other = cr.Sequential([cr.Linear(4, 3, "relu"), cr.Softplus()], rng=0)
    with pytest.raises(ValueError, match="→ Softplus; make it"):
        cr.convert.load_keras_weights(other, tmp_path / "net.keras")


@pytest.mark.parametrize("settings", [{"max_value": 6.0}, {"threshold": 1.0}])
def test_another_relu_is_no_relu(settings: dict[str, float], tmp_path: Path) -> None:
    layers = [{"class_name": "Dense", "config": {}}, {"class_name": "ReLU", "config": settings}]
    config = {"class_name": "Sequential", "config": {"layers": layers}}
    with pytest.raises(ValueError, match=r"Linear → ReLU\(.*=.*\), got Linear → ReLU;"):
        cr.convert.load_keras_weights(
            cr.Sequential([cr.Linear(4, 3, "relu")]), keras_file(tmp_path / "n", config, {"dense": DENSE})
        )


def test_other_shapes_and_layers_are_shown_side_by_side(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "net.weights.h5", WEIGHTS | {"conv2d": [np.zeros((3, 3, 1, 2))]})
    with pytest.raises(ValueError, match="got 6 groups that differ") as caught:
        cr.convert.load_keras_weights(model(), path)
    assert "conv2d" in str(caught.value)
    assert "vars/0 (3, 3, 1, 2)" in str(caught.value)
    with pytest.raises(ValueError, match=r"kernel \(4, 3\)"):
        cr.convert.load_keras_weights(cr.Sequential([cr.Linear(4, 5)]), weights_file(tmp_path / "w", {"dense": DENSE}))


# --- what is not to be trusted ---


def refused(path: Path, match: str) -> None:
    with pytest.raises((ValueError, OSError), match=rf"^load_keras_weights expects .*{match}"):
        cr.convert.load_keras_weights(cr.Sequential([cr.Linear(4, 3)], rng=0), path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(50 << 20))
    refused(tmp_path / "bomb.keras", "as large as it is packed, got 52,428,800 bytes")


def test_names_that_lead_out_of_the_archive_lead_nowhere(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "net.keras", {}, {"dense": DENSE})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../evil", "x")
        archive.writestr("/evil", "x")
    cr.convert.load_keras_weights(cr.Sequential([cr.Linear(4, 3)], rng=0), path)
    assert [one.name for one in tmp_path.iterdir()] == ["net.keras"]


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    weights_file(tmp_path / "secret", {"dense": DENSE})
    np.zeros(12, np.float32).tofile(tmp_path / "raw")
    links = {
        "layers": h5py.ExternalLink(str(tmp_path / "secret"), "/layers"),
        "layers/dense": h5py.ExternalLink(str(tmp_path / "secret"), "/layers/dense"),
        "layers/dense/vars/0": h5py.SoftLink("/elsewhere"),
    }
    for name, link in links.items():
        with h5py.File(tmp_path / "linked", "w") as root:
            root[name] = link
        refused(tmp_path / "linked", "in the file itself, got a link")
    with h5py.File(tmp_path / "linked", "w") as root:
        group = root.create_group("layers/dense/vars")
        group.create_dataset("0", (4, 3), np.float32, external=str(tmp_path / "raw"))
    refused(tmp_path / "linked", "in the file itself, got a link to another file")
    with h5py.File(tmp_path / "linked", "w") as root:
        layout = h5py.VirtualLayout((4, 3), np.float32)
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret"), "layers/dense/vars/0", shape=(4, 3))
        root.create_group("layers/dense/vars").create_virtual_dataset("0", layout)
    refused(tmp_path / "linked", "in the file itself, got a link to another file")


def test_what_holds_no_such_numbers_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "huge", "w") as root:
        root.create_group("layers/dense/vars").create_dataset("0", (10**6, 10**6), np.float32, chunks=(1000, 1000))
    refused(tmp_path / "huge", "arrays of the shapes")
    with h5py.File(tmp_path / "chunk", "w") as root:
        data = root.create_group("layers/dense/vars")
        data.create_dataset("0", (4, 3), np.float32, chunks=(10**4, 10**4), maxshape=(None, None))
    refused(tmp_path / "chunk", "pieces no larger than itself")
    for name, value in (("text", b"abc"), ("group", None)):
        with h5py.File(tmp_path / name, "w") as root:
            if value is None:
                root.create_group("layers/dense/vars/0")
            else:
                root["layers/dense/vars/0"] = value
        refused(tmp_path / name, "numbers where its weights should be")
    with h5py.File(tmp_path / "half", "w") as root:
        root["layers/dense/vars/0"] = np.zeros((4, 3), np.uint16)
        root["layers/dense/vars/0"].attrs["dtype"] = "bfloat16"
    refused(tmp_path / "half", "bfloat16 in .*; save the model in float32")
    with h5py.File(tmp_path / "empty", "w"):
        pass
    refused(tmp_path / "empty", "the layers of a Keras model, got nothing")


def test_what_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no weights")
    refused(tmp_path / "text", "to be a whole .keras or HDF5 file")
    refused(tmp_path / "nothing", "a Keras file at")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("other", "x")
    refused(tmp_path / "zip", "to be a .keras file with a config.json")
    refused(keras_file(tmp_path / "json", "{nope"), "to describe its model as JSON")
    for config in ("[1]", '{"config": 3}', '{"config": {"layers": [4]}}'):  # of another form: weights alone
        path = keras_file(tmp_path / "form", config, {"dense": DENSE})
        cr.convert.load_keras_weights(cr.Sequential([cr.Linear(4, 3)], rng=0), path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    for write in (weights_file, keras_file):
        whole = write(tmp_path / "whole").read_bytes()
        for length in range(0, len(whole), 300):
            (tmp_path / "cut").write_bytes(whole[:length])
            refused(tmp_path / "cut", "to be a whole .keras or HDF5 file")


def test_an_offset_that_lies_is_refused(tmp_path: Path) -> None:
    whole = bytearray(keras_file(tmp_path / "net.keras").read_bytes())
    end = whole.rindex(b"PK\5\6")
    whole[end + 16 : end + 20] = b"\xff\xff\xff\x7f"  # where the directory begins
    (tmp_path / "lies").write_bytes(whole)
    refused(tmp_path / "lies", "to be a whole .keras or HDF5 file")


def pieces(path: Path, packed: bytes | None = None, **options: object) -> Path:
    """Weights in one piece, which says that it holds twelve numbers, whatever is in it."""
    with h5py.File(path, "w") as root:
        group = root.create_group("layers/dense/vars")
        data = group.create_dataset("0", (4, 3), np.float32, chunks=(4, 3), **options)
        if packed is None:
            data[:] = np.arange(12).reshape(4, 3)
        else:
            data.id.write_direct_chunk((0, 0), packed)
        group["1"] = np.zeros(3, np.float32)
    return path


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "fletcher32": True}], ids=str)
def test_weights_that_were_packed_are_read(options: dict[str, bool], tmp_path: Path) -> None:
    model = cr.Sequential([cr.Linear(4, 3)], rng=0)
    cr.convert.load_keras_weights(model, pieces(tmp_path / "packed", compression="gzip", **options))
    assert model.parameters["0.W"].ravel().tolist() == list(range(12))


def test_a_piece_that_becomes_larger_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    path = pieces(tmp_path / "bomb", bomb, compression="gzip")
    tracemalloc.start()
    try:
        refused(path, "pieces of /layers/dense/vars/0 of 48 bytes, got one that becomes larger")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    refused(pieces(tmp_path / "lzf", compression="lzf"), "packed by gzip, if at all, got filters")
