"""Layers of the user's own in PyTorch's and Keras's files: a program of known ops is enough, no class is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import chainrule as cr
from chainrule.layers.program import Call
from chainrule.persistence import pytorch
from chainrule.proof.table import LAYERS


class Own(cr.Layer):
    """y = x + tanh(norm(x W)) of three features, or a part of it, as a subclass states it."""

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"W": (3, 3), "gain": (3,), "bias": (3,)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.W[:], self.gain[:], self.bias[:] = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)

    def forward(self, x: Any, work: Any) -> Any:
        raise NotImplementedError

    def backward(self, dy: Any, work: Any, input_gradient: bool = True) -> Any:
        raise NotImplementedError


class Chain(Own):
    """Three modules in sequence."""

    def program(self, training: bool = False) -> Any:
        norm = Call("layer_norm", {"gain": self.gain, "bias": self.bias}, {"epsilon": 1e-3})
        return Call("affine", {"W": self.W}), norm, Call("tanh")


class Block(Chain):
    """A branch, without layers inside."""

    def program(self, training: bool = False) -> Any:
        return (Call("add", branches=(super().program(training),)),)


class Halved(Own):
    """Numbers that are made of the parameters."""

    def program(self, training: bool = False) -> Any:
        return Call("affine", {"W": self.W / 2}), Call("leaky_relu", numbers={"slope": 0.25})


class Doubled(cr.Linear):
    """Another equation, about which nothing is stated."""

    def forward(self, x: Any, work: Any) -> Any:
        return 2 * super().forward(x, work)


class Cube(cr.Activation):
    """An activation that only Python knows."""

    def apply(self, x: Any, out: Any) -> Any:
        return np.power(x, 3, out=out)

    def pull_back(self, dy: Any, x: Any, y: Any, out: Any) -> Any:
        raise NotImplementedError


def model(*layers: cr.Layer) -> cr.Sequential:
    return cr.Sequential([*layers, cr.Linear(3, 2, "relu")], rng=0)


def notes(net: cr.Sequential, path: Path) -> str:
    return pytorch.write(net, path)[0].removeprefix("for net = ")


def keras_file(path: Path, config: Any = None, **layers: list[np.ndarray]) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as root:
        root.attrs["model_config"] = json.dumps(config)
        for name, arrays in layers.items():
            for index, array in enumerate(arrays):
                root[f"layers/{name}/vars/{index}"] = array
    return path


def test_the_calls_of_a_program_become_modules_in_sequence(tmp_path: Path) -> None:
    net = model(Chain(), cr.Dropout(0.1))
    assert notes(net, tmp_path / "net") == (
        "nn.Sequential(nn.Linear(3, 3, bias=False), nn.LayerNorm(3, eps=0.001), nn.Tanh(), nn.Dropout(0.1), "
        "nn.Linear(3, 2), nn.ReLU())"
    )
    tensors = cr.convert.state_dict(net)
    assert list(tensors) == ["0.weight", "1.weight", "1.bias", "4.weight", "4.bias"]
    np.testing.assert_array_equal(tensors["0.weight"], net.parameters["0.W"].T)
    twin = cr.Sequential([Chain(), cr.Linear(3, 2)], rng=1)
    cr.convert.load_state_dict(twin, tmp_path / "net")
    np.testing.assert_array_equal(twin.parameters.vector, net.parameters.vector)


def test_a_branch_is_a_module_with_layers_of_its_own(tmp_path: Path) -> None:
    net = model(Block())
    chain = "nn.Sequential(nn.Linear(3, 3, bias=False), nn.LayerNorm(3, eps=0.001), nn.Tanh())"
    assert notes(net, tmp_path / "net") == f"nn.Sequential(Residual({chain}), nn.Linear(3, 2), nn.ReLU())"
    assert list(cr.convert.state_dict(net)) == [
        *("0.layers.0.weight", "0.layers.1.weight", "0.layers.1.bias", "1.weight", "1.bias")
    ]


def quiet() -> list[cr.Layer]:
    return [cr.Identity(), cr.Linear(3, 3, "identity"), cr.Dropout(0.0), cr.PReLU(3)]


@pytest.mark.parametrize("noise", [False, True], ids=["", "noise"])
def test_layers_that_compute_nothing_and_noise_are_modules_too(noise: bool, tmp_path: Path) -> None:
    layers, last = quiet(), [cr.GaussianNoise()] if noise else []
    net = model(*layers, cr.Residual([*quiet(), *last]))
    inside = "nn.Identity(), nn.Linear(3, 3), nn.Identity(), nn.PReLU(3)"
    residual = f"Residual(nn.Sequential({inside}{', GaussianNoise()' if noise else ''}))"
    assert notes(net, tmp_path / "net") == f"nn.Sequential({inside}, {residual}, nn.Linear(3, 2), nn.ReLU())"
    own = ("1.weight", "1.bias", "3.weight")
    assert list(cr.convert.state_dict(net)) == [*own, *(f"4.layers.{name}" for name in own), "5.weight", "5.bias"]


def test_only_the_settings_of_pytorch_itself_are_left_out(tmp_path: Path) -> None:
    norms = [cr.BatchNorm(3, momentum=0.15, epsilon=1e-5), cr.BatchNorm(3, 0.1, 1e-4), cr.LayerNorm(3)]
    assert notes(cr.Sequential([*norms, cr.ELU(1.05), cr.ELU(1)]), tmp_path / "net") == (
        "nn.Sequential(nn.BatchNorm1d(3, momentum=0.15), nn.BatchNorm1d(3, eps=0.0001), nn.LayerNorm(3), "
        "nn.ELU(alpha=1.05), nn.ELU())"
    )


def test_keras_weights_reach_the_parameters_of_a_program(tmp_path: Path) -> None:
    net, rng = model(Chain()), np.random.default_rng(3)
    W, gain, bias, last = (rng.normal(size=shape) for shape in ((3, 3), 3, 3, (3, 2)))
    weights = {"dense": [W], "layer_normalization": [gain, bias], "dense_1": [last, np.ones(2)]}
    cr.convert.load_keras_weights(net, keras_file(tmp_path / "net.weights.h5", **weights))
    for name, expected in (("0.W", W), ("0.gain", gain), ("0.bias", bias), ("1.W", last)):
        np.testing.assert_allclose(net.parameters[name], expected, rtol=1e-6)


@pytest.mark.parametrize("layer", [Block(), cr.Residual([Chain()])], ids=["a branch", "layers inside"])
def test_keras_has_nothing_that_is_added(layer: cr.Layer, tmp_path: Path) -> None:
    norm, last = [np.ones(3), np.ones(3)], [np.ones((3, 2)), np.ones(2)]
    arrays = {"dense": [np.ones((3, 3))], "layer_normalization": norm, "dense_1": last}
    kinds = ("Dense", "LayerNormalization", "Dense")
    config = {"class_name": "Sequential", "config": {"layers": [{"class_name": k, "config": {}} for k in kinds]}}
    path = keras_file(tmp_path / "net.h5", config, **arrays)
    with pytest.raises(ValueError, match=f"got {re.escape(repr(layer))} → Linear → ReLU; make it") as caught:
        cr.convert.load_keras_weights(model(layer), path)
    assert "Linear → LayerNorm → Linear, got" in str(caught.value)


def test_computed_numbers_are_written_and_never_filled(tmp_path: Path) -> None:
    net = model(Halved())
    tensors = cr.convert.state_dict(net)
    np.testing.assert_array_equal(tensors["0.weight"], (net.parameters["0.W"] / 2).T)
    assert "nn.LeakyReLU(0.25)" in notes(net, tmp_path / "net")
    before = net.parameters.vector.copy()
    expected = r"Halved\(\) to state its program with its parameters themselves, got other numbers as the weight of"
    with pytest.raises(ValueError, match=f"^load_state_dict expects {expected} affine"):
        cr.convert.load_state_dict(net, {name: array + 1 for name, array in tensors.items()})
    np.testing.assert_array_equal(net.parameters.vector, before)


@pytest.mark.parametrize("layer", [Own(), Doubled(3, 3)], ids=lambda layer: type(layer).__name__)
def test_a_layer_without_a_program_is_named(layer: cr.Layer, tmp_path: Path) -> None:
    net = model(layer)
    weights = keras_file(tmp_path / "net.weights.h5", dense=[np.ones((3, 3))])
    for call, arguments in (
        (cr.convert.state_dict, ()),
        (cr.convert.load_state_dict, ({},)),
        (cr.convert.load_keras_weights, (weights,)),
    ):
        with pytest.raises(ValueError, match=rf"^{call.__name__} expects .*, got .*states no program") as caught:
            call(net, *arguments)
        assert repr(layer) in str(caught.value)


def test_an_activation_that_only_python_knows_is_a_module(tmp_path: Path) -> None:
    net = model(cr.Linear(3, 3, Cube()), Cube())
    assert list(cr.convert.state_dict(net)) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert notes(net, tmp_path / "net") == (
        "nn.Sequential(nn.Linear(3, 3), Cube(), Cube(), nn.Linear(3, 2), nn.ReLU())"
    )
    twin = cr.Sequential([cr.Linear(3, 3, Cube()), cr.Linear(3, 2)], rng=1)
    cr.convert.load_state_dict(twin, tmp_path / "net")
    np.testing.assert_array_equal(twin.parameters.vector, net.parameters.vector)


def test_a_number_that_a_program_leaves_out_is_the_default_of_the_op(tmp_path: Path) -> None:
    class Leaky(cr.ReLU):
        def program(self, training: bool = False) -> Any:
            return (Call("leaky_relu"),)

    assert "nn.LeakyReLU(0.01)" in notes(model(Leaky()), tmp_path / "net")


def test_a_number_without_a_default_is_asked_for(tmp_path: Path) -> None:
    class Noise(cr.ReLU):
        def program(self, training: bool = False) -> Any:
            return (Call("dropout"),)

    with pytest.raises(ValueError, match=r"'rate' among the numbers of dropout in the program of Noise\(\), got"):
        pytorch.write(model(Noise()), tmp_path / "net")


OURS_ALONE = ("Columns", "GaussianNoise", "Members", "ParametricActivation", "Residual", "Scale")


@pytest.mark.parametrize("name", sorted(name for name in LAYERS if not name.startswith(OURS_ALONE)))
def test_pytorch_has_a_module_for_every_op(name: str, tmp_path: Path) -> None:
    written = notes(cr.Sequential([LAYERS[name]()], rng=0), tmp_path / "net")
    assert all(module.startswith("nn.") for module in re.findall(r"([\w.]+)\(", written))


def test_names_with_numbers_of_thousands_of_digits_are_sorted(tmp_path: Path) -> None:
    weights = {f"{index}{'0' * 5000}.weight": np.full((3, 3), index, np.float32) for index in (2, 1)}
    save_file(weights, tmp_path / "net")
    net = cr.Sequential([cr.Linear(3, 3, bias=False), cr.Linear(3, 3, bias=False)], rng=0)
    cr.convert.load_state_dict(net, tmp_path / "net")
    assert [net.parameters[name][0, 0] for name in ("0.W", "1.W")] == [1, 2]
